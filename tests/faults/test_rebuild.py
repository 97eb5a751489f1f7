"""All databases are lost, and only the topics are left after retention has run: clocks, grades, digests and versions are the same again."""

import asyncio
import json
import secrets
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from tests.counted import PROOF
from tests.databases import database
from tests.faults import rebuilding
from tests.faults.decisions import first_of_each, read_topic
from tests.faults.killing import CYCLE, GRADED, clear
from tests.faults.kit import until
from tests.faults.lost import command
from tests.faults.rebuilding import Rows, differences
from tests.harness import service_on

from appraisal import explain_command
from common.contracts.claims.appraisal import KpiReported
from common.contracts.envelope import encode
from common.contracts.event import Envelope
from common.contracts.topics import SERVICES, TOPICS, topic_of
from common.kernel.ids import derived_id
from common.kernel.wall_clock import now
from devstack import Stack
from ops.platform import Platform
from ops.processes import services
from ops.publishing import publish
from ops.simulation.claims import Sent
from ops.simulation.quarter import SCHEME, Plan, simulate

_SEED = 17
_CASES = 120 if PROOF else 24
_ORDERS = 5 if PROOF else 1
_PLANNED = "basic@1"
_IN_THE_QUARTER = datetime(2026, 9, 20, 3, tzinfo=UTC)


@pytest.mark.real
@pytest.mark.proof
async def test_all_is_the_same_when_the_databases_are_made_from_the_topics_again(fresh_stack: Stack, tmp_path: Path) -> None:
    stack, random = fresh_stack, Random(_SEED)
    await clear(stack)
    wanted, platform = await _a_quarter(stack, tmp_path, random)
    said = {topic: first_of_each(await read_topic(stack.kafka, topic)) for topic in GRADED}
    expired = await rebuilding.expire(stack)
    log = await rebuilding.everything_on(stack, [topic for topic in TOPICS if topic.retention is None])
    assert {place.topic for place in log} > {"reference-documents", "cycle-claims", "rating-claims", "kpi-fact-claims", "kpi-facts"}
    delivered = 0
    for order in range(_ORDERS):
        found, number = await _shuffled(stack, log, Random(_SEED + order))
        delivered += number
        assert not (wrong := differences(wanted, found)), f"seed {_SEED + order}: {len(wrong)} differ\n" + "\n".join(wrong[:10])

    await rebuilding.drop_databases(stack)
    began = time.monotonic()
    with services(stack.kafka, stack.database_url, tmp_path / "rebuilt"):
        await platform.settled(300)
        took = time.monotonic() - began
        assert not (wrong := differences(wanted, await rebuilding.look_at(stack))), f"{len(wrong)} differ\n" + "\n".join(wrong[:10])
    for topic in GRADED:
        assert first_of_each(await read_topic(stack.kafka, topic)) == said[topic], f"{topic}: a rebuilt service says something else"
    versions = await _older_versions(stack)
    assert versions
    for employee, version in versions:
        words = [employee, "--cycle", CYCLE, "--scheme", SCHEME, "--version", str(version), "--verify", "--database", stack.database_url]
        assert await asyncio.to_thread(explain_command.run, words) == 0, f"{employee} version {version}"
    rows = {table: len(rows) for table, rows in wanted.items()}
    text = (
        f"{delivered} records in {_ORDERS} orders, {expired} expired before; rebuilt in {took:.1f} s; {len(versions)} old versions verify"
    )
    print(f"\n{text}; {rows}")  # noqa: T201 - the counts are what the proof is for


async def _a_quarter(stack: Stack, folder: Path, random: Random) -> tuple[Rows, Platform]:
    """A quarter, closed before some of it was known, and again after other rules, late claims, late facts and late ratings.

    Returns what is known then.
    """
    platform = Platform(stack.kafka, stack.database_url, SERVICES)
    sent = simulate(Plan(seed=_SEED, cases=_CASES))
    first, late = _parted(sent, random)
    subjects = sorted({record.key for record in late if record.topic == "rating-claims"})
    with services(stack.kafka, stack.database_url, folder / "first"):
        await publish(platform.settings, first)
        await platform.settled(120)
        await platform.close_cycle(CYCLE, SCHEME, for_real=True)
        await platform.settled(60)
        assert await _waiting(stack), "claims of cases that have not begun wait over the first close"
        await platform.close_cycle(CYCLE, _PLANNED, as_of=now() + timedelta(seconds=20))
        await _other_rules(stack, folder)
        await publish(platform.settings, [*late, *(_late_fact(f"employee:{number}") for number in subjects[:2])])
        await platform.settled(120)
        await platform.close_cycle(CYCLE, SCHEME, for_real=True)
        await platform.settled(60)
        await _planned_close_is_graded(stack)
        return await rebuilding.look_at(stack), platform


