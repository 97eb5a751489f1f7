"""`aftersales topics`: the topics on Kafka held against the topics table, and made so."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from common.runtime import topic_admin
from common.runtime.broker import KafkaSettings
from common.runtime.topic_admin import Difference
from ops.connection import kafka_address
from ops.terminal import KAFKA_SECONDS, JsonOption, KafkaOption, answered, show

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def topics() -> None:
    """Topics on Kafka: what differs from the topics table, and making it so."""


@app.command()
def diff(kafka: KafkaOption = None, json: JsonOption = False) -> None:
    """Show what is missing or different on Kafka; exit 1 when anything is."""
    address = kafka_address(kafka)

    async def compare() -> list[Difference]:
        async with asyncio.timeout(KAFKA_SECONDS):
            return await topic_admin.diff(_settings(address))

    found = answered(compare, kafka=address)
    if found or json:
        show("Not as the topics table says", [asdict(one) for one in found], ("topic", "what", "wanted", "found"), as_json=json)
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
    address = kafka_address(kafka)

    async def make_so() -> list[Difference]:
        async with asyncio.timeout(4 * KAFKA_SECONDS):
            return await topic_admin.apply(_settings(address), replication=replication)

    found = answered(make_so, kafka=address)
    if found or json:
        rows = [{**asdict(one), "done": _done(one)} for one in found]
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


def _settings(address: str) -> KafkaSettings:
    return KafkaSettings(address, "aftersales-topics")
