"""Two installations on one Kafka, told apart by nothing but the prefix of their names: neither sees the other."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from pydantic import ValidationError
from tests.databases import database
from typer.testing import CliRunner

from appraisal.app import build
from appraisal.settings import Settings
from common.contracts.topics import BY_NAME, TOPICS, dead_letter_topics
from common.kafka import topic_admin
from common.kafka.settings import KafkaSettings
from common.runtime.settings import ServiceSettings
from devstack import Stack, open_stack
from devstack.settings import read
from ops import dead_letters, doctor, topics
from ops.platform import Platform
from ops.processes import ServiceProcess, services
from ops.publishing import publish
from ops.simulation.claims import Sent
from ops.simulation.quarter import Plan, simulate

NORTH, SOUTH = "north.aftersales-", "south_"
SERVICES = ("intake", "complaints", "appraisal")
"""One that tells another what to do, and one that also reads a topic in bulk."""
NAMES = {*BY_NAME, *(name for name, _ in dead_letter_topics())}


@dataclass(frozen=True, slots=True)
class Installation:
    """One of the two: where it is and what runs of it."""

    platform: Platform
    running: Mapping[str, ServiceProcess]

    async def call(self, app: Any, *words: str) -> tuple[int, str]:
        """Exit status and output of one command, with the addresses in its environment as an operator has them."""
        environment = {**self.platform.environment(), "COLUMNS": "200"}
        found = await asyncio.to_thread(CliRunner().invoke, app, list(words), env=environment)
        return found.exit_code, found.output


@asynccontextmanager
async def installed(servers: Stack, prefix: str, folder: Path) -> AsyncIterator[Installation]:
    """Topics and services under a prefix, running."""
    platform = Platform(servers.kafka, servers.database_url, SERVICES, prefix)
    await topic_admin.apply(platform.settings)
    with services(servers.kafka, servers.database_url, folder, SERVICES, kafka_prefix=prefix) as running:
        yield Installation(platform, running)


@pytest.mark.real
async def test_two_installations_share_one_kafka_and_do_not_see_each_other(fresh_stack: Stack, tmp_path: Path) -> None:
    # each installation has a PostgreSQL of its own: a database is called as its service is
    beside = open_stack(settings=replace(read(), kafka_bootstrap_servers=fresh_stack.kafka, database_url=None))
    try:
        async with installed(fresh_stack, NORTH, tmp_path / "north") as north, installed(beside, SOUTH, tmp_path / "south") as south:
            claims = [claim for claim in simulate(Plan(seed=3, cases=30)) if BY_NAME[claim.topic].consumers[0] in SERVICES]
            await publish(north.platform.settings, [*claims, _unreadable(claims)])
            await north.platform.settled()

            _works_as_anywhere(await north.platform.counts(), len(claims))
            await _has_read_nothing_but_documents(south)
            await _has_all_its_names_under_a_prefix(north.platform.settings)
            await _tells_which_it_is(north, south)
            await _is_not_disturbed_by_what_the_other_lacks(north, south)
            await _mends_its_own_letter(north, claims, tmp_path)
            await _has_read_nothing_but_documents(south)
    finally:
        beside.stop()


def _unreadable(claims: Sequence[Sent]) -> Sent:
    first = next(claim for claim in claims if claim.topic == "complaint-claims")
    return replace(first, value=b"{", headers=tuple((name, b"broken" if name == "ce_id" else raw) for name, raw in first.headers))


def _works_as_anywhere(counts: Mapping[str, Mapping[str, int]], claims: int) -> None:
    assert sum(found["applied"] for found in counts.values()) > claims, "the claims, and what follows from them, facts in bulk too"
    assert min(found["published"] for found in counts.values()) > 0
    assert {service: found["dead_letters"] for service, found in counts.items()} == {"intake": 0, "complaints": 1, "appraisal": 0}
    assert {service: found["lag"] for service, found in counts.items()} == dict.fromkeys(SERVICES, 0)


async def _has_read_nothing_but_documents(south: Installation) -> None:
    """Each service of it has only read what the others of it ship with."""
    for service in SERVICES:
        async with database(south.platform.database_url, service) as connection:
            read = {row["topic"] for row in await connection.fetch("SELECT topic FROM consumer_progress WHERE events_in > 0")}
            said = {row["topic"] for row in await connection.fetch("SELECT aggregatetype AS topic FROM outbox")}
            assert read | said == {"reference-documents"}
            assert await connection.fetchval("SELECT count(*) FROM dead_letters") == 0


async def _has_all_its_names_under_a_prefix(kafka: KafkaSettings) -> None:
    admin = AIOKafkaAdminClient(**kafka.client())
    await admin.start()
    try:
        found = {name for name in await admin.list_topics() if not name.startswith("__")}
        assert found == {prefix + name for prefix in (NORTH, SOUTH) for name in NAMES}
        groups = {
            prefix + group
            for prefix in (NORTH, SOUTH)
            for group in (*SERVICES, *(f"{name}-documents" for name in SERVICES), "appraisal-facts")
        }
        assert {group for group, *_ in await admin.list_consumer_groups()} == groups
    finally:
        await admin.close()


async def _tells_which_it_is(north: Installation, south: Installation) -> None:
    for one, prefix in ((north, NORTH), (south, SOUTH)):
        _, text = one.running["complaints"].get("/metrics")
        assert f'aftersales_kafka_prefix_info{{prefix="{prefix}",service="complaints"}} 1.0' in text
        assert 'aftersales_consumer_lag_records{partition="0",service="complaints",topic="complaint-claims"}' in text, "without prefix"
        _, listed = await one.call(topics.app, "list", "--json")
        assert f'"on_kafka": "{prefix}complaint-claims"' in listed
        assert f"{prefix}appraisal-facts" in listed
        status, told = await one.call(doctor.app)
        assert f"all {len(NAMES)} as the topics table says" in told
        assert status == 1, "dispatch does not run here"


async def _is_not_disturbed_by_what_the_other_lacks(north: Installation, south: Installation) -> None:
    kafka = south.platform.settings
    admin = AIOKafkaAdminClient(**kafka.client())
    await admin.start()
    try:
        await admin.delete_topics([kafka.topic("work-orders")])
        other = {**topic_admin.wanted()["complaints"][1], "retention.ms": "1000"}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, kafka.topic("complaints"), configs=other)])
    finally:
        await admin.close()
    assert (await north.call(topics.app, "diff"))[0] == 0
    assert await north.call(topics.app, "apply") == (0, "Nothing to do: all topics are as the topics table says.\n")
    status, told = await south.call(topics.app, "diff")
    assert status == 1
    assert f"{SOUTH}work-orders" in told
    assert "retention.ms" in told


async def _mends_its_own_letter(north: Installation, claims: Sequence[Sent], folder: Path) -> None:
    async with database(north.platform.database_url, "complaints") as connection:
        letter = await connection.fetchrow("SELECT id, topic FROM dead_letters")
        assert letter["topic"] == "complaint-claims", "tables have the name of the topics table"
        good = folder / "good.json"
        good.write_bytes(next(claim for claim in claims if claim.topic == "complaint-claims").value)
        status, told = await north.call(dead_letters.app, "redrive", letter["id"], "--data", str(good))
        assert (status, "applied" in told) == (0, True), told
        assert await connection.fetchval("SELECT count(*) FROM dead_letters WHERE closed_at IS NULL") == 0


def test_clients_groups_members_and_topics_of_a_service_begin_with_the_prefix() -> None:
    told = {"KAFKA_BOOTSTRAP_SERVERS": "k:1", "DATABASE_URL": "postgresql://d", "KAFKA_PREFIX": NORTH}
    chassis = build(Settings.model_validate(told)).chassis
    assert chassis.kafka.client()["client_id"].startswith(f"{NORTH}appraisal-")
    subscribers: Any = chassis.broker.subscribers
    assert len(subscribers) == 3
    for subscriber in subscribers:
        member = subscriber._connection_args["group_instance_id"]
        names = [subscriber.group_id, member, *subscriber.topic_names]
        assert [name for name in names if not name.startswith(NORTH)] == []


@pytest.mark.parametrize("prefix", ["north aftersales.", "north/", "nörd-", "n" * 101, "north\n"])
def test_a_prefix_that_kafka_would_not_take_is_refused_by_services_and_commands(prefix: str) -> None:
    with pytest.raises(ValidationError, match=r"KAFKA_PREFIX[\s\S]*letters, digits"):
        ServiceSettings.model_validate({"KAFKA_BOOTSTRAP_SERVERS": "k:1", "DATABASE_URL": "d", "KAFKA_PREFIX": prefix})
    found = CliRunner().invoke(topics.app, ["diff", "--kafka", "127.0.0.1:1"], env={"KAFKA_PREFIX": prefix})
    assert found.exit_code == 2
    assert "letters, digits" in found.output


def test_no_name_of_ours_is_the_end_of_another_one_so_that_no_two_prefixes_meet() -> None:
    clashes = [(one, other) for one in NAMES for other in NAMES if one != other and one.endswith(other)]
    assert not clashes
    assert max(map(len, NAMES)) + 100 <= 249, "the longest name that Kafka takes"
    assert len(TOPICS) < len(NAMES)
