"""`aftersales simulate`: a seeded quarter of service for a department, published to Kafka or written as JSON lines."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from common.contracts.topics import TOPICS
from ops.connection import kafka_settings
from ops.publishing import publish
from ops.simulation.claims import Sent
from ops.simulation.quarter import Plan
from ops.simulation.quarter import simulate as play
from ops.terminal import answered

app = typer.Typer(add_completion=False)


@app.command()
def simulate(
    seed: Annotated[int, typer.Option(help="The same seed gives the same quarter.")] = 7,
    cycle: Annotated[str, typer.Option(help="A quarter of 2026 that is over.")] = "2026Q3",
    staff: Annotated[int, typer.Option(help="How many people work in the department.")] = 30,
    cases: Annotated[int, typer.Option(help="How many customers call or complain.")] = 400,
    out: Annotated[Path | None, typer.Option(help="Write JSON lines here instead of publishing.")] = None,
    kafka: Annotated[str | None, typer.Option(help="Bootstrap servers; else KAFKA_BOOTSTRAP_SERVERS.")] = None,
) -> None:
    """Simulate a quarter of service: customers, work, complaints, surveys, ratings. Nothing in it is real."""
    sent = play(Plan(seed, cycle, staff, cases))
    if out is not None:
        out.write_text("".join(_line(record) for record in sent), encoding="utf-8")
    else:
        where = kafka_settings(kafka, "simulate")
        answered(lambda: publish(where, sent, total=len(sent), what="simulated claims"), kafka=where.bootstrap_servers)
    for line in _summary(sent):
        typer.echo(line, err=True)
    typer.echo(f"{len(sent)} claims of {cases} cases in {cycle}, seed {seed}", err=True)


def _summary(sent: Sequence[Sent]) -> Iterator[str]:
    """How many claims of each type were made, and which types the simulation does not know."""
    counts = Counter(dict(record.headers)["ce_type"].decode() for record in sent)
    types = [event.TYPE for topic in TOPICS if topic.kind == "claims" for event in topic.events]
    yield from (f"{counts[type]:>6} {type}" for type in types if counts[type])
    yield f"not simulated: {', '.join(type for type in types if not counts[type])}"


def _line(record: Sent) -> str:
    attributes = {name: value.decode() for name, value in record.headers}
    return json.dumps({"topic": record.topic, "key": record.key, "headers": attributes, "data": json.loads(record.value)}) + "\n"


def run(arguments: list[str]) -> int:
    """The command for the shell."""
    app(args=arguments, prog_name="aftersales simulate", standalone_mode=True)
    return 0
