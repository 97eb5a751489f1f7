"""A whole quarter from claims to grades on real servers: repeatable, deaf to repetition, open to late knowledge."""

import json
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.databases import database
from tests.faults.decisions import Decision, read_topic
from tests.faults.killing import CYCLE, DECIDED, GRADED, clear

from common.contracts.claims.appraisal import KpiReported
from common.contracts.envelope import encode
from common.contracts.event import Envelope
from common.contracts.topics import BY_NAME, SERVICES, topic_of
from common.kernel.ids import derived_id
from devstack import Stack, open_stack
from devstack.settings import read
from ops.demo_views import scraped_sla
from ops.platform import Platform, grades_digest
from ops.processes import ServiceProcess, services
from ops.publishing import publish
from ops.simulation.claims import Sent
from ops.simulation.quarter import SCHEME, Plan, simulate
from ops.simulation.staff import hire

pytestmark = pytest.mark.real

_PLAN = Plan(seed=11, cases=60)
_LATE = datetime(2026, 9, 20, 3, tzinfo=UTC)
"""Within the quarter."""


@dataclass(frozen=True, slots=True)
class Quarter:
    """A quarter that was published and closed once, on two replicas of each service, which go on running."""

    platform: Platform
    running: Mapping[str, ServiceProcess]
    sent: Sequence[Sent]

    async def publish(self, records: Sequence[Sent]) -> None:
        """Publishes claims and returns when they have had their effects."""
        await publish(self.platform.settings, records)
        await self.platform.settled(90)

    async def close(self) -> None:
        """Closes the cycle with what is known now."""
        await self.platform.close_cycle(CYCLE, SCHEME, for_real=True)
        await self.platform.settled(60)

    async def digest(self) -> str:
        """The name of all current grades."""
        return grades_digest(await self.platform.grades())

    async def versions(self) -> dict[str, int]:
        """The current version of each grade."""
        return {grade["grade_key"]: grade["version"] for grade in await self.platform.grades()}

    async def said(self, *topics: str) -> dict[str, list[Decision]]:
        """Every record on some topics."""
        return {topic: await read_topic(self.platform.kafka, topic) for topic in topics}


@pytest.fixture(scope="module")
async def quarter(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Quarter]:
    """Its own servers, since a quarter is all that may stand on their topics."""
    stack = open_stack(settings=replace(read(), kafka_bootstrap_servers=None, database_url=None))
    try:
        async with _closed(stack, tmp_path_factory.mktemp("quarter"), simulate(_PLAN), replicas=2) as found:
            yield found
    finally:
        stack.stop()


@asynccontextmanager
async def _closed(stack: Stack, folder: Path, sent: Sequence[Sent], replicas: int) -> AsyncIterator[Quarter]:
    """The services on empty servers, with `sent` published and the cycle closed."""
    await clear(stack)
    with services(stack.kafka, stack.database_url, folder, replicas=replicas) as running:
        found = Quarter(Platform(stack.kafka, stack.database_url, SERVICES), running, sent)
        await found.publish(sent)
        await found.close()
        yield found


async def test_the_same_quarter_told_in_another_order_to_one_replica_ends_in_the_same_grades(
    quarter: Quarter, fresh_stack: Stack, tmp_path: Path
) -> None:
    first = [grade for grade in _bodies(await read_topic(quarter.platform.kafka, "grade-history")) if grade["version"] == 1]
    shuffled = _shuffled(simulate(_PLAN), Random(3))
    assert shuffled != quarter.sent
    async with _closed(fresh_stack, tmp_path, shuffled, replicas=1) as again:
        grades = await again.platform.grades()
        assert grades_digest(grades) == grades_digest(first), "seed 11: another order of the keys, other grades"
        assert len(grades) == len(first) == _PLAN.staff - 1, "everybody but the manager, whose cycle is the year, has a grade"


async def test_intake_credits_surveys_to_the_technicians_of_whom_dispatch_tells_and_the_results_of_complaints_are_known(
    quarter: Quarter,
) -> None:
    said = {topic: _bodies(found) for topic, found in (await quarter.said("work-orders", "service-requests", "kpi-facts")).items()}
    work = {body["request_id"]: body for body in sorted(_with(said["work-orders"], "completed_at"), key=lambda one: one["completed_at"])}
    surveys: dict[str, dict[str, Any]] = {}
    for fact in sorted(said["kpi-facts"], key=lambda one: one["revision"]):
        if fact["indicator"] == "customer_satisfaction" and fact["denominator"] != "0" and fact["case_id"] in work:
            surveys[fact["case_id"]] = fact
    assert len(surveys) > 10
    for request, fact in surveys.items():
        assert (fact["subject"], fact["dimensions"]["team"]) == (f"employee:{work[request]['technician']}", work[request]["team"]), request
    results = {body["result"] for body in _with(said["service-requests"], "result")}
    assert results == {"work_done", "solution_told"}


