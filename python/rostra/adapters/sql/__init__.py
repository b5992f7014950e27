"""The log, the list of Spaces and the accounts in SQLite or PostgreSQL."""
