"""PostgreSQL: a pool of connections; the server commits concurrent writers together."""

from sqlalchemy import URL, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

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
            connect_args={"connect_timeout": 3, "tcp_user_timeout": 5000, "options": _OPTIONS},
        )
        self._alone = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self.engines: tuple[Engine, ...] = (self._engine.sync_engine,)

    async def read(self, work: Work[T]) -> T:
        return await _twice(self._alone, work)

    async def write(self, work: Work[T]) -> T:
        return await _twice(self._engine, work)

    async def write_one(self, work: Work[T]) -> T:
        return await _twice(self._alone, work)

    async def migrate(self, work: Work[None]) -> None:
        async with translated(patient=True), self._engine.begin() as connection:
            await connection.run_sync(work)

    async def close(self) -> None:
        await self._engine.dispose()


async def _twice(engine: AsyncEngine, work: Work[T]) -> T:
    """Run ``work`` and commit; once more if the connection was lost before the commit, as all of a pool's are when the server restarts.

    A lone statement may have happened before the loss was noticed: then the second finds its keys taken, and says ``Conflict``."""
    async with translated():
        async with engine.connect() as connection:
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
        async with engine.begin() as connection:
            return await connection.run_sync(work)
