"""Where Kafka and the databases are, for commands that work on a running platform."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import typer
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

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
    """The PostgreSQL server's URL: the option, else DATABASE_URL; ends the command when it is no such URL, without repeating it."""
    found = _one_of(given, "DATABASE_URL", "--database postgresql://USER@HOST:PORT/postgres")
    try:
        is_one = make_url(found).drivername in ("postgresql", "postgres")
    except (ArgumentError, ValueError):
        is_one = False
    if not is_one:
        typer.echo("--database or DATABASE_URL: expected postgresql://USER@HOST:PORT/postgres.", err=True)
        raise typer.Exit(2)
    return found


@asynccontextmanager
async def database(server_url: str, service: str, *, in_one: bool = False, snapshot: bool = False) -> AsyncIterator[AsyncConnection]:
    """A connection to the database of one service, for the functions of `common.store`; a statement takes as long as it takes.

    Each statement is a transaction of its own, unless all are to be `in_one`, or see one `snapshot`, in which the server lets nothing
    be written. Errors of the server are raised as the driver has them.
    """
    engine = create_async_engine(
        make_url(url_of(server_url, service)).set(drivername="postgresql+asyncpg"), poolclass=NullPool, connect_args={"timeout": 10}
    )
    try:
        if in_one:
            async with engine.begin() as connection:
                yield connection
        elif snapshot:
            async with engine.connect() as connection:
                yield await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        else:
            async with engine.connect() as connection:
                yield await connection.execution_options(isolation_level="AUTOCOMMIT")
    except DBAPIError as error:
        raise driver_error(error) from None
    finally:
        await engine.dispose()


def driver_error(error: DBAPIError) -> BaseException:
    """What the driver said: it tells a missing table from a refused password by its type."""
    return (error.orig and error.orig.__cause__) or error


def url_of(server_url: str, service: str) -> str:
    """The URL of the service's own database on the server."""
    return f"{server_url.rpartition('/')[0]}/{service}"


def _one_of(given: str | None, variable: str, option: str) -> str:
    found = given or os.environ.get(variable, "")  # noqa: TID251 - the command line's own owner of these variables
    if not found:
        typer.echo(f"Where? Give {option} or set {variable}.", err=True)
        raise typer.Exit(2)
    return found
