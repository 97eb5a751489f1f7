"""Bad records among good ones: each bad one is one dead letter with field and rule, each good one has its effect once, nothing loops."""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.producer import message_accumulator
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from tests.faults.kit import Base, Counts, Place, Read, Wire, base_of, fact, lodged, read_topic, record_of, send, settled
from tests.faults.poison_kinds import CLAIMS, FACTS, Kind

from common.contracts.envelope import Unreadable, decode
from common.kafka import topic_admin
from common.kafka.broker import KafkaSettings
from devstack import Stack
from ops.processes import ServiceProcess, services

CANARY = "KANARIENVOGEL"
"""Stands in every bad record as a value that nobody may see again but in the raw bytes of its dead letter."""


@dataclass(frozen=True, slots=True)
class Poisoned:
    """What was sent to a topic, where it stood, and what the service made of it."""

    topic: str
    service: ServiceProcess
    base: Base
    bad: dict[str, Place]
    good: list[str]
    counts: Counts
    letters: list[Read]


@pytest.fixture(scope="module")
def topics(stack: Stack) -> None:
    asyncio.run(topic_admin.apply(KafkaSettings(stack.kafka, "tests")))


@pytest.fixture(scope="module")
def running(stack: Stack, topics: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ServiceProcess]]:
    with services(stack.kafka, stack.database_url, tmp_path_factory.mktemp("poison"), ["complaints", "appraisal"]) as found:
        yield found


async def poisoned(stack: Stack, service: ServiceProcess, base: Base, kinds: Sequence[Kind], good: Sequence[Wire]) -> Poisoned:
    """Sends two good records, a bad one, two good ones, and so on; one good one comes twice."""
    topic = good[0].topic
    await settled(stack, base, [topic])
    before = await base.counts(topic)
    wires: list[Wire] = []
    for number, kind in enumerate(kinds):
        wires += [good[2 * number], kind.spoil(spoilt(topic, kind)), good[2 * number + 1]]
    places = await send(stack, [*wires, good[0]])
    await settled(stack, base, [topic])
    return Poisoned(
        topic,
        service,
        base,
        {kind.name: places[3 * number + 1] for number, kind in enumerate(kinds)},
        [(wire.key or b"").decode() for wire in good],
        await base.counts(topic) - before,
        await read_topic(stack, f"{topic}-{service.name}-dlq"),
    )


def spoilt(topic: str, kind: Kind) -> Wire:
    """The record that `kind` is about to spoil."""
    if topic == "complaint-claims":
        return lodged(f"bad-{kind.name}", customer_id=CANARY)
    return fact(f"bad-fact-{kind.name}", subject=f"employee:{CANARY}")


@pytest.fixture(scope="module")
async def claims(stack: Stack, running: dict[str, ServiceProcess]) -> AsyncIterator[Poisoned]:
    fine = [lodged(f"good-{number}") for number in range(2 * len(CLAIMS))]
    # what looks odd and is fine: foreign headers of any bytes, names in capitals, structured mode, Chinese, nanoseconds
    fine[1] = fine[1].with_header("tr\u00e4ger-\U0001f600", b"\xff\xfe").with_header("traceparent", None)
    fine[2] = replace(fine[2], headers=tuple((name.upper(), raw) for name, raw in fine[2].headers))
    fine[3] = fine[3].structured()
    fine[4] = lodged("good-4", category="\u566a\u97f3")
    fine[5] = fine[5].with_header("ce_time", fine[5].header("ce_time").replace("+", "999+").encode()).with_header("ce_subject", b"good-5")
    async with base_of(stack, "complaints") as base:
        yield await poisoned(stack, running["complaints"], base, CLAIMS, fine)


@pytest.fixture(scope="module")
async def facts(stack: Stack, running: dict[str, ServiceProcess]) -> AsyncIterator[Poisoned]:
    async with base_of(stack, "appraisal") as base:
        fine = [fact(f"good-fact-{number}") for number in range(2 * len(FACTS))]
        yield await poisoned(stack, running["appraisal"], base, FACTS, fine)


def told(found: Poisoned) -> dict[str, list[tuple[str, str]]]:
    """Rule and field of the dead letters of each kind, as everybody reads them from the topic."""
    letters: dict[tuple[int, int], list[tuple[str, str]]] = {}
    for letter in found.letters:
        letters.setdefault((letter.body["partition"], letter.body["offset"]), []).append((letter.body["rule"], letter.body["field"]))
    return {name: letters.get(place, []) for name, place in found.bad.items()}


def expected(kinds: Sequence[Kind], key: str) -> dict[str, list[tuple[str, str]]]:
    return {kind.name: [(kind.rule, kind.field.format(key=key))] for kind in kinds}


@pytest.mark.real
async def test_each_bad_claim_is_one_dead_letter_that_names_field_and_rule(claims: Poisoned) -> None:
    assert len(CLAIMS) >= 30
    assert told(claims) == expected(CLAIMS, "complaint_id")


