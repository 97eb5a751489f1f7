"""Alembic, run by the service itself at its start: each service ships its versions in its own package."""

import asyncio
from importlib import resources

from alembic import command
from alembic.config import Config
from sqlalchemy import pool, text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from common.store.database import Database

_LOCK = 7042271  # one replica migrates at a time


async def upgrade(database: Database) -> None:
    """Brings the service's database to the newest version; a replica that starts at the same moment waits for it."""
    engine = create_async_engine(database.url, poolclass=pool.NullPool)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            await connection.run_sync(_upgrade, database.name)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, service: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(resources.files(f"{service}.migrations")))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def upgrade_now(database: Database) -> None:
    """The same, for a caller without an event loop."""
    asyncio.run(upgrade(database))
