"""What a replay publishes: claims that the services take, the same ones each time, in the order of each case."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from tests.ops.replay_logs import LogRow, log_row, random_log, write_log

from common.contracts.claims import dispatch as work
from common.contracts.claims import intake as requests
from common.contracts.envelope import Received, Record, decode
from common.contracts.event import Event
from common.contracts.topics import BY_NAME
from common.kafka import topic_admin
from common.kafka.broker import KafkaSettings
from common.kernel.errors import Refused, TooEarly
from common.kernel.instants import from_micros
from common.kernel.wall_clock import now
from devstack import Stack
from dispatch.domain.work_order import WorkOrder
from intake.domain.service_request import ServiceRequest
from ops.main import main
from ops.replay.claims import Planned
from ops.replay.mapping import load
from ops.replay.pass_over import Pass
from ops.replay.table_file import open_table

TOPICS = ("service-request-claims", "work-order-claims")


def claims_of(log: Path) -> list[list[Planned]]:
    return list(Pass(open_table(log), load("volvo")).cases())


def types_of(tmp_path: Path, rows: list[LogRow]) -> list[str]:
    (case,) = claims_of(write_log(tmp_path / "log.csv", rows))
    return [planned.claim.TYPE.partition(".")[2] for planned in case]


def test_a_case_is_received_given_answered_held_up_taken_up_finished_and_ended(tmp_path: Path) -> None:
    rows = [
        log_row("1-1", "2012-04-02T08:00:00", "Queued/Awaiting Assignment"),
        log_row("1-1", "2012-04-02T09:00:00", "Accepted/In Progress"),
        log_row("1-1", "2012-04-02T10:00:00", "Accepted/Wait - User"),
        log_row("1-1", "2012-04-02T11:00:00", "Accepted/In Progress"),
        log_row("1-1", "2012-04-02T12:00:00", "Completed/Resolved", person="pl-Jan"),
        log_row("1-1", "2012-04-09T12:00:00", "Completed/Closed"),
    ]
    assert types_of(tmp_path, rows) == [
        "received",
        "assignment_made",
        "assignment_taken",
        "customer_answered",
        "work_held_up",
        "work_taken_up",
        "work_finished",
        "service_ended",
    ]


def test_work_that_changes_hands_while_it_waits_is_taken_up_given_and_held_up_again(tmp_path: Path) -> None:
    rows = [
        log_row("1-1", "2012-04-02T09:00:00", "Accepted/Wait - User"),
        log_row("1-1", "2012-04-02T10:00:00", "Accepted/Wait - User", team="V2"),
    ]
    assert types_of(tmp_path, rows)[5:] == ["work_taken_up", "assignment_made", "assignment_taken", "work_held_up"]


def test_work_after_a_completion_comes_back_and_is_finished_again(tmp_path: Path) -> None:
    rows = [
        log_row("1-1", "2012-04-02T09:00:00", "Completed/In Call"),
        log_row("1-1", "2012-04-02T10:00:00", "Queued/Awaiting Assignment"),
        log_row("1-1", "2012-04-02T11:00:00", "Completed/Closed"),
        log_row("1-1", "2012-04-02T12:00:00", "Completed/Closed"),
    ]
    assert types_of(tmp_path, rows) == [
        "received",
        "assignment_made",
        "work_finished",
        "defect_came_back",
        "work_finished",
        "customer_answered",
        "service_ended",
    ]


def test_who_completed_the_work_has_it_until_it_is_given_back(tmp_path: Path) -> None:
    rows = [
        log_row("1-1", "2012-04-02T09:00:00", "Accepted/In Progress", person="se-Ann"),
        log_row("1-1", "2012-04-02T10:00:00", "Completed/Resolved", person="pl-Jan"),
        log_row("1-1", "2012-04-02T11:00:00", "Accepted/In Progress", person="pl-Jan"),
        log_row("1-1", "2012-04-02T12:00:00", "Accepted/In Progress", person="se-Ann"),
    ]
    assert types_of(tmp_path, rows)[4:] == ["work_finished", "defect_came_back", "assignment_made", "assignment_taken"]
    assert types_of(tmp_path, [*rows[:2], rows[3]])[4:] == ["work_finished", "defect_came_back", "assignment_made", "assignment_taken"]


def test_names_of_persons_do_not_travel(tmp_path: Path) -> None:
    (case,) = claims_of(write_log(tmp_path / "log.csv", [log_row("1-1", "2012-04-02T09:00:00", "Accepted/Wait", person="fr-Anne")]))
    assert not any("Anne" in planned.claim.model_dump_json() for planned in case)
    assert len({planned.claim.by for planned in case if isinstance(planned.claim, work.AssignmentTaken | work.WorkHeldUp)}) == 1


@pytest.mark.parametrize("seed", range(20))
def test_every_claim_of_a_random_log_is_one_that_intake_and_dispatch_take(seed: int, tmp_path: Path) -> None:
    for case in claims_of(write_log(tmp_path / "log.csv", random_log(seed))):
        assert refused(case) == []


def refused(case: Iterable[Planned]) -> list[tuple[str, Refused | TooEarly]]:
    """The claims of a case that the rules of the services refuse, or for which they miss an earlier one."""
    request: ServiceRequest | None = None
    order: WorkOrder | None = None
    found = []
    for planned in case:
        at, claim = from_micros(planned.at, UTC), planned.claim
        if isinstance(claim, requests.ServiceRequestReceived):
            assert request is None
            assert claim.nature == "repair"
            fields = claim.model_dump(
                include={"customer_id", "channel", "nature", "severity", "region", "product", "handled_by", "asset_id"}
            )
            request = ServiceRequest(id=claim.request_id, priority="normal", remarks="", opened_at=at, **fields)
            order = WorkOrder(
                id=f"{claim.request_id}-w1",
                request_id=claim.request_id,
                priority="normal",
                region=claim.region,
                product=claim.product,
                opened_at=at,
            )
            continue
        assert request is not None
        assert order is not None
        after = decided(request, order, planned)
        match after:
            case ServiceRequest():
                request = after
            case WorkOrder():
                order = after
            case _:
                found.append((claim.TYPE, after))
    return found


def decided(request: ServiceRequest, order: WorkOrder, planned: Planned) -> ServiceRequest | WorkOrder | Refused | TooEarly:
    at = from_micros(planned.at, UTC)
    match planned.claim:
        case requests.CustomerAnswered(by=by, request_id=request.id):
            return request.answer(at, by)
        case requests.ServiceEnded(by=by, request_id=request.id):
            return request.close(at, by)
        case work.AssignmentMade(technician=technician, team=team, by=by, work_order_id=order.id):
            return order.assign(at, by, technician, team)
        case work.AssignmentTaken(by=by, work_order_id=order.id):
            return order.accept(at, by)
        case work.WorkHeldUp(party=party, reason=reason, by=by, work_order_id=order.id):
            return order.hold_up(at, by, party, reason)
        case work.WorkTakenUp(by=by, work_order_id=order.id):
            return order.take_up(at, by)
        case work.WorkFinished(by=by, work_order_id=order.id):
            return order.complete(at, by)
        case work.DefectCameBack(by=by, work_order_id=order.id):
            return order.reopen(at, by)
        case other:
            raise AssertionError(f"{other!r} is about another case")


def test_the_same_file_gives_the_same_envelopes_and_another_file_others(tmp_path: Path) -> None:
    rows = random_log(5)
    first, second = (write_log(tmp_path / f"{name}.csv", rows) for name in ("first", "second"))
    other = write_log(tmp_path / "other.csv", rows[:-1])
    assert ids_of(first) == ids_of(second)
    assert not set(ids_of(first)) & set(ids_of(other))
    assert len(set(ids_of(first))) == len(ids_of(first))


def ids_of(log: Path) -> list[str]:
    replay = Pass(open_table(log), load("volvo"))
    return [replay.origin.envelope(planned).id for case in replay.cases() for planned in case]


def test_claims_of_one_instant_have_ids_in_the_order_of_the_steps(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log.csv", [log_row("1-1", "2012-04-02T09:00:00", "Accepted/Wait - User")] * 3)
    assert len(ids_of(log)) == 5
    assert ids_of(log) == sorted(ids_of(log))


@pytest.mark.real
async def test_a_replay_publishes_what_it_counts_and_a_second_one_the_same_ids(stack: Stack, tmp_path: Path) -> None:
    await topic_admin.apply(KafkaSettings(stack.kafka, "test-replay"))
    log = write_log(tmp_path / "log.csv", random_log(11))
    since = await ends(stack)
    report = tmp_path / "report.json"
    for _ in range(2):
        assert await in_thread(["replay", str(log), "--mapping", "volvo", "--kafka", stack.kafka, "--report", str(report)]) == 0
    document = json.loads(report.read_text())
    assert document.pop("published") == document["rows"]["events"]
    assert document == Pass(open_table(log), load("volvo")).report()
    sent = await records(stack, since)
    assert len(sent) == 2 * document["rows"]["events"]
    ids = Counter(received.envelope.id for received in sent)
    assert set(ids.values()) == {2}
    assert {received.envelope.replay_of for received in sent} == {f"volvo:{document['file']['sha256'][:12]}"}
    assert {received.envelope.source for received in sent} == {"/replay/volvo"}
    expected = Pass(open_table(log), load("volvo"))
    assert once(sent) == by_key((expected.origin.envelope(one).subject, one.claim) for case in expected.cases() for one in case)


async def in_thread(arguments: list[str]) -> int:
    """Runs the command beside the loop of the test: it has a loop of its own."""
    return await asyncio.to_thread(main, arguments)


async def ends(stack: Stack) -> dict[TopicPartition, int]:
    partitions = [TopicPartition(topic, number) for topic in TOPICS for number in range(BY_NAME[topic].partitions)]
    async with AIOKafkaConsumer(bootstrap_servers=stack.kafka) as consumer:
        found: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    return found


async def records(stack: Stack, since: dict[TopicPartition, int]) -> list[Received]:
    """Everything that was published after `since`, read as a service reads it."""
    until = await ends(stack)
    wanted = sum(until[partition] - since[partition] for partition in since)
    found: list[Received] = []
    async with AIOKafkaConsumer(bootstrap_servers=stack.kafka) as consumer:
        consumer.assign(list(since))
        for partition, offset in since.items():
            consumer.seek(partition, offset)
        while len(found) < wanted:
            batches = await consumer.getmany(timeout_ms=1000)
            for record in (record for batch in batches.values() for record in batch):
                received = decode(Record(record.topic, record.partition, record.offset, record.key, record.value, record.headers, now()))
                assert isinstance(received, Received), received
                found.append(received)
    return found


def once(sent: Iterable[Received]) -> dict[str, list[str]]:
    """The events by key in the order of the topic, each where it came first."""
    seen: set[str] = set()
    pairs = []
    for received in sent:
        assert received.event is not None
        if received.envelope.id not in seen:
            seen.add(received.envelope.id)
            pairs.append((received.envelope.subject, received.event))
    return by_key(pairs)


def by_key(pairs: Iterable[tuple[str, Event]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, event in pairs:
        found.setdefault(key, []).append(f"{event.TYPE} {event.model_dump_json()}")
    return found