@pytest.mark.real
async def test_each_bad_fact_is_one_dead_letter_that_names_field_and_rule(facts: Poisoned) -> None:
    assert len(FACTS) >= 10
    assert told(facts) == expected(FACTS, "case_id")


@pytest.mark.real
@pytest.mark.parametrize("which", ["claims", "facts"])
async def test_the_table_holds_what_the_dead_letter_topic_holds_and_the_raw_bytes_are_kept(
    which: str, request: pytest.FixtureRequest
) -> None:
    found: Poisoned = request.getfixturevalue(which)
    columns = 'id, partition, "offset", rule, field, size, sha256, raw'
    rows = await found.base.rows(f"SELECT {columns} FROM dead_letters WHERE topic = $1", found.topic)
    ours = {row["id"]: dict(row) for row in rows if (row["partition"], row["offset"]) in found.bad.values()}
    letters = {letter.body["letter_id"]: letter.body for letter in found.letters}
    assert len(ours) == len(found.bad)
    for id, row in ours.items():
        raw = row.pop("raw")
        assert row == {name: letters[id][name if name != "id" else "letter_id"] for name in row}
        assert raw == base64.b64decode(letters[id]["raw_base64"])
        assert len(raw) == min(row["size"], 64 * 1024)


@pytest.mark.real
async def test_the_good_claims_around_the_bad_ones_are_applied_once(claims: Poisoned) -> None:
    received = await claims.base.rows(
        "SELECT aggregateid AS id, count(*) AS n FROM outbox WHERE type = 'complaint.received' GROUP BY 1 HAVING aggregateid LIKE 'good-%'"
    )
    assert {row["id"]: row["n"] for row in received} == dict.fromkeys(claims.good, 1)
    assert await claims.base.one("SELECT count(*) FROM complaints WHERE id LIKE 'bad-%'") == 0


@pytest.mark.real
async def test_the_good_facts_around_the_bad_ones_are_stored_once(facts: Poisoned) -> None:
    stored = await facts.base.rows("SELECT case_id FROM kpi_facts WHERE case_id LIKE 'good-fact-%' ORDER BY 1")
    assert [row["case_id"] for row in stored] == sorted(facts.good)
    assert await facts.base.one("SELECT count(*) FROM kpi_facts WHERE case_id LIKE 'bad-fact-%'") == 0


@pytest.mark.real
@pytest.mark.parametrize(("which", "kinds"), [("claims", CLAIMS), ("facts", FACTS)])
async def test_every_record_is_counted_once_and_nothing_loops(which: str, kinds: list[Kind], request: pytest.FixtureRequest) -> None:
    found: Poisoned = request.getfixturevalue(which)
    good = len(found.good)
    assert found.counts == Counts(events_in=good + 1 + len(kinds), applied=good, duplicates=1, dead=len(kinds))
    assert found.service.get("/health/ready") == (200, "ready\n")
    log = found.service.log.read_text()
    for word in ("batch_failed", "facts_wait", "aggregate_parked", "worker_failed", "Traceback"):
        assert word not in log


@pytest.mark.real
@pytest.mark.parametrize("which", ["claims", "facts"])
async def test_no_value_of_a_bad_record_is_seen_outside_its_raw_bytes(which: str, request: pytest.FixtureRequest) -> None:
    found: Poisoned = request.getfixturevalue(which)
    status, metrics = found.service.get("/metrics")
    assert status == 200
    shown = {"log": found.service.log.read_text(), "metrics": metrics}
    for letter in found.letters:
        body = {name: value for name, value in letter.body.items() if name != "raw_base64"}
        shown[f"dead letter {letter.offset}"] = f"{letter.key} {letter.headers} {body}"
    rows = await found.base.rows("SELECT id, source, event_id, type, rule, field, reason FROM dead_letters")
    shown["table"] = str([dict(row) for row in rows])
    assert [where for where, text in shown.items() if CANARY in text] == []
    assert any(CANARY.encode() in base64.b64decode(letter.body["raw_base64"]) for letter in found.letters)


@pytest.mark.real
async def test_a_corrected_claim_under_the_same_id_has_its_effect_once_and_closes_its_letter(stack: Stack, claims: Poisoned) -> None:
    repairs = [spoilt("complaint-claims", kind) for kind in CLAIMS if kind.repairable]
    before = await claims.base.counts("complaint-claims")
    await send(stack, [*repairs, *repairs])
    await settled(stack, claims.base, ["complaint-claims"])
    count = len(repairs)
    assert await claims.base.counts("complaint-claims") - before == Counts(2 * count, applied=count, duplicates=count, dead=0)
    received = await claims.base.rows(
        "SELECT aggregateid AS id, count(*) AS n FROM outbox WHERE type = 'complaint.received' GROUP BY 1 HAVING aggregateid LIKE 'bad-%'"
    )
    assert {row["id"]: row["n"] for row in received} == {(wire.key or b"").decode(): 1 for wire in repairs}
    rows = await claims.base.rows(
        'SELECT partition, "offset", closed_at IS NOT NULL AS closed FROM dead_letters WHERE topic = $1', claims.topic
    )
    closed = {(row["partition"], row["offset"]): row["closed"] for row in rows}
    assert {kind.name: closed[claims.bad[kind.name]] for kind in CLAIMS} == {kind.name: kind.repairable for kind in CLAIMS}


