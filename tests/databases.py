"""A service's database as the driver has it, for tests that look into it or spoil it from outside."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from ops.connection import url_of


@asynccontextmanager
async def database(server_url: str, service: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the database of one service; each statement is a transaction of its own."""
    connection = await asyncpg.connect(url_of(server_url, service), timeout=10)
    try:
        yield connection
    finally:
        await connection.close()
