"""A document that is activated while claims flow: two replicas decide by it from its instant on, without a restart, and decide so again."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer
from tests.faults.kit import Wire, base_of, read_topic, send, settled, until, wire
from typer.testing import CliRunner

from common.kafka import topic_admin
from common.kafka.settings import KafkaSettings
from common.kernel.wall_clock import now
from devstack import Stack
from ops import document
from ops.processes import ServiceProcess, wait_until_ready

pytestmark = pytest.mark.real

TOPIC = "service-request-claims"
CATALOGUE = """\
kind: service-catalogue
name: standard
version: 2
natures:
  repair: {zh: 维修, en: repair, route: work_order, priority: normal}
  cleaning: {zh: 清洗, en: cleaning, route: desk, priority: low}
"""


def asked_for(nature: str, id: str, at: datetime) -> Wire:
    body = {"request_id": id, "customer_id": "K1", "channel": "hotline", "nature": nature, "severity": "low"}
    return wire(TOPIC, "service_request.received", id, f"{id}-received", at, {**body, "region": "north", "product": "boiler"})


@contextmanager
def two_replicas(stack: Stack, folder: Path) -> Iterator[None]:
    replicas = []
    for name in ("0", "1"):
        place = folder / name
        place.mkdir(parents=True)
        replicas.append(ServiceProcess("intake", stack.kafka, stack.database_url, place, {"replica": name}))
    try:
        for one in replicas:
            one.start()
        for one in replicas:
            wait_until_ready(one)
        yield
        assert all(one.is_ready for one in replicas), "also the one that does not read the only partition of the documents"
    finally:
        for one in replicas:
            one.stop()


async def answers(stack: Stack) -> dict[str, tuple[str, str]]:
    """What intake said of each request: registered with which priority, or refused by which rule."""
    found = {}
    for read in await read_topic(stack, "service-requests"):
        found[read.key] = (read.type.rpartition(".")[2], read.body.get("priority") or read.body["rule"])
    return found


async def test_a_document_that_is_activated_while_claims_flow_is_used_from_its_instant_on_by_each_replica(
    tmp_path: Path, fresh_stack: Stack
) -> None:
    stack = fresh_stack
    await topic_admin.apply(KafkaSettings(stack.kafka, "tests"), replication=1)
    file = tmp_path / "catalogue.yaml"
    file.write_text(CATALOGUE, "utf-8")

    def activate(effective: datetime) -> str:
        words = ["activate", str(file), "--effective", effective.isoformat(), "--number", "AS-CAT-2", "--kafka", stack.kafka]
        return CliRunner().invoke(document.app, words).stdout

    with two_replicas(stack, tmp_path / "first"):
        effective = now() + timedelta(minutes=3)
        before = effective - timedelta(microseconds=1)
        flowing = [asked_for("cleaning", f"EARLY{number}", now()) for number in range(200)]
        said, _ = await asyncio.gather(asyncio.to_thread(activate, effective), send(stack, flowing))
        assert said.startswith("Published service-catalogue/standard@2")
        async with base_of(stack, "intake") as base:

            async def is_known() -> bool:
                return bool(await base.one("SELECT count(*) FROM documents WHERE kind = 'service-catalogue' AND version = 2"))

            await until("intake knows the document", is_known)
            later = [asked_for("cleaning", f"AT{number}", effective) for number in range(100)]
            just_before = [asked_for("cleaning", f"BEFORE{number}", before) for number in range(100)]
            gone = [asked_for("consultation", f"GONE{number}", effective) for number in range(20)]
            kept = [asked_for("consultation", f"KEPT{number}", before) for number in range(20)]
            await send(stack, [one for pair in zip(later, just_before, strict=True) for one in pair] + gone + kept)
            await settled(stack, base, [TOPIC])
    first = await answers(stack)
    assert {first[f"AT{number}"] for number in range(100)} == {("registered", "low")}
    assert {first[f"GONE{number}"] for number in range(20)} == {("claim_rejected", "unknown_nature")}
    assert {first[f"KEPT{number}"] for number in range(20)} == {("registered", "low")}
    refused = [*(f"EARLY{number}" for number in range(200)), *(f"BEFORE{number}" for number in range(100))]
    assert {first[id] for id in refused} == {("claim_rejected", "unknown_nature")}

    await _drop(stack)
    with two_replicas(stack, tmp_path / "again"):  # built anew from the topics
        async with base_of(stack, "intake") as base:
            await settled(stack, base, [TOPIC, "reference-documents"])
            shipped = await base.rows("SELECT type FROM outbox WHERE aggregatetype = 'reference-documents'")
    assert shipped == [], "what it ships with stands on the topic already"
    assert await answers(stack) == first
    ids = [read.headers["ce_id"] for read in await read_topic(stack, "service-requests")]
    assert len(ids) == 2 * len(set(ids)), "each decision was made again, under its own id"


async def _drop(stack: Stack) -> None:
    """Intake's database is gone, and its consumer groups begin again."""
    connection = await asyncpg.connect(stack.database_url)
    try:
        await connection.execute("DROP DATABASE intake WITH (FORCE)")
    finally:
        await connection.close()
    for group, topic in (("intake", TOPIC), ("intake-documents", "reference-documents")):
        async with AIOKafkaConsumer(topic, bootstrap_servers=stack.kafka, group_id=group, enable_auto_commit=False) as consumer:
            places = await _assigned(consumer)
            await consumer.commit(dict.fromkeys(places, 0))


async def _assigned(consumer: AIOKafkaConsumer) -> set[object]:
    async def is_assigned() -> bool:
        return bool(consumer.assignment())

    await until("the partitions are assigned", is_assigned)
    return set(consumer.assignment())
