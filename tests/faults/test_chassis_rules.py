"""The rules that every service stands on: settings of subscribers that are refused, members that join, order that is kept."""

import asyncio
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from tests.faults.kit import Counts, Wire, base_of, claim, complaints_here, lodged, read_topic, send, settled, until

from common.contracts.envelope import Record
from common.contracts.topics import SERVICES
from common.kafka import topic_admin
from common.kafka.broker import Broker, KafkaSettings, check, subscribe
from common.runtime.service import Application
from common.store import positions
from devstack import Stack
from ops.processes import ServiceProcess, wait_until_ready

TOPIC = "complaint-claims"
RIGHT: dict[str, Any] = {
    "batch": True,
    "group_id": "g",
    "ack_policy": AckPolicy.NACK_ON_ERROR,
    "auto_offset_reset": "earliest",
}


async def handle(_: Any) -> None:
    """Takes anything."""


def a_broker(**changes: Any) -> KafkaBroker:
    """A broker of FastStream's own with one subscriber, right but for the changes; a change to None leaves a setting to its default."""
    broker = KafkaBroker("127.0.0.1:1", logger=None)
    settings = {name: value for name, value in {**RIGHT, **changes}.items() if value is not None}
    broker.subscriber("topic", **settings)(handle)
    return broker


def test_a_subscriber_with_the_right_settings_passes() -> None:
    check(a_broker())


@pytest.mark.filterwarnings("ignore:AckPolicy.REJECT_ON_ERROR has the same effect")  # FastStream's own advice about this one
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ack_policy": None}, "NACK_ON_ERROR"),
        ({"ack_policy": AckPolicy.ACK_FIRST}, "NACK_ON_ERROR"),
        ({"ack_policy": AckPolicy.ACK}, "NACK_ON_ERROR"),
        ({"ack_policy": AckPolicy.REJECT_ON_ERROR}, "NACK_ON_ERROR"),
        ({"ack_policy": AckPolicy.MANUAL}, "NACK_ON_ERROR"),
        ({"auto_offset_reset": None}, "earliest"),
        ({"auto_offset_reset": "latest"}, "earliest"),
        ({"auto_offset_reset": "none"}, "earliest"),
        ({"batch": None}, "batches"),
        ({"batch": None, "max_workers": 4}, "batches"),
        ({"group_id": None, "ack_policy": None}, "group"),
    ],
)
def test_a_subscriber_with_a_wrong_setting_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check(a_broker(**changes))


async def test_a_broker_with_a_wrong_subscriber_does_not_start() -> None:
    broker = Broker(KafkaSettings("127.0.0.1:1", "tests"))
    subscribe(broker, ["topic"], group="g", replica="0", max_records=10, handle=handle)
    check(broker)
    broker.subscriber("another", group_id="h")(handle)
    with pytest.raises(ValueError, match="h: "):
        await broker.start()


def built(name: str) -> Application:
    """A service as its own `app.py` builds it; nothing connects."""
    settings = importlib.import_module(f"{name}.settings").Settings
    told = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/postgres"}
    application: Application = importlib.import_module(f"{name}.app").build(settings.model_validate(told))
    return application


def subscribers_of(name: str) -> list[Any]:
    return list(built(name).chassis.broker.subscribers)


def test_no_static_id_of_a_consumer_occurs_twice() -> None:
    ids = [subscriber._connection_args["group_instance_id"] for name in SERVICES for subscriber in subscribers_of(name)]
    assert len(set(ids)) == len(ids)
    assert set(ids) == {"appraisal-facts-0", *(f"{name}{group}-0" for name in SERVICES for group in ("", "-documents"))}


@pytest.mark.parametrize("name", SERVICES)
def test_every_subscriber_of_a_service_is_right_and_set_as_was_measured(name: str) -> None:
    broker = built(name).chassis.broker
    check(broker)
    for subscriber in subscribers_of(name):
        settings = subscriber._connection_args
        assert settings["rebalance_timeout_ms"] == 10_000
        assert settings["max_poll_interval_ms"] == 600_000
        assert settings["session_timeout_ms"] == 10_000
        assert subscriber._listener is not None
        connection = subscriber._outer_config.builder.keywords
        assert connection["metadata_max_age_ms"] == 30_000


