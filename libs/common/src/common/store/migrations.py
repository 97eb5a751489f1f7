"""Alembic, run by the service itself at its start: each service ships its versions in its own package."""

import asyncio
from importlib import resources

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import pool, text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from common.store.database import Database

_LOCK = 7042271  # one replica migrates at a time
_VERSION = text("SELECT version_num FROM alembic_version")


async def upgrade(database: Database) -> None:
    """Brings the service's database to the newest version; a replica that starts at the same moment waits for it."""
    engine = create_async_engine(database.url, poolclass=pool.NullPool)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            await connection.run_sync(_upgrade, database.name)
    finally:
        await engine.dispose()


def _config(service: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.files(f"{service}.migrations")))
    config.set_main_option("path_separator", "os")
    return config


def _upgrade(connection: Connection, service: str) -> None:
    config = _config(service)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def version(connection: AsyncConnection) -> str | None:
    """The version of the tables that the database has."""
    found: str | None = (await connection.execute(_VERSION)).scalar_one_or_none()
    return found


def newest(service: str) -> str | None:
    """The newest version of the service's tables that is installed here; None where the service is not."""
    try:
        return ScriptDirectory.from_config(_config(service)).get_current_head()
    except ModuleNotFoundError:
        return None


def upgrade_now(database: Database) -> None:
    """The same, for a caller without an event loop."""
    asyncio.run(upgrade(database))
