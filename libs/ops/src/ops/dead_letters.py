"""`aftersales dead-letters`: what could not be handled, why, and the way back."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts.envelope import Received, Record
from common.kafka.settings import KafkaSettings
from common.store import dead_letters as letters
from common.store import parked
from ops.connection import database_address, kafka_settings
from ops.databases import ServiceOption, chosen, each_database, listed
from ops.held_back import Held, Letter, as_text, headers_as_text, held_by, letter_of
from ops.redriving import NotSendable, Repair, Result, as_row, prepared, refused, release, seen, send, whole_value
from ops.terminal import DatabaseOption, JsonOption, KafkaOption, answered, bar, console, show, stop

app = typer.Typer(no_args_is_help=True, add_completion=False)

RuleOption = Annotated[str | None, typer.Option("--rule", metavar="RULE", help="All of one rule, such as bad_json, or parked.")]
TopicOption = Annotated[str | None, typer.Option("--topic", metavar="NAME", help="Only what came on this topic.")]
_COLUMNS = ("kind", "service", "id", "place", "rule", "field", "reason", "since", "closed_at")


@app.callback()
def dead_letters() -> None:
    """What the services could not handle: dead letters, parked aggregates, events that wait for an earlier one."""


@app.command("list")
def list_held(
    service: ServiceOption = None,
    topic: TopicOption = None,
    rule: RuleOption = None,
    closed: Annotated[bool, typer.Option("--all", help="Closed letters too.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 200,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """List what is held back: the queue behind `aftersales_dead_letters_open`, oldest first."""
    services, url = chosen(service), database_address(database)

    async def held(name: str, connection: AsyncConnection) -> list[dict[str, Any]]:
        return [_row(one) for one in await held_by(connection, name, topic=topic, rule=rule, closed=closed)]

    found = answered(lambda: listed(url, services, held), database_url=url)
    if not found and not json:
        typer.echo("Nothing is held back.")
        return
    show("Held back", found[:limit], _COLUMNS if closed else _COLUMNS[:-1], as_json=json)
    if len(found) > limit:
        typer.echo(f"… and {len(found) - limit} more; --limit shows them.", err=True)


@app.command("show")
def show_one(
    id: Annotated[str, typer.Argument(metavar="ID", help="From the list: a letter, or a parked aggregate.")],
    save: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the record's value there, to be repaired.")] = None,
    kafka: KafkaOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Show one letter with all that is kept of its record, or what stands behind a parked aggregate."""
    url = database_address(database)

    async def read() -> tuple[Letter | None, list[Record], Held | None]:
        async for name, connection in each_database(url, chosen(None)):
            if (letter := await letter_of(connection, name, id)) is not None:
                return letter, [], letter.held
            for held in await held_by(connection, name, ids=[id]):
                return None, await parked.queue_behind(connection, id), held
        return None, [], None

    letter, queue, held = answered(read, database_url=url)
    if held is None:
        stop(f"Nothing of the id {id} is held back.")
    row = _row(held) | (_record(letter) if letter else {"queue": [_queued(record) for record in queue]})
    if save is not None:
        _save(save, letter, kafka)
    if json:
        show("", [row], (), as_json=True)
        return
    for name, value in row.items():
        if value not in (None, "", []):
            lines = "\n  ".join(value) if isinstance(value, list) else str(value)
            console().print(f"[bold]{name}[/bold]: {escape(lines)}", soft_wrap=True)


