"""PostgreSQL: a pool of connections; the server commits concurrent writers together."""

from sqlalchemy import URL, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine

from rostra.adapters.sql.database import T, Work, translated

# A session of ours never waits for long, never holds a transaction open, and never acknowledges what a crash could lose.
_OPTIONS = (
    "-c statement_timeout=4000 -c lock_timeout=3000 -c idle_in_transaction_session_timeout=10000"
    " -c synchronous_commit=on -c timezone=UTC -c application_name=rostra"
)


class PostgresDatabase:
    """A ``Database`` on a PostgreSQL server."""

    def __init__(self, url: URL) -> None:
        self._engine = create_async_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_size=8,
            max_overflow=8,
            pool_timeout=3,
            connect_args={"connect_timeout": 3, "options": _OPTIONS},
        )
        self._reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self.engines: tuple[Engine, ...] = (self._engine.sync_engine,)

    async def read(self, work: Work[T]) -> T:
        async with translated():
            try:
                async with self._reading.connect() as connection:
                    return await connection.run_sync(work)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            # The pool held a connection to a server that has restarted since, and has now dropped all of its kind.
            async with self._reading.connect() as connection:
                return await connection.run_sync(work)

    async def write(self, work: Work[T]) -> T:
        async with translated():
            async with self._engine.connect() as connection:
                try:
                    result = await connection.run_sync(work)
                except IntegrityError:
                    raise
                except DBAPIError as error:
                    if not error.connection_invalidated:
                        raise
                else:
                    await connection.commit()
                    return result
            # Lost before the commit was sent: nothing happened, so it may be tried anew.
            async with self._engine.begin() as connection:
                return await connection.run_sync(work)

    async def close(self) -> None:
        await self._engine.dispose()
