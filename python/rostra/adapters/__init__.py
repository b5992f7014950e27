"""Implementations of the ports. Each is used through its port alone."""
