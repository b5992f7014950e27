"""Alembic's entry: runs migrations on the connection, and in the transaction, that ``rostra.adapters.sql.migrate`` gives it."""

from alembic import context

from rostra.adapters.sql.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
