"""The media core as the api sees it: one Unix socket, one protocol."""
