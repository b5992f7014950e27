"""Brings a database to the schema this version needs. Migrations only add, so an older version still runs on a newer schema.

A new one is a file ``migrations/versions/NNNN_what.py`` beside the change of ``tables.py``; a test holds the two to each other."""

from pathlib import Path

from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.sql import column, table

FOLDER = Path(__file__).with_name("migrations")
HEAD = max(path.stem[:4] for path in (FOLDER / "versions").glob("[0-9]*.py"))
"""The newest revision this version knows: revisions are numbered as their files are."""
_LOCK = 0x726F73747261  # "rostra": the advisory lock of whoever migrates


def is_current(connection: Connection) -> bool:
    """Whether the schema is the newest we know, or newer."""
    if not inspect(connection).has_table("alembic_version"):
        return False
    return (connection.scalar(select(column("version_num")).select_from(table("alembic_version"))) or "") >= HEAD


def upgrade(connection: Connection) -> None:
    """Migrate inside the connection's transaction; of several processes that start at once, one does it and the others wait."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    if is_current(connection):
        return
    # Imported only when there is work: most starts have none, and need neither the time nor the memory.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
