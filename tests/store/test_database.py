"""The service's own database: made where it is missing, alive or not, bounded in time, and left without a trace."""

import asyncpg
import pytest
from sqlalchemy import text
from tests.faults.kit import until

from common.store.database import Database, dsn

pytestmark = pytest.mark.real


async def sessions(server: Database, of: Database, *, end: bool = False) -> int:
    """How many connections another database has; with `end` PostgreSQL ends each of them."""
    counted = "count(pg_terminate_backend(pid))" if end else "count(*)"
    async with server.transaction() as connection:
        found: int = (
            await connection.execute(text(f"SELECT {counted} FROM pg_stat_activity WHERE datname = :name"), {"name": of.name})
        ).scalar_one()
    return found


def beside(tables: Database, name: str) -> Database:
    """Another database on the same server."""
    return Database(dsn(tables.url), name)


async def dropped(database: Database) -> None:
    server = await asyncpg.connect(dsn(database.url.set(database="postgres")))
    try:
        await server.execute(f'DROP DATABASE IF EXISTS "{database.name}" WITH (FORCE)')
    finally:
        await server.close()


async def test_a_database_is_made_where_it_is_missing_and_left_alone_where_it_is_there(tables: Database) -> None:
    made = beside(tables, f"{tables.name}_made")
    try:
        assert not await made.ping()
        for _ in range(2):
            await made.create_if_missing()
            assert await made.ping()
    finally:
        await made.close()
        await dropped(made)


async def test_a_database_that_ended_our_sessions_does_not_answer_until_there_is_a_new_one(tables: Database) -> None:
    server = beside(tables, "postgres")
    try:
        assert await tables.ping()
        assert await sessions(server, tables, end=True) > 0
        assert not await tables.ping()
        assert await tables.ping()
    finally:
        await server.close()


async def test_who_closes_a_database_leaves_no_session_behind(tables: Database) -> None:
    server, other = beside(tables, "postgres"), beside(tables, tables.name)
    try:
        assert await other.ping()
        assert await sessions(server, tables) == 1
        await other.close()

        async def none() -> bool:
            return await sessions(server, tables) == 0

        await until("no session is left", none)
    finally:
        await server.close()


async def test_no_statement_lock_or_idle_transaction_lasts_for_ever(tables: Database) -> None:
    async with tables.transaction() as connection:
        limits = [
            (await connection.execute(text(f"SHOW {name}"))).scalar_one()
            for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        ]
    assert limits == ["5s", "2s", "30s"]


async def test_what_is_only_asked_opens_no_transaction_and_sees_what_was_committed_meanwhile(tables: Database) -> None:
    waits = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'")
    counted = text("SELECT count(*) FROM waiting")
    async with tables.reading() as connection:
        before = (await connection.execute(counted)).scalar_one()
        async with tables.transaction() as other:
            assert (await other.execute(waits)).scalar_one() == 0
            await other.execute(
                text("INSERT INTO waiting (source, id, aggregate, missing, record, event_time) VALUES ('/s', '1', 'a:1', 'm', '{}', now())")
            )
        assert ((await connection.execute(counted)).scalar_one(), before) == (1, 0)
    async with tables.transaction() as connection:  # whoever has the connection next has a transaction again
        await connection.execute(counted)
        async with tables.reading() as other:
            assert (await other.execute(waits)).scalar_one() == 1
