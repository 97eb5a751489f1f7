"""`aftersales holes`: records that Kafka lost before a service had read them, and a person's word that the service may go on without."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from common.contracts.topics import BY_NAME
from common.store import holes as log_holes
from ops.connection import database as open_database
from ops.connection import database_address
from ops.databases import ServiceOption, chosen, listed
from ops.terminal import DatabaseOption, JsonOption, answered, show, stop

app = typer.Typer(no_args_is_help=True, add_completion=False)

_COLUMNS = ("topic", "partition", "kind", "position_before", "position_after", "found_at", "ended_at", "ended_by", "reason")


@app.callback()
def holes() -> None:
    """Records that are missing on Kafka, or would never be read: what a service waits for, and how it goes on."""


@app.command("list")
def list_holes(
    service: ServiceOption = None,
    ended: Annotated[bool, typer.Option("--all", help="Also those that have ended, with who ended them and why.")] = False,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Show the holes that are open; while one is, no timer of its service fires and no cycle closes."""
    services, url = chosen(service), database_address(database)
    rows = answered(lambda: listed(url, services, lambda _, connection: log_holes.listed(connection, ended=ended)), database_url=url)
    if rows or json:
        show("Holes", rows, ("service", *(_COLUMNS if ended else _COLUMNS[:6])), as_json=json)
    else:
        typer.echo("No hole is open.")


@app.command()
def accept(
    service: Annotated[str, typer.Option(metavar="NAME", help="Whose holes.")],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who decides it; kept with the hole.")],
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="What was found out, and what was done about the records; kept with the hole.")
    ],
    topic: Annotated[str | None, typer.Option(help="Only those of this topic.")] = None,
    partition: Annotated[int | None, typer.Option(help="Only that of this partition.")] = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Let a service go on without the records: its timers fire and its cycles close again as soon as it has read what there is.

    Say it when the records have been sent again, or when nobody has them any more.
    """
    (name,), url = chosen(service), database_address(database)
    if not by.strip() or not reason.strip():
        stop("--by and --reason say who decided and why; neither may be empty.", 2)
    if topic is not None and topic not in BY_NAME:
        stop(f"There is no topic {topic!r}; `aftersales holes list` shows where the holes are.", 2)

    async def end() -> list[Mapping[str, Any]]:
        async with open_database(url, name) as connection:
            return await log_holes.accept(connection, by=by.strip(), reason=reason.strip(), topic=topic, partition=partition)

    rows = answered(end, database_url=url)
    if rows or json:
        show(f"Accepted by {by}", rows, _COLUMNS[:5], as_json=json)
    else:
        typer.echo(f"{name} has no open hole there.")
