"""What the server does, in the order load → handle → append → tell. Decides through the domain, acts through the ports."""
