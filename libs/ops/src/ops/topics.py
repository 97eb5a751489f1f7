"""`aftersales topics`: the topics on Kafka held against the topics table, and made so."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from common.contracts.topics import ENTERPRISE, TOPICS, dead_letter_topics
from common.kafka import topic_admin
from common.kafka.settings import KafkaSettings
from common.kafka.topic_admin import Difference
from ops.connection import kafka_prefix, kafka_settings
from ops.documents.event_pages import groups, kept
from ops.terminal import KAFKA_SECONDS, JsonOption, KafkaOption, answered, show

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def topics() -> None:
    """Topics on Kafka: what differs from the topics table, and making it so."""


@app.command("list")
def list_topics(json: JsonOption = False) -> None:
    """Print what each topic and its readers' groups are called on Kafka, with KAFKA_PREFIX; needs no Kafka."""
    kafka = KafkaSettings("", "", kafka_prefix())
    rows = []
    for topic in TOPICS:
        read_by = [kafka.group(group) for group in groups(topic)] + [ENTERPRISE] * (ENTERPRISE in topic.consumers)
        rows.append(_line(kafka, topic.name, topic.kind, topic.partitions, kept(topic), topic.producers, read_by))
    for name, topic in dead_letter_topics():
        services = [service for service in topic.consumers if service != ENTERPRISE and topic.dead_letters(service) == name]
        rows.append(_line(kafka, name, "dead letters", topic_admin.wanted()[name][0], "90 days", services, [ENTERPRISE]))
    show("Topics", rows, ("on_kafka", "topic", "kind", "partitions", "kept", "written_by", "read_by"), as_json=json)


def _line(
    kafka: KafkaSettings, name: str, kind: str, partitions: int, kept_for: str, written_by: Iterable[str], read_by: Iterable[str]
) -> dict[str, object]:
    return {
        "on_kafka": kafka.topic(name),
        "topic": name,
        "kind": kind,
        "partitions": partitions,
        "kept": kept_for,
        "written_by": ", ".join(written_by),
        "read_by": ", ".join(read_by),
    }


@app.command()
def diff(kafka: KafkaOption = None, json: JsonOption = False) -> None:
    """Show what is missing or different on Kafka; exit 1 when anything is."""
    where = kafka_settings(kafka, "topics")

    async def compare() -> list[Difference]:
        async with asyncio.timeout(KAFKA_SECONDS):
            return await topic_admin.diff(where)

    found = answered(compare, kafka=where.bootstrap_servers)
    if found or json:
        show("Not as the topics table says", [_row(where, one) for one in found], ("topic", "what", "wanted", "found"), as_json=json)
    else:
        typer.echo(f"All {len(topic_admin.wanted())} topics are as the topics table says.")
    raise typer.Exit(1 if found else 0)


@app.command()
def apply(
    kafka: KafkaOption = None,
    replication: Annotated[int, typer.Option(min=1, help="Replicas of each topic that is created; 3 on a cluster.")] = 1,
    json: JsonOption = False,
) -> None:
    """Create what is missing and set what is different; exit 1 when a number of partitions is wrong, which is never changed."""
    where = kafka_settings(kafka, "topics")

    async def make_so() -> list[Difference]:
        async with asyncio.timeout(4 * KAFKA_SECONDS):
            return await topic_admin.apply(where, replication=replication)

    found = answered(make_so, kafka=where.bootstrap_servers)
    if found or json:
        rows = [{**_row(where, one), "done": _done(one)} for one in found]
        show("Applied", rows, ("topic", "what", "wanted", "found", "done"), as_json=json)
    else:
        typer.echo("Nothing to do: all topics are as the topics table says.")
    raise typer.Exit(1 if _left(found) else 0)


def _done(difference: Difference) -> str:
    if difference.what == "topic":
        return "created"
    return "left: keys would change their partition" if difference.what == "partitions" else "set"


def _left(found: Sequence[Difference]) -> bool:
    return any(difference.what == "partitions" for difference in found)


def _row(kafka: KafkaSettings, difference: Difference) -> dict[str, str]:
    return {**asdict(difference), "topic": kafka.topic(difference.topic)}
