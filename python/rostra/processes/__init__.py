"""One module per role: the supervisor and the processes it starts."""
