"""The rules of a Space, pure: no I/O, no clock, no randomness. Commands in, events out."""
