"""What commands on a running platform have in common: a table or its JSON, a bar while one waits, one line when a server is away."""

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, NoReturn, TypeVar
from urllib.parse import urlsplit

import asyncpg
import typer
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from sqlalchemy.exc import DBAPIError

from common.kernel.errors import Transient
from ops.connection import driver_error

Found = TypeVar("Found")

KafkaOption = Annotated[str | None, typer.Option("--kafka", metavar="HOST:PORT", help="Kafka; else KAFKA_BOOTSTRAP_SERVERS.")]
DatabaseOption = Annotated[str | None, typer.Option("--database", metavar="URL", help="The PostgreSQL server; else DATABASE_URL.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]

KAFKA_SECONDS = 15
"""How long one exchange with Kafka may take before it counts as away."""
_WIDE = 220  # a table that goes to a file or a pipe is not folded


def stop(text: str, status: int = 1) -> NoReturn:
    """Ends the command with one line on standard error."""
    typer.echo(text, err=True)
    raise typer.Exit(status)


def console() -> Console:
    """Standard output, as wide as it is; wide enough for whole ids where nobody looks."""
    return Console() if sys.stdout.isatty() else Console(width=_WIDE)


def show(title: str, rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Prints rows: all of their members as a JSON array, or `columns` of them as a table."""
    if as_json:
        typer.echo(json.dumps([dict(row) for row in rows], default=_text, ensure_ascii=False, indent=2))
        return
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold", no_wrap=column == "id")  # ids are there to be copied
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    console().print(table)


def _cell(value: Any) -> str:
    return "" if value is None else _text(value).replace("[", r"\[")


def _text(value: Any) -> str:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else str(value)


@contextmanager
def bar(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on standard error that goes when the block ends; calling it adds so many."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda number: progress.advance(task, number)


def answered(work: Callable[[], Awaitable[Found]], *, kafka: str = "", database_url: str = "") -> Found:
    """What `work` returns; a server that is away or refuses ends the command with one line and exit 1."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it would tell the same in a dozen lines
    try:
        return asyncio.run(_awaited(work))
    except KafkaError as problem:
        stop(f"Kafka at {kafka} is down, or refuses this client ({type(problem).__name__}).")
    except Transient as problem:
        stop(str(problem))
    except asyncpg.InvalidCatalogNameError as problem:
        stop(f"PostgreSQL at {place_of(database_url)}: {problem}; a service makes its database when it first starts.")
    except asyncpg.UndefinedTableError as problem:
        stop(f"PostgreSQL at {place_of(database_url)}: {problem}; a service makes its tables when it first starts.")
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as problem:
        stop(f"PostgreSQL at {place_of(database_url)} refuses: {problem}")
    except (OSError, TimeoutError) as problem:
        stop(f"{_who(kafka, database_url)} does not answer ({type(problem).__name__}).")


async def _awaited(work: Callable[[], Awaitable[Found]]) -> Found:
    try:
        return await work()
    except DBAPIError as error:
        raise driver_error(error) from None


def place_of(database_url: str) -> str:
    """Host and port of the server, without its password."""
    parts = urlsplit(database_url)
    return f"{parts.hostname}:{parts.port or 5432}"


def _who(kafka: str, database_url: str) -> str:
    return f"PostgreSQL at {place_of(database_url)}" if database_url else f"Kafka at {kafka}"
