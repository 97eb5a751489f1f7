"""The service's own PostgreSQL database: connections with time limits, one transaction at a time, and what its errors mean."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeVar

import asyncpg
from pydantic_core import from_json
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from common.kernel.errors import Transient

Found = TypeVar("Found")
_LIMITS = {"statement_timeout": "5000", "lock_timeout": "2000", "idle_in_transaction_session_timeout": "30000"}
_TRANSIENT = ("08", "25", "40", "53", "55", "57", "58")
_DATA = ("22", "23")
_UNIQUE = "23505"


class Database:
    """The database named `name` on the server of `server_url` (`postgresql://…`); nothing connects before it is used."""

    def __init__(self, server_url: str, name: str, *, pool_size: int = 8) -> None:
        self.url = make_url(server_url).set(drivername="postgresql+asyncpg", database=name)
        self.name = name
        self._engine = create_async_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=4,
            pool_timeout=10,
            json_deserializer=from_json,  # of what PostgreSQL has written, in half the time of the standard library
            connect_args={"server_settings": _LIMITS, "timeout": 5, "command_timeout": 15},
        )
        self._reader = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        async with self._engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection on which every statement is a transaction of its own: a question costs one round trip instead of three."""
        async with self._reader.connect() as connection:
            yield connection

    async def create_if_missing(self) -> None:
        """Creates the service's database on the server; harmless when it is there, or when another replica is faster."""
        server: asyncpg.Connection = await asyncpg.connect(dsn(self.url.set(database="postgres")), timeout=5)
        try:
            if not await server.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", self.name):
                try:
                    await server.execute(f'CREATE DATABASE "{self.name}"')
                except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
                    return
        finally:
            await server.close()

    async def ping(self) -> bool:
        """Whether the database answers within two seconds."""
        try:
            async with asyncio.timeout(2), self.transaction() as connection:
                await connection.execute(text("SELECT 1"))
        except (DBAPIError, OSError, TimeoutError):
            return False
        return True

    async def close(self) -> None:
        """Closes every connection."""
        await self._engine.dispose()


async def looked_up(server_url: str, service: str, read: Callable[[AsyncConnection], Awaitable[Found]]) -> Found:
    """What `read` finds in the database of a service, for a command that asks once."""
    database = Database(server_url, service, pool_size=1)
    try:
        async with database.transaction() as connection:
            return await read(connection)
    finally:
        await database.close()


def why_away(error: BaseException) -> str | None:
    """In words, why a database cannot be read; None for an error that is a defect of ours."""
    if isinstance(error, OSError | TimeoutError | asyncpg.PostgresError):
        return f"{type(error).__name__}: {error}"
    if isinstance(error, DBAPIError):
        return str(error.orig).partition("\n")[0]
    return None


def dsn(url: URL) -> str:
    """`url` as asyncpg and libpq take it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


async def driver(connection: AsyncConnection) -> Any:
    """The asyncpg connection under `connection`, inside its running transaction: for COPY, which SQLAlchemy does not have."""
    await connection.execute(text("SELECT 1"))  # SQLAlchemy opens the transaction with the first statement
    return (await connection.get_raw_connection()).driver_connection


def kind_of(error: BaseException) -> Literal["transient", "unique", "data", "defect"]:
    """What an error of the database means for a batch: try again, try again from the start, one record's data, or our defect."""
    if isinstance(error, Transient):
        return "transient"
    state = _sqlstate(error)
    if state == _UNIQUE:
        return "unique"
    if state.startswith(_DATA):
        return "data"
    if state.startswith(_TRANSIENT) or isinstance(error, OSError | TimeoutError | InterfaceError | asyncpg.InterfaceError):
        return "transient"
    if isinstance(error, DBAPIError) and (error.connection_invalidated or not state):
        return "transient"
    return "defect"


def _sqlstate(error: BaseException | None) -> str:
    while error is not None:
        state = getattr(error, "sqlstate", None) or getattr(getattr(error, "orig", None), "sqlstate", None)
        if isinstance(state, str):
            return state
        error = error.__cause__
    return ""
