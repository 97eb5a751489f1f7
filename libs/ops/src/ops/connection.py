"""Where Kafka and the databases are, for commands that work on a running platform."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import typer

from common.kafka.settings import KafkaSettings, valid_prefix


def kafka_settings(given: str | None, client: str) -> KafkaSettings:
    """Kafka: the option, else KAFKA_BOOTSTRAP_SERVERS; KAFKA_PREFIX stands before every name there. Ends the command when it is nowhere."""
    return KafkaSettings(_one_of(given, "KAFKA_BOOTSTRAP_SERVERS", "--kafka HOST:PORT"), f"aftersales-{client}", kafka_prefix())


def kafka_prefix() -> str:
    """What stands before every name on Kafka, by KAFKA_PREFIX; ends the command when Kafka would take no such name."""
    try:
        return valid_prefix(os.environ.get("KAFKA_PREFIX", ""))  # noqa: TID251 - the command line's own owner of this variable
    except ValueError as problem:
        typer.echo(str(problem), err=True)
        raise typer.Exit(2) from None


def database_address(given: str | None) -> str:
    """The PostgreSQL server's URL: the option, else DATABASE_URL."""
    return _one_of(given, "DATABASE_URL", "--database postgresql://USER@HOST:PORT/postgres")


@asynccontextmanager
async def database(server_url: str, service: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the database of one service."""
    connection = await asyncpg.connect(url_of(server_url, service), timeout=10)
    try:
        yield connection
    finally:
        await connection.close()


def url_of(server_url: str, service: str) -> str:
    """The URL of the service's own database on the server."""
    return f"{server_url.rpartition('/')[0]}/{service}"


def _one_of(given: str | None, variable: str, option: str) -> str:
    found = given or os.environ.get(variable, "")  # noqa: TID251 - the command line's own owner of these variables
    if not found:
        typer.echo(f"Where? Give {option} or set {variable}.", err=True)
        raise typer.Exit(2)
    return found
