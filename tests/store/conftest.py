"""The tables of the chassis on an empty database, as every service has them."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from common.store import migrations
from common.store.database import Database
from devstack import Stack


@pytest.fixture
async def tables(database: str) -> AsyncIterator[Database]:
    """A service's database with its tables, in which nothing stands."""
    server, _, name = database.rpartition("/")
    found = Database(f"{server}/postgres", name)
    await _migrated(found)
    yield found
    await found.close()


@pytest.fixture(scope="session")
def untouched(stack: Stack) -> Iterator[str]:
    """The name of a database with these tables in which nothing is ever committed, made once for all tests."""
    name = f"tables_{secrets.token_hex(6)}"

    async def made() -> None:
        database = Database(stack.database_url, name)
        await database.create_if_missing()
        await _migrated(database)
        await database.close()

    async def dropped() -> None:
        server = await asyncpg.connect(stack.database_url)
        await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await server.close()

    asyncio.run(made())
    yield name
    asyncio.run(dropped())


@pytest.fixture
async def connection(stack: Stack, untouched: str) -> AsyncIterator[AsyncConnection]:
    """One transaction on those tables, which is rolled back."""
    found = Database(stack.database_url, untouched)
    async with found.transaction() as opened:
        yield opened
        await opened.rollback()
    await found.close()


async def _migrated(database: Database) -> None:
    engine = create_async_engine(database.url, poolclass=pool.NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(migrations._upgrade, "intake")
    await engine.dispose()