async def _waiting(stack: Stack) -> int:
    """How many events wait, in all services."""
    found = 0
    for service in SERVICES:
        async with database(stack.database_url, service) as connection:
            found += await connection.fetchval("SELECT count(*) FROM waiting")
    return found


async def _planned_close_is_graded(stack: Stack) -> None:
    """The instant has come for which a close under the other scheme was planned."""
    async with database(stack.database_url, "appraisal") as connection:

        async def graded() -> bool:
            status = await connection.fetchval("SELECT state ->> 'status' FROM cycles WHERE id = $1", f"{CYCLE}|{_PLANNED}")
            return bool(status == "graded")

        await until("the planned close has begun and ended", graded)


async def _other_rules(stack: Stack, folder: Path) -> None:
    """A calendar knows another year, and another policy takes over the clocks that are open."""
    calendar, policy = folder / "cn.yaml", folder / "complaints.yaml"
    calendar.write_text("name: cn\nversion: 2027\nyears: {2027: {closed: [01-01], make_up: []}}\n", "utf-8")
    _, shown = await command(stack, "policy", "show", "complaints")
    policy.write_text(shown.replace("version: 1", "version: 2").replace("working_days: 3", "working_days: 2"), "utf-8")
    for words in (("calendar", "publish", str(calendar)), ("policy", "activate", str(policy), "--open-clocks")):
        status, said = await command(stack, *words)
        assert status == 0, said


def _parted(sent: Sequence[Sent], random: Random) -> tuple[list[Sent], list[Sent]]:
    """What is known at the first close, and what comes only then: the ends of some cases, the beginnings of others, and some ratings.

    What else is said of a case that begins only then waits over the close.
    """
    cases: dict[tuple[str, str], list[Sent]] = {}
    for record in sent:
        if record.topic != "org-claims":
            cases.setdefault((record.topic, record.key), []).append(record)
    late: set[int] = set()
    for key in sorted(cases):
        ends = min(random.randint(1, 3), len(cases[key]) - 1) if random.random() < 0.15 else 0
        begins = cases[key][:1] if not ends and random.random() < 0.15 else []
        late |= {id(record) for record in [*begins, *cases[key][len(cases[key]) - ends :]]}
    return [record for record in sent if id(record) not in late], [record for record in sent if id(record) in late]


def _late_fact(subject: str) -> Sent:
    claim = KpiReported(case_id=f"late-{subject[-5:]}", indicator="customer_satisfaction", subject=subject, numerator="1", denominator="9")
    id = derived_id(_IN_THE_QUARTER, "tests", subject)
    envelope = Envelope(id, "/tests", claim.TYPE, claim.case_id, _IN_THE_QUARTER, _IN_THE_QUARTER)
    value, headers = encode(claim, envelope, key=claim.case_id)
    return Sent(_IN_THE_QUARTER, topic_of(KpiReported).name, claim.case_id, value, tuple(headers))


async def _shuffled(stack: Stack, log: rebuilding.Log, random: Random) -> tuple[Rows, int]:
    """Every service on an empty database of another name, which the topics are delivered to in another order, much of them twice."""
    names = {service: f"{service}_{secrets.token_hex(4)}" for service in SERVICES}
    async with database(stack.database_url, "postgres") as connection:
        for name in names.values():
            await connection.execute(f'CREATE DATABASE "{name}"')
    number = 0
    async with AsyncExitStack() as running:
        for service, name in names.items():
            one = await running.enter_async_context(service_on(service, stack.url_of(name)))
            number += await rebuilding.deliver(one, log, random)
        return await rebuilding.look_at(stack, names), number


async def _older_versions(stack: Stack) -> list[tuple[str, int]]:
    """Every version of a grade that a later one has superseded, by the person's number."""
    async with database(stack.database_url, "appraisal") as connection:
        rows = await connection.fetch(_SUPERSEDED)
    return [(row["subject"].partition(":")[2], row["version"]) for row in rows]


_SUPERSEDED = """
SELECT subject, version FROM grades g WHERE EXISTS (SELECT FROM grades n WHERE n.grade_key = g.grade_key AND n.version > g.version)
"""


def test_two_rebuilds_that_differ_in_one_row_are_told_apart() -> None:
    wanted = {"appraisal.grades": {"a v1": "80", "a v2": "81"}}
    assert differences(wanted, wanted) == []
    assert len(differences(wanted, {"appraisal.grades": {"a v1": "80", "b v1": json.dumps(81)}})) == 2
