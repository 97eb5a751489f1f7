"""Rows in which Kafka or PostgreSQL dies, is away, stands still, has no room left or has the wrong time."""

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
from tests.databases import database
from tests.faults.table.quarter import Quarter
from tests.faults.table.row import Row

from devstack import Stack, stack
from devstack.settings import read

_AWAY = 30.0
_FULL = 15.0
_ROOM = "450m"
_CUT = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = ANY($1) AND pid <> pg_backend_pid()"
_TIME = "SELECT clock_timestamp()"
_FAKETIME = "/usr/lib/*/faketime/libfaketimeMT.so.1"


async def postgres_killed(quarter: Quarter, times: int) -> None:
    """kill -9 of PostgreSQL, and a start at once."""
    async with quarter.coming_in():
        for share in quarter.shares(times):
            await quarter.until(share)
            async with quarter.fault():
                quarter.stack.kill_postgres()
                await asyncio.to_thread(quarter.stack.start_postgres)


async def postgres_away(quarter: Quarter, times: int) -> None:
    """PostgreSQL is away for half a minute."""
    async with quarter.coming_in():
        for share in quarter.shares(times):
            await quarter.until(share)
            async with quarter.fault():
                quarter.stack.kill_postgres()
                await asyncio.sleep(_AWAY)
                await asyncio.to_thread(quarter.stack.start_postgres)


async def connections_cut(quarter: Quarter, times: int) -> None:
    """Every connection of every service ends in the middle of what it does, twice within a second."""
    async with quarter.coming_in():
        for share in quarter.shares(times):
            await quarter.until(share)
            async with quarter.fault():
                for _ in range(2):
                    connection = await asyncpg.connect(quarter.stack.database_url)
                    if not await connection.fetchval(_CUT, list(quarter.platform.services)):
                        quarter.wrong.append("there was no connection to cut")
                    await connection.close()
                    await asyncio.sleep(0.5)


async def kafka_killed(quarter: Quarter, times: int) -> None:
    """kill -9 of Kafka, and a start at once."""
    async with quarter.coming_in():
        for share in quarter.shares(times):
            await quarter.until(share)
            async with quarter.fault():
                quarter.stack.kill_kafka()
                await asyncio.to_thread(quarter.stack.start_kafka)


async def postgres_frozen(quarter: Quarter, times: int) -> None:
    """PostgreSQL and all its workers keep their connections and say nothing for half a minute, as with a disk that hangs."""
    async with quarter.coming_in():
        for share in quarter.shares(times):
            await quarter.until(share)
            async with quarter.fault():
                quarter.stack.freeze_postgres()
                try:
                    await asyncio.sleep(_AWAY)
                finally:
                    quarter.stack.thaw_postgres()


async def kafka_frozen(quarter: Quarter, times: int) -> None:
    """Kafka keeps its connections and says nothing for half a minute."""
    async with quarter.coming_in():
        for share in quarter.shares(times):
            await quarter.until(share)
            async with quarter.fault():
                quarter.stack.freeze_kafka()
                try:
                    await asyncio.sleep(_AWAY)
                finally:
                    quarter.stack.thaw_kafka()