@pytest.mark.real
async def test_other_content_under_an_applied_id_stays_an_open_letter_and_changes_nothing(stack: Stack, claims: Poisoned) -> None:
    first = lodged("twice-told", region="north")
    before = await claims.base.counts("complaint-claims")
    # in one batch, so that the letter and what it contradicts are written in one transaction
    places = await send(stack, [first, first.with_member("region", "south"), first])
    await settled(stack, claims.base, ["complaint-claims"])
    assert await claims.base.counts("complaint-claims") - before == Counts(3, applied=1, duplicates=1, dead=1)
    assert await claims.base.one("SELECT state ->> 'region' FROM complaints WHERE id = 'twice-told'") == "north"
    rows = await claims.base.rows("SELECT \"offset\", rule, field, closed_at FROM dead_letters WHERE event_id = 'twice-told-lodged'")
    assert [tuple(row) for row in rows] == [(places[1][1], "conflicting_duplicate", "ce_id", None)]


@pytest.mark.real
async def test_a_value_that_only_the_database_refuses_isolates_its_record(stack: Stack, claims: Poisoned) -> None:
    # nothing that the strict reader lets pass is known to be refused by a column, so the database is made stricter
    await claims.base.run("ALTER TABLE complaints ADD CONSTRAINT no_mars CHECK (state ->> 'region' <> 'mars')")
    try:
        before = await claims.base.counts("complaint-claims")
        places = await send(
            stack, [lodged("m-1"), lodged("m-2", region="mars"), lodged("m-3"), lodged("m-4", region="mars"), lodged("m-5")]
        )
        await settled(stack, claims.base, ["complaint-claims"])
        assert await claims.base.counts("complaint-claims") - before == Counts(5, applied=3, duplicates=0, dead=2)
        rows = await claims.base.rows("SELECT id FROM complaints WHERE id LIKE 'm-%' ORDER BY id")
        assert [row["id"] for row in rows] == ["m-1", "m-3", "m-5"]
        letters = await claims.base.rows(
            "SELECT partition, \"offset\", rule FROM dead_letters WHERE event_id LIKE 'm-_-lodged' ORDER BY event_id"
        )
        assert [tuple(row) for row in letters] == [(*places[1], "unstorable"), (*places[3], "unstorable")]
    finally:
        await claims.base.run("ALTER TABLE complaints DROP CONSTRAINT no_mars")
    await send(stack, [lodged("m-2", region="mars")])
    await settled(stack, claims.base, ["complaint-claims"])
    assert await claims.base.one("SELECT count(*) FROM dead_letters WHERE event_id LIKE 'm-_-lodged' AND closed_at IS NULL") == 1


@pytest.mark.real
@pytest.mark.parametrize("compression", [None, "gzip"])
async def test_a_header_whose_name_is_not_utf_8_stops_nobody(compression: str | None, stack: Stack, claims: Poisoned) -> None:
    keys = [f"name-{compression}-{number}" for number in range(4)]
    wires = [lodged(key) for key in keys]
    wires[1] = wires[1].with_header(_Name("xx"), b"foreign")
    wires[2] = wires[2].with_header(_Name("xx"), b"foreign").with_header("ce_time", b"yesterday")
    before = await claims.base.counts("complaint-claims")
    await send_as_one_batch(stack, wires, compression)
    await settled(stack, claims.base, ["complaint-claims"])
    assert await claims.base.counts("complaint-claims") - before == Counts(4, applied=3, duplicates=0, dead=1)
    rows = await claims.base.rows("SELECT id FROM complaints WHERE id = ANY($1) ORDER BY id", keys)
    assert [row["id"] for row in rows] == [keys[0], keys[1], keys[3]]


class _Name(str):
    """A header's name as a client of another language may write it."""

    def encode(self, *_: object) -> bytes:
        return b"\xff\xfe"


async def send_as_one_batch(stack: Stack, wires: Sequence[Wire], compression: str | None) -> None:
    """Sends the records to partition 0 in one batch, written by the builder that lets names be any bytes."""
    async with AIOKafkaProducer(bootstrap_servers=stack.kafka, compression_type=compression) as producer:
        await producer.partitions_for(wires[0].topic)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(message_accumulator, "DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)
            batch = producer.create_batch()
            for wire in wires:
                assert batch.append(key=wire.key, value=wire.value, timestamp=None, headers=list(wire.headers))
            batch.close()
        await (await producer.send_batch(batch, wires[0].topic, partition=0))


@pytest.mark.parametrize("depth", range(940, 1010))
def test_no_depth_of_nesting_is_too_much_for_the_reader_to_say_so(depth: int) -> None:
    bad = replace(lodged("C1"), value=b'{"a":' * depth + b"1" + b"}" * depth)
    found = decode(record_of(bad))
    assert isinstance(found, Unreadable)
    assert found.problem.rule in ("too_deep", "bad_value", "unknown_field", "missing")
