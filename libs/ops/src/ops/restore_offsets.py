"""`aftersales restore-offsets`: a service reads on from where its database stands, after that was restored from a backup."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as ClusterPartition

from common.contracts.groups import groups_of
from common.kafka.log_reader import Log, LogReader
from common.kafka.records import TopicPartition
from common.kafka.settings import KafkaSettings
from common.kernel.errors import Transient
from common.store import holes, positions
from ops.connection import database as open_database
from ops.connection import database_address, kafka_settings
from ops.consumer_groups import groups
from ops.databases import chosen
from ops.terminal import DatabaseOption, JsonOption, KafkaOption, answered, show

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True)
class Change:
    """One partition: where its group would have gone on, and where it does now."""

    group: str
    topic: str
    partition: int
    old: int | None
    new: int
    note: str = ""


@app.command("restore-offsets")
def restore_offsets(
    service: Annotated[str, typer.Option(metavar="NAME", help="Whose groups; the service must not run.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be set.")] = False,
    kafka: KafkaOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Set the offsets of all consumer groups of a service to what its database has handled.

    For a database that was restored from a backup: what the service had handled since comes again, and it decides the same again.
    """
    (name,), broker, url = chosen(service), kafka_settings(kafka, "restore-offsets"), database_address(database)
    changes = answered(lambda: _restore(broker, url, name, dry_run=dry_run), kafka=broker.bootstrap_servers, database_url=url)
    title = f"{name}: {'would be set' if dry_run else 'set'} to what its database has handled"
    show(title, [asdict(change) for change in changes], ("group", "topic", "partition", "old", "new", "note"), as_json=json)


async def _restore(kafka: KafkaSettings, url: str, service: str, *, dry_run: bool) -> list[Change]:
    names = {group: [topic.name for topic in topics] for group, topics in groups_of(service).items()}
    for found in await groups(kafka, names):
        if found.members and not dry_run:
            raise Transient(
                f"The group {found.name} has {found.members} members: stop every replica of {service} first. One that was killed "
                "counts until its session ends."
            )
    async with open_database(url, service) as connection:
        handled = await positions.next_offsets(connection)
        reader = LogReader(kafka, names)
        try:
            logs = await reader.look()
        finally:
            await reader.close()
        changes = [
            change_of(group, place, handled.get(place, 0), log)
            for group, topics in names.items()
            for place, log in sorted(logs.items())
            if place[0] in topics
        ]
        if not dry_run:
            for group in names:
                await _commit(kafka, group, [change for change in changes if change.group == group])
            await positions.sought(connection)
            await holes.end_skipped(connection, by="restore-offsets", reason="the group was set back to the database")
    return changes


def change_of(group: str, place: TopicPartition, position: int, log: Log) -> Change:
    """What is set for one partition: its position, or the nearest offset that the log has, and then what is missing."""
    new = min(max(position, log.start), log.end)
    note = ""
    if position < log.start:
        note = f"the log begins only here: {log.start - position} records are gone, and the service will say so"
    elif position > log.end:
        note = f"the log ends here: {position - log.end} records that were handled are gone, and the service will say so"
    return Change(group, *place, old=log.committed, new=new, note=note)


async def _commit(kafka: KafkaSettings, group: str, changes: Sequence[Change]) -> None:
    offsets = {ClusterPartition(kafka.topic(change.topic), change.partition): change.new for change in changes}
    async with AIOKafkaConsumer(**kafka.client(), group_id=kafka.group(group), enable_auto_commit=False) as consumer:
        consumer.assign(list(offsets))
        await consumer.commit(offsets)
