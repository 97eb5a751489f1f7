"""`aftersales outbox`: what the services have decided and sent, and sending it again."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from common.contracts.envelope import instant_text, parse_instant
from common.contracts.topics import BY_NAME, dead_letter_topics
from common.kernel.errors import Malformed
from common.store import outbox as decided
from common.store import parked
from ops.connection import database as open_database
from ops.connection import database_address
from ops.databases import ServiceOption, chosen, listed
from ops.terminal import DatabaseOption, JsonOption, answered, bar, show, stop

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def outbox() -> None:
    """What the services have decided: on Kafka, or still on its way there."""


@app.command("list")
def list_outbox(
    service: ServiceOption = None,
    refused: Annotated[bool, typer.Option("--refused", help="Each event that Kafka will not take.")] = False,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Show by service and topic what is not on Kafka yet, what Kafka will not take, and since when what was sent is kept."""
    services, url = chosen(service), database_address(database)
    read = decided.refused if refused else decided.by_topic
    rows = answered(lambda: listed(url, services, lambda _, connection: read(connection)), database_url=url)
    columns = ("service", "topic", "unpublished", "refused", "oldest_unpublished", "published", "published_since", "last_published")
    if refused:
        columns = ("service", "id", "topic", "type", "aggregate", "reason", "bytes", "decided")
    show("Refused by Kafka" if refused else "Outbox", rows, columns, as_json=json)


@app.command()
def retry(
    ids: Annotated[list[int], typer.Argument(metavar="ID", help="As `aftersales outbox list --refused` shows them.")],
    service: Annotated[str, typer.Option(metavar="NAME", help="Whose events.")],
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Send events again that Kafka would not take, after the cause was mended; their cases go on behind them."""
    (name,), url = chosen(service), database_address(database)

    async def again() -> list[Mapping[str, Any]]:
        async with open_database(url, name, in_one=True) as connection:
            rows = await decided.retry(connection, ids)
            await parked.ask_redrive_for(connection, [row["aggregate"] for row in rows], decided.UNSENDABLE)
            return rows

    rows = answered(again, database_url=url)
    show(f"{len(rows)} of {len(ids)} events of {name} go out again", rows, ("id", "topic", "aggregate"), as_json=json)
    if missing := sorted(set(ids) - {row["id"] for row in rows}):
        stop(f"{name} has no refused event {', '.join(map(str, missing))}.", 1)


@app.command()
def republish(
    service: Annotated[str, typer.Option(metavar="NAME", help="Whose events.")],
    since: Annotated[str, typer.Option(metavar="INSTANT", help="Sent at or after this instant, such as 2026-07-01T09:00:00+08:00.")],
    topic: Annotated[str | None, typer.Option(help="Only those of this topic.")] = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Send again what was sent at or after an instant, with the same ids: for a Kafka that has lost records.

    Whoever has an event already takes the second one for a duplicate. Within a key the order is the old one.
    """
    (name,), url = chosen(service), database_address(database)
    try:
        instant = parse_instant(since, field="--since")
    except Malformed as problem:
        stop(str(problem), 2)
    if topic is not None and topic not in {*BY_NAME, *(letters for letters, _ in dead_letter_topics())}:
        stop(f"There is no topic {topic!r}; `aftersales outbox list` shows those of a service.", 2)

    async def again() -> list[Mapping[str, Any]]:
        async with open_database(url, name) as connection:
            oldest = await decided.oldest_sent(connection)
            if oldest is None or oldest > instant:
                kept = "nothing" if oldest is None else f"what was sent since {instant_text(oldest)}"
                typer.echo(f"{name} still keeps {kept}; anything older cannot be sent again from here.", err=True)
            with bar(f"taking {name}'s events back", None):
                return await decided.republish(connection, instant, topic)

    rows = answered(again, database_url=url)
    if rows or json:
        show(f"{sum(row['events'] for row in rows)} events of {name} go out again", rows, ("topic", "events"), as_json=json)
    else:
        typer.echo(f"{name} has sent nothing since {instant_text(instant)}.")