@pytest.mark.real
async def test_a_member_that_joins_under_load_doubles_nothing_and_keeps_the_order_of_each_key(stack: Stack, tmp_path: Path) -> None:
    await topic_admin.apply(KafkaSettings(stack.kafka, "tests"))
    members = [_member(stack, tmp_path / replica, replica) for replica in ("a", "b")]
    first, second = members
    try:
        first.start()
        wait_until_ready(first)
        async with base_of(stack, "complaints") as base:
            await settled(stack, base, [TOPIC])
            before, sent, wave = await base.counts(TOPIC), 0, 0
            second.start()
            while not _has_applied(second):
                claims = [step for age in range(len(STEPS)) if wave >= age for step in _wave(wave - age, age)]
                await send(stack, claims)
                sent, wave = sent + len(claims), wave + 1
                at_least = sent - len(claims) // 2

                async def half_of_it_is_handled(at_least: int = at_least) -> bool:
                    return (await base.counts(TOPIC) - before).events_in >= at_least

                await until("half of a wave is handled", half_of_it_is_handled)
                assert wave < 1000
            await settled(stack, base, [TOPIC])
            assert await base.counts(TOPIC) - before == Counts(sent, applied=sent, duplicates=0, dead=0)
        steps: dict[str, list[str]] = {}
        for found in await read_topic(stack, "complaints"):
            if found.key.startswith("J"):
                steps.setdefault(found.key, []).append(found.type)
        assert len(steps) == wave * WAVE
        assert [types for types in steps.values() if types != list(STEPS)[: len(types)]] == []
        assert [word for member in members for word in BAD if word in member.log.read_text()] == []
    finally:
        assert [member.stop() for member in members] == [0, 0]


@pytest.mark.real
async def test_a_member_that_joins_during_a_batch_is_given_no_record_of_it(stack: Stack) -> None:
    await topic_admin.apply(KafkaSettings(stack.kafka, "tests"))
    async with complaints_here(stack, replica="a") as first, base_of(stack, "complaints") as base:
        await send(stack, [lodged("S-before")])
        await settled(stack, base, [TOPIC, "reference-documents"])

        async def knows_what_it_ships_with() -> bool:
            return bool(await base.one(f"SELECT {positions.READS_ALL_DOCUMENTS}"))

        await until("all documents are read, so that no batch has to come again", knows_what_it_ships_with)
        gate = asyncio.Event()
        given = _given_to(first, gate)
        _open_when_partitions_are_asked_for(first, gate)
        await send(stack, [lodged(f"S{number}") for number in range(1000)])

        async def a_batch_runs() -> bool:
            return bool(given)

        await until("a batch runs", a_batch_runs)
        joined: list[list[tuple[int, int]]] = []
        async with complaints_here(stack, prepared=lambda second: joined.append(_given_to(second, gate)), replica="b"):
            await settled(stack, base, [TOPIC])
    (given_too,) = joined
    assert gate.is_set()
    assert given_too, "it has partitions of its own from then on"
    assert len(given) + len(given_too) == 1000
    assert set(given) & set(given_too) == set()
    assert len(set(given)) == len(given)


def _given_to(application: Application, gate: asyncio.Event) -> list[tuple[int, int]]:
    """The list that fills with where each record stood that Kafka gives to this member, whose batches last until the gate opens."""
    given: list[tuple[int, int]] = []
    consume = application.chassis.consumer.consume

    async def noted(records: Sequence[Record]) -> None:
        given.extend((record.partition, record.offset) for record in records)
        await gate.wait()
        await consume(records)

    application.chassis.consumer.consume = noted  # type: ignore[method-assign]  # looked at and passed on
    return given


def _open_when_partitions_are_asked_for(application: Application, gate: asyncio.Event) -> None:
    """Opens the gate as soon as this member is asked to let its partitions go, because another one joins."""
    (subscriber,) = [one for one in application.chassis.broker.subscribers if one.group_id == "complaints"]  # type: ignore[attr-defined]  # all of ours have a group
    listener: Any = subscriber._listener  # type: ignore[attr-defined]  # ours has one
    let_go = listener.on_partitions_revoked

    async def asked(partitions: Any) -> None:
        letting_go = asyncio.create_task(let_go(partitions))
        await asyncio.sleep(0)  # it waits for the batch, which can end now
        gate.set()
        await letting_go

    listener.on_partitions_revoked = asked


WAVE = 30
STEPS = {
    "complaint.received": "complaint.lodged",
    "complaint.acknowledged": "complaint.complainant_told",
    "complaint.verification_started": "complaint.verification_begun",
}
"""What is decided, in order, and the claim that asks for it."""
BAD = ("partitions_left_with_a_batch_running", "batch_failed", "Traceback", "worker_failed")


def _member(stack: Stack, folder: Path, replica: str) -> ServiceProcess:
    folder.mkdir()
    return ServiceProcess("complaints", stack.kafka, stack.database_url, folder, {"replica": replica})


def _wave(number: int, age: int) -> list[Wire]:
    """The claims about the complaints of one wave, in the round in which it is `age` rounds old."""
    keys = [f"J{number}-{n}" for n in range(WAVE)]
    if age == 0:
        return [lodged(key) for key in keys]
    return [claim(list(STEPS.values())[age], key, id=f"{key}-{age}", by="E1") for key in keys]


def _has_applied(member: ServiceProcess) -> bool:
    """Whether this replica has applied anything itself."""
    return 'aftersales_events_consumed_total{result="applied"' in member.get("/metrics")[1]