@app.command()
def redrive(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID…", help="From the list: letters or parked aggregates.")] = None,
    rule: RuleOption = None,
    service: ServiceOption = None,
    topic: TopicOption = None,
    data: Annotated[Path | None, typer.Option(metavar="FILE", help="The record's new value, for one letter.")] = None,
    header: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A new header; nothing after = takes it away.")] = None,
    key: Annotated[str | None, typer.Option(help="The record's new key.")] = None,
    wait: Annotated[float, typer.Option(metavar="SECONDS", help="How long to wait for what becomes of them.")] = 15,
    kafka: KafkaOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Send letters again, as they were or repaired, and let parked aggregates go on; exit 1 when one fails again.

    A repaired event keeps its id: applied, it closes the letter by itself. What would only be refused again is not sent.
    """
    if bool(ids) == bool(rule):
        stop("Name what to redrive: either IDs or --rule.", 2)
    if (data or header or key is not None) and len(ids or ()) != 1:
        stop("A repair (--data, --header, --key) is for one letter.", 2)
    repair = _repair(data, header or [], key)
    services, url, broker = chosen(service), database_address(database), kafka_settings(kafka, "redrive")

    async def work() -> list[Result]:
        results: list[Result] = []
        left = set(ids or ())
        async for name, connection in each_database(url, services):
            wanted = await held_by(connection, name, topic=topic, rule=rule, closed=bool(ids), ids=ids or None)
            left -= {one.id for one in wanted}
            results += await _redrive(connection, broker, wanted, repair, wait)
        return results + [Result("", id, "refused", "nothing of this id is held back") for id in sorted(left)]

    results = answered(work, kafka=broker.bootstrap_servers, database_url=url)
    if results or json:
        show("Redriven", [as_row(one) for one in results], ("service", "id", "outcome", "note"), as_json=json)
    else:
        typer.echo("Nothing is held back by that rule.")
    raise typer.Exit(1 if any(one.outcome in ("refused", "dead", "parked") for one in results) else 0)


@app.command()
def close(
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="Letters from the list.")],
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Close letters that need no repair, such as noise or an event that came right elsewhere; their rows stay, for `list --all`."""
    url = database_address(database)

    async def closed(_: str, connection: AsyncConnection) -> list[dict[str, Any]]:
        return [{"id": id} for id in await letters.close_by_hand(connection, ids)]

    rows = answered(lambda: listed(url, chosen(None), closed), database_url=url)
    unknown = sorted(set(ids) - {row["id"] for row in rows})
    show("Closed", rows, ("service", "id"), as_json=json)
    if unknown:
        stop(f"No open letters: {', '.join(unknown)}")


async def _redrive(connection: AsyncConnection, kafka: KafkaSettings, wanted: Sequence[Held], repair: Repair, wait: float) -> list[Result]:
    """Letters first, in the order in which their records stood, then parked aggregates; waiting events need nobody."""
    results: list[Result] = []
    ready: list[tuple[Letter, Received]] = []
    for held in sorted((one for one in wanted if one.kind == "letter"), key=lambda one: (one.topic, one.partition, one.offset)):
        letter = await letter_of(connection, held.service, held.id)
        assert letter is not None  # it was listed a moment ago, and letters are never deleted
        try:
            ready.append((letter, await prepared(connection, kafka, letter, repair)))
        except NotSendable as problem:
            results.append(refused(letter, problem))
    sent = await send(kafka, [event for _, event in ready]) if ready else []
    held_aggregates = [one for one in wanted if one.kind == "parked"]
    with bar("waiting for the services", len(ready) + len(held_aggregates)) as step:
        end = time.monotonic() + wait
        for (letter, event), record in zip(ready, sent, strict=True):
            results.append(await seen(connection, letter, event, record, end))
            step(1)
        for held in held_aggregates:
            results.append(await release(connection, held.service, held.id, time.monotonic() + wait))
            step(1)
    waiting = [one for one in wanted if one.kind == "waiting"]
    return results + [Result(one.service, one.id, "waiting", f"goes on by itself; {one.reason}") for one in waiting]


def _save(file: Path, letter: Letter | None, kafka: str | None) -> None:
    if letter is None:
        stop("Only a letter's record can be saved.")
    try:
        file.write_bytes(_whole(letter, kafka) if letter.truncated else letter.raw)
    except NotSendable as problem:
        stop(f"Not saved: {problem}")
    except OSError as problem:
        stop(f"--save {file}: {problem.strerror}", 2)


def _whole(letter: Letter, kafka: str | None) -> bytes:
    broker = kafka_settings(kafka, "redrive")
    return answered(lambda: whole_value(broker, letter), kafka=broker.bootstrap_servers)


def _repair(data: Path | None, headers: Sequence[str], key: str | None) -> Repair:
    try:
        value = None if data is None else data.read_bytes()
    except OSError as problem:
        stop(f"--data {data}: {problem.strerror}", 2)
    pairs = dict(one.partition("=")[::2] for one in headers)
    if any("=" not in one for one in headers):
        stop("--header is NAME=VALUE, such as ce_id=hotline-17.", 2)
    return Repair(value, pairs, key)


def _row(held: Held) -> dict[str, Any]:
    return asdict(held) | {"place": held.place}


def _record(letter: Letter) -> dict[str, Any]:
    return {
        "sha256": letter.sha256,
        "kept": "all of it" if not letter.truncated else f"the first {len(letter.raw)} of {letter.size} bytes",
        "key": as_text(letter.key),
        "headers": [f"{name}={text}" for name, text in headers_as_text(letter.headers)],
        "value": as_text(letter.raw),
    }


def _queued(record: Record) -> str:
    headers = dict(headers_as_text(record.headers))
    return f"{record.topic}/{record.partition}/{record.offset} {headers.get('ce_type', '')} {headers.get('ce_id', '')}"