async def disk_full(quarter: Quarter, times: int) -> None:
    """PostgreSQL's disk has no room left, until somebody makes some; where it ended over that, it is started again."""
    async with quarter.coming_in():
        for share in quarter.shares(times):
            await quarter.until(share)
            ballast = quarter.stack.folder / "postgres" / "ballast"
            async with quarter.fault():
                _fill(ballast)
                try:
                    if not await _refuses(quarter):
                        quarter.wrong.append("PostgreSQL found room on a full disk")
                    await asyncio.sleep(_FULL)
                finally:
                    ballast.unlink()
                await asyncio.to_thread(quarter.stack.start_postgres)


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(b"\0" * 65_536)
    with file.open("ab", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(b"\0" * 512)


async def _refuses(quarter: Quarter) -> bool:
    """Whether a write fails within a while: some room is left in the files that are there."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            async with database(quarter.platform.database_url, "intake") as connection:
                await connection.execute("CREATE TABLE room AS SELECT repeat(md5(n::text), 40) FROM generate_series(1, 20000) n")
                await connection.execute("DROP TABLE room")
        except (asyncpg.PostgresError, OSError, asyncpg.InterfaceError):
            return True
        await asyncio.sleep(0.2)
    return False


@contextmanager
def on_a_small_disk() -> Iterator[Stack]:
    """Servers whose PostgreSQL lies on a file system of its own, of a few hundred megabytes."""
    with TemporaryDirectory(prefix="aftersales-disk-") as folder:
        Path(folder).chmod(0o711)
        disk = Path(folder) / "stack" / "postgres"
        disk.mkdir(parents=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={_ROOM}", "tmpfs", str(disk)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"a full disk needs a file system of its own, and none can be mounted here: {done.stderr.strip()}")
        try:
            with stack(disk.parent, settings=replace(read(), kafka_bootstrap_servers=None, database_url=None, use_docker=False)) as servers:
                yield servers
        finally:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)


async def clock_jumps(quarter: Quarter, times: int) -> None:
    """The wall clock of PostgreSQL and of all services jumps two hours ahead, then two hours behind, then is right again."""
    try:
        async with quarter.coming_in():
            for number, share in enumerate(quarter.shares(times)):
                await quarter.until(share)
                async with quarter.fault():
                    before = await quarter.value("intake", _TIME)
                    _set_clock(("+2h", "-2h", "+0")[number % 3])
                    after = await quarter.value("intake", _TIME)
                    if abs((after - before).total_seconds()) < 3600:
                        quarter.wrong.append(f"PostgreSQL's clock did not jump: {before}, then {after}")
    finally:
        _set_clock("+0")


def _set_clock(ahead: str) -> None:
    clock = Path(os.environ["FAKETIME_TIMESTAMP_FILE"])  # noqa: TID251 - set below, for the processes that have the wrong time
    clock.write_text(f"{ahead}\n", encoding="ascii")


@contextmanager
def with_a_clock_to_set() -> Iterator[Stack]:
    """Servers and services whose PostgreSQL and Python read the wall clock through libfaketime, which a file tells what to say."""
    found = sorted(Path("/").glob(_FAKETIME.lstrip("/")))
    if not found:
        raise RuntimeError("a clock that jumps needs libfaketime, which is not installed here: apt-get install faketime")
    with TemporaryDirectory(prefix="aftersales-clock-") as folder:
        Path(folder).chmod(0o755)
        clock = Path(folder) / "clock"
        clock.write_text("+0\n", encoding="ascii")
        clock.chmod(0o644)
        told = {
            "LD_PRELOAD": str(found[0]),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        with stack(settings=replace(read(), kafka_bootstrap_servers=None, database_url=None, use_docker=False)) as servers:
            servers.kill_postgres()
            os.environ.update(told)  # noqa: TID251 - what PostgreSQL and the services are started with
            try:
                servers.start_postgres()
                yield servers
            finally:
                for name in told:
                    del os.environ[name]  # noqa: TID251 - as above


ROWS = [
    Row("postgres-kill", "PostgreSQL killed (-9)", postgres_killed, runs=3, at_once=3),
    Row("connections", "all connections to PostgreSQL cut, twice in a second", connections_cut, runs=5, at_once=5),
    Row("postgres-away", "PostgreSQL away for 30 s", postgres_away, runs=1, at_once=1),
    Row("postgres-freeze", "PostgreSQL frozen for 30 s (SIGSTOP)", postgres_frozen, runs=1, at_once=1),
    Row("disk-full", "PostgreSQL's disk full for 15 s", disk_full, runs=2, at_once=2, servers=on_a_small_disk),
    Row("kafka-freeze", "Kafka frozen for 30 s (SIGSTOP)", kafka_frozen, runs=1, at_once=1),
    Row("kafka-kill", "Kafka killed (-9)", kafka_killed, runs=3, at_once=3),
    Row("clock", "wall clock + 2 h, then - 2 h, then right again", clock_jumps, runs=3, at_once=3, servers=with_a_clock_to_set),
]