async def test_the_same_claims_once_more_are_duplicates_and_nothing_else(quarter: Quarter) -> None:
    digest, versions = await quarter.digest(), await quarter.versions()
    counts, said = await quarter.platform.counts(), await quarter.said(*DECIDED, *GRADED)
    await quarter.publish(quarter.sent)
    after = await quarter.platform.counts()
    news = {service: after[service]["duplicates"] - counts[service]["duplicates"] for service in SERVICES}
    owners = Counter(topic.consumers[0] for topic in (BY_NAME[record.topic] for record in quarter.sent))
    assert news == owners, "each claim is a duplicate in the service that owns it, and nowhere else"
    assert [after[service]["applied"] - counts[service]["applied"] for service in SERVICES] == [0, 0, 0, 0]
    await quarter.close()
    assert (await quarter.digest(), await quarter.versions()) == (digest, versions)
    assert await quarter.said(*DECIDED, *GRADED) == said


async def test_closing_again_without_news_makes_no_new_version(quarter: Quarter) -> None:
    versions, said = await quarter.versions(), await quarter.said(*GRADED, "grade-results")
    closes = len(await read_topic(quarter.platform.kafka, "cycles"))
    await quarter.close()
    again = [json.loads(found.value) for found in await read_topic(quarter.platform.kafka, "cycles")][closes:]
    assert [(close["cycle"], close["graded"]) for close in again] == [(CYCLE, _PLAN.staff - 1)], "it was closed again"
    assert (await quarter.versions(), await quarter.said(*GRADED, "grade-results")) == (versions, said)


async def test_a_late_fact_makes_a_second_version_and_takes_back_what_followed_from_the_first(quarter: Quarter) -> None:
    before = {grade["subject"]: grade for grade in await quarter.platform.grades()}
    standing = _standing(await read_topic(quarter.platform.kafka, "grade-outcomes"))
    subject = min(name for name in _specialists() & set(before) if standing[before[name]["grade_key"]])
    await quarter.publish([_late_fact(subject)])
    assert await quarter.versions() == {grade["grade_key"]: grade["version"] for grade in before.values()}, "nothing before the close"
    told = {decision.id for decision in await read_topic(quarter.platform.kafka, "grade-outcomes")}
    await quarter.close()

    concerned = {subject, *(f"employee:{number}" for number in _above(subject))} & set(before)
    history: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for body in _bodies(await read_topic(quarter.platform.kafka, "grade-history")):
        history[body["subject"]].append(body)
    for name, grade in before.items():
        last = history[name][-1]
        if name in concerned:
            assert (last["version"], last["supersedes"]) == (grade["version"] + 1, grade["version"])
            assert last["digest"] != grade["digest"]
        else:
            assert last["version"] == grade["version"], f"{name} has a new version for somebody else's fact"
    assert history[subject][-1]["score_exact"] != before[subject]["score_exact"]

    outcomes = await read_topic(quarter.platform.kafka, "grade-outcomes")
    news = _bodies([decision for decision in outcomes if decision.id not in told])
    reversed_ = Counter(body["reverses"] for body in news if "reverses" in body)
    wanted = [outcome for name in concerned for outcome in standing[before[name]["grade_key"]]]
    assert reversed_ == Counter(wanted), "what followed from the superseded versions is taken back, once each"
    assert await _stored_outcomes(quarter) == _standing(outcomes)


async def test_a_plain_consumer_finds_the_current_grade_as_the_newest_record_of_its_key(quarter: Quarter) -> None:
    await quarter.publish([_late_fact(f"employee:{min(_supervisors())}")])
    await quarter.close()
    newest: dict[str, dict[str, Any]] = {}
    highest: Counter[str] = Counter()
    for record in await read_topic(quarter.platform.kafka, "grade-results"):
        body = json.loads(record.value)
        assert record.key == body["grade_key"]
        newest[record.key] = body
        highest[record.key] = max(highest[record.key], body["version"])
    assert {key: body["version"] for key, body in newest.items()} == dict(highest) == await quarter.versions()
    assert max(highest.values()) > 1
    assert grades_digest(list(newest.values())) == await quarter.digest()


