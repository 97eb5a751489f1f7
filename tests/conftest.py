"""The real servers that the tests share, and how long the tests count."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from tests.counted import PROOF

from common.contracts.topics import SERVICES
from devstack import Stack, open_stack
from devstack.settings import read

_USED = pytest.StashKey[Stack]()
_NAMES = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The Kafka and PostgreSQL of this run; its topics are everybody's, its databases come from `database`."""
    running = open_stack()
    request.config.stash[_USED] = running
    yield running
    running.stop(keep_logs=bool(request.session.testsfailed))


@pytest.fixture
def fresh_stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A Kafka without topics and a PostgreSQL without databases for one test, which may kill them: never those that were given."""
    failed = request.session.testsfailed
    running = open_stack(settings=replace(read(), kafka_bootstrap_servers=None, database_url=None))
    request.config.stash[_USED] = running
    yield running
    running.stop(keep_logs=request.session.testsfailed > failed)


@pytest.fixture
async def clean_stack(stack: Stack) -> AsyncIterator[Stack]:
    """The servers of this run without a database of any service, for one test that runs services under their own names."""
    await _without_services(stack)
    yield stack
    await _without_services(stack)


@pytest.fixture
async def database(databases: Callable[[], Awaitable[str]]) -> str:
    """The URL of an empty database for one test, for asyncpg."""
    return await databases()


@pytest.fixture
async def databases(stack: Stack) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """Makes one empty database after the other for one test, and tells its URL."""
    names: list[str] = []

    async def make() -> str:
        names.append(f"test_{secrets.token_hex(6)}")
        await _execute(stack.database_url, f'CREATE DATABASE "{names[-1]}"')
        return stack.url_of(names[-1])

    yield make
    for name in names:
        await _execute(stack.database_url, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def proof() -> bool:
    """Whether this is `make proof`, which counts long; `make test` runs the same tests in their short form."""
    return PROOF


async def _without_services(stack: Stack) -> None:
    for name in SERVICES:
        await _execute(stack.database_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker tells the process that prints which servers its tests ran on."""
    used = session.config.stash.get(_USED, None)
    if used and (output := getattr(session.config, "workeroutput", None)) is not None:
        output["servers"] = _names(used)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Keeps what a worker told."""
    if servers := getattr(node, "workeroutput", {}).get("servers"):
        node.config.stash[_NAMES] = servers


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Names the servers that the tests ran on."""
    used = config.stash.get(_USED, None)
    if names := _names(used) if used else config.stash.get(_NAMES, None):
        terminalreporter.write_line(f"Ran on {names}.")


def _names(used: Stack) -> str:
    return f"{used.kafka_name} and {used.postgres_name}"
