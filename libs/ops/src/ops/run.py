"""`aftersales run`: Kafka, PostgreSQL and the four services on this machine until Ctrl-C, with what to type to try them."""

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from common.kafka import topic_admin
from common.kafka.settings import KafkaSettings
from devstack import DevstackError, Stack, stack
from ops import processes
from ops.connection import kafka_prefix
from ops.processes import MOST_REPLICAS, ServiceProcess
from ops.terminal import answered, stop

app = typer.Typer(add_completion=False)

_EXAMPLES = """
Tell complaints that a customer complained, with kcat:

  echo '{{"complaint_id": "C-1", "customer_id": "K-1", "category": "noise", "region": "north", "handled_by": "E1001"}}' |
    kcat -P -b {kafka} -t {prefix}complaint-claims -k C-1 -H ce_specversion=1.0 -H ce_id=hotline-1 -H ce_source=/hotline \\
      -H ce_type=complaint.lodged -H ce_time=$(date -u +%Y-%m-%dT%H:%M:%SZ) -H content-type=application/json

or with Python (any Kafka client will do; this is aiokafka). The answer is on the topic `{prefix}complaints`:

{publish}
Grades need a quarter of events (`aftersales simulate` publishes one) and somebody who closes the cycle:

  at=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  echo '{{"cycle_key": "2026Q3|department-360@1", "cycle": "2026Q3", "scheme": "department-360@1", "as_of": "'$at'"}}' |
    kcat -P -b {kafka} -t {prefix}cycle-claims -k '2026Q3|department-360@1' -H ce_specversion=1.0 -H ce_id=close-1 -H ce_source=/hr \\
      -H ce_type=cycle.close_requested -H ce_time=$at -H content-type=application/json

They are then read with kcat:

  kcat -C -b {kafka} -t {prefix}grade-results -o beginning -f 'key %k\\n%s\\n'

or with Python:

{consume}
"""
_PUBLISH = """\
import asyncio, json
from datetime import datetime, timezone
from aiokafka import AIOKafkaProducer

async def main():
    complaint = {{"complaint_id": "C-2", "customer_id": "K-1", "category": "noise", "region": "north", "handled_by": "E1001"}}
    headers = {{"ce_specversion": "1.0", "ce_id": "hotline-2", "ce_source": "/hotline", "ce_type": "complaint.lodged",
               "ce_time": datetime.now(timezone.utc).isoformat()}}
    async with AIOKafkaProducer(bootstrap_servers="{kafka}") as producer:
        await producer.send_and_wait("{prefix}complaint-claims", json.dumps(complaint).encode(), key=b"C-2",
                                     headers=[(name, value.encode()) for name, value in headers.items()])

asyncio.run(main())
"""
_CONSUME = """\
import asyncio, json
from aiokafka import AIOKafkaConsumer

async def main():
    consumer = AIOKafkaConsumer("{prefix}grade-results", bootstrap_servers="{kafka}", group_id="hr", auto_offset_reset="earliest")
    async with consumer:
        async for record in consumer:  # a grade may come again in a higher version: the highest counts
            grade = json.loads(record.value)
            print(grade["subject"], grade["cycle"], grade["grade"], grade["score"], "version", grade["version"])

asyncio.run(main())
"""


class _Signals:
    """Ctrl-C and SIGTERM: while everything is starting they break the start off, afterwards they only set `asked`."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.starting = True

    def __call__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the end is on its way; a second one would only break it
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.asked.set()
        if self.starting:
            raise KeyboardInterrupt


@contextmanager
def _signals() -> Iterator[_Signals]:
    signals = _Signals()
    before = {number: signal.signal(number, signals) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@app.command()
def run(
    folder: Annotated[Path | None, typer.Option(metavar="DIR", help="Keeps data and logs here; else they go at the end.")] = None,
    replicas: Annotated[int, typer.Option(min=1, max=MOST_REPLICAS, help="So many processes of each service.")] = 1,
) -> None:
    """Run Kafka, PostgreSQL and the four services until Ctrl-C; print their addresses and how to publish an event.

    KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL name servers that run already; those are used and left as they are.
    """
    with _signals() as signals:
        try:
            died = _run(folder, signals, kafka_prefix(), replicas)
        except KeyboardInterrupt:
            stop("Broken off while starting.", 130)
        except DevstackError as problem:
            stop(str(problem))
        except RuntimeError as problem:  # a service that did not become ready; the text ends with its log
            stop(str(problem))
    if died:
        stop(f"{died} ended by itself, so everything was stopped.")
    typer.echo("Stopped.")


def _run(folder: Path | None, signals: _Signals, prefix: str, replicas: int) -> str:
    """Stays until a signal or until a service ends; returns its title, or nothing."""
    typer.echo("Starting Kafka and PostgreSQL …", err=True)
    with stack(folder) as servers:
        kafka = KafkaSettings(servers.kafka, "aftersales-run", prefix)
        answered(lambda: topic_admin.apply(kafka), kafka=servers.kafka)
        typer.echo("Starting the services …", err=True)
        logs = servers.folder / "services"
        with processes.services(servers.kafka, servers.database_url, logs, kafka_prefix=prefix, replicas=replicas) as running:
            signals.starting = False
            typer.echo(told(servers, running, logs, kafka))
            died = ""
            while not died and not signals.asked.wait(0.5):
                died = next((one.title for one in running.values() if one.process is None or one.process.poll() is not None), "")
            if died:
                typer.echo(f"{died} has ended; the end of its log:\n{_end_of(running[died].log)}", err=True)
            typer.echo("Stopping …", err=True)
        return died


def told(servers: Stack, running: Mapping[str, ServiceProcess], logs: Path, kafka: KafkaSettings) -> str:
    """Where everything is, and what to type to try it."""
    lines = [
        f"{servers.kafka_name}: {servers.kafka}",
        f"{servers.postgres_name}: {servers.database_url}",
        *(f"{name}: http://127.0.0.1:{one.port}/metrics" for name, one in running.items()),
        f"logs: {logs}",
        "",
        "For other commands in another terminal:",
        f"  export KAFKA_BOOTSTRAP_SERVERS={servers.kafka} DATABASE_URL={servers.database_url}"
        + (f" KAFKA_PREFIX={kafka.prefix}" if kafka.prefix else ""),
    ]
    where = {"kafka": servers.kafka, "prefix": kafka.prefix}
    examples = _EXAMPLES.format(**where, publish=_PUBLISH.format(**where), consume=_CONSUME.format(**where))
    return "\n".join(lines) + "\n" + examples + "\nCtrl-C stops everything."


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]