async def test_the_outcomes_on_metrics_are_those_in_the_database(quarter: Quarter) -> None:
    scraped = scraped_sla(quarter.running)
    counted = Counter({(row["service"], row["stage"], outcome): row[outcome] for row in scraped for outcome in ("met", "breached")})
    stored: Counter[tuple[str, str, str]] = Counter()
    for name in SERVICES:
        async with database(quarter.platform.database_url, name) as connection:
            for row in await connection.fetch("SELECT stage, outcome, count(*) AS n FROM clocks WHERE outcome <> 'open' GROUP BY 1, 2"):
                stored[name, row["stage"], row["outcome"]] = row["n"]
    said = await read_topic(quarter.platform.kafka, "sla-clocks")
    told, reopened = _outcomes_told(said), _open_again(said)
    assert sum(told.values()) > 100
    assert +counted == told, "counted as first published"
    by_stage = {key: counted[(*key, "met")] + counted[(*key, "breached")] for key in {(name, stage) for name, stage, _ in stored}}
    assert by_stage == {key: stored[(*key, "met")] + stored[(*key, "breached")] + reopened[key] for key in by_stage}
    assert {key: number for key, number in counted.items() if number and not reopened[key[:2]]} == {
        key: number for key, number in stored.items() if not reopened[key[:2]]
    }


def _open_again(decisions: Sequence[Decision]) -> Counter[tuple[str, str]]:
    """The clocks that were met and opened again, so that another outcome follows, by service and stage; a breached one stays breached."""
    bodies = [(found.type, json.loads(found.value)) for found in decisions]
    breached = {body["clock_id"]: datetime.fromisoformat(body["at"]) for type, body in bodies if type == "sla_clock.breached"}
    opened = [(body, datetime.fromisoformat(body["at"])) for type, body in bodies if type == "sla_clock.reopened"]
    return Counter((body["service"], body["stage"]) for body, at in opened if breached.get(body["clock_id"], at) >= at)


def _outcomes_told(decisions: Sequence[Decision]) -> Counter[tuple[str, str, str]]:
    """The outcomes that were published, by service, stage and outcome."""
    kinds = {"sla_clock.met": "met", "sla_clock.breached": "breached"}
    bodies = [(json.loads(found.value), kinds[found.type]) for found in decisions if found.type in kinds]
    return Counter((body["service"], body["stage"], outcome) for body, outcome in bodies)


def _with(bodies: Sequence[dict[str, Any]], field: str) -> list[dict[str, Any]]:
    """Those that have a field."""
    return [body for body in bodies if field in body]


def _bodies(decisions: Sequence[Decision]) -> list[dict[str, Any]]:
    return [json.loads(decision.value) for decision in decisions]


def _standing(outcomes: Sequence[Decision]) -> dict[str, set[str]]:
    """What is proposed and not taken back, by grade."""
    found: dict[str, set[str]] = defaultdict(set)
    for body in _bodies(outcomes):
        if "reverses" in body:
            found[body["grade_key"]].remove(body["reverses"])
        else:
            found[body["grade_key"]].add(body["outcome_id"])
    return found


async def _stored_outcomes(quarter: Quarter) -> dict[str, set[str]]:
    """What appraisal itself holds to follow from the current grades, by grade; those from which nothing follows are left out."""
    query = "SELECT DISTINCT ON (grade_key) grade_key, outcomes FROM grades ORDER BY grade_key, version DESC"
    async with database(quarter.platform.database_url, "appraisal") as connection:
        rows = [(row["grade_key"], json.loads(row["outcomes"])) for row in await connection.fetch(query)]
    return {key: {outcome["outcome_id"] for outcome in outcomes} for key, outcomes in rows if outcomes}


def _shuffled(sent: Sequence[Sent], random: Random) -> list[Sent]:
    """The same claims with the keys in another order; the claims of one key keep theirs."""
    queues: dict[tuple[str, str], deque[Sent]] = defaultdict(deque)
    for record in sent:
        queues[record.topic, record.key].append(record)
    turns = [key for key, queue in queues.items() for _ in queue]
    random.shuffle(turns)
    return [queues[key].popleft() for key in turns]


def _late_fact(subject: str) -> Sent:
    """Another system says, after the close, what customers of the quarter thought of somebody."""
    claim = KpiReported(case_id=f"late-{subject[-5:]}", indicator="customer_satisfaction", subject=subject, numerator="0", denominator="90")
    topic, id = topic_of(KpiReported), derived_id(_LATE, "tests", subject)
    value, headers = encode(claim, Envelope(id, "/tests", claim.TYPE, claim.case_id, _LATE, _LATE), key=claim.case_id)
    return Sent(_LATE, topic.name, claim.case_id, value, tuple(headers))


def _people() -> dict[str, Any]:
    return {person.employee_id: person for person in hire(Random(_PLAN.seed), _PLAN.staff)}


def _specialists() -> set[str]:
    return {f"employee:{number}" for number, person in _people().items() if person.post == "specialist"}


def _supervisors() -> set[str]:
    return {number for number, person in _people().items() if person.post == "supervisor"}


def _above(subject: str) -> list[str]:
    """Those whose grades hold a person's cases besides: the superiors (D11-33)."""
    people, found = _people(), []
    number = people[subject.partition(":")[2]].superior
    while number:
        found.append(number)
        number = people[number].superior
    return found
