"""Nothing is lost, doubled or out of order while each service and both servers are killed with -9 under load."""

import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.counted import PROOF
from tests.faults.decisions import HEAR_FROM_TWO_TOPICS, Decision, applied_out_of_order, lasting, out_of_order
from tests.faults.killing import DECIDED, GRADED, Left, clear, kills, look_at, play

from common.contracts.topics import BY_NAME
from devstack import Stack
from ops.processes import services
from ops.simulation.claims import Sent
from ops.simulation.quarter import Plan, simulate

_SEED = 5


@pytest.mark.real
@pytest.mark.proof
@pytest.mark.parametrize("replicas", [1, 2] if PROOF else [2])
async def test_a_quarter_ends_in_the_same_grades_whatever_was_killed_on_its_way(
    fresh_stack: Stack, tmp_path: Path, proof: bool, replicas: int
) -> None:
    plan = Plan(seed=_SEED, cases=220 if proof else 26)
    numbers = dict(zip(("intake", "dispatch", "complaints", "appraisal"), (3, 3, 2, 2) if proof else (1, 1, 1, 1), strict=True))
    sent = simulate(plan)
    ids = {dict(record.headers)["ce_id"].decode() for record in sent}
    assert len(ids) == len(sent) >= (1500 if proof else 300)

    await clear(fresh_stack)
    with services(fresh_stack.kafka, fresh_stack.database_url, tmp_path / "undisturbed") as running:
        await play(fresh_stack, running, sent)
    wanted = await look_at(fresh_stack)

    await clear(fresh_stack)
    began = time.monotonic()
    planned = kills(_SEED, numbers, {service: counts["events_in"] for service, counts in wanted.counts.items()}, replicas)
    with services(fresh_stack.kafka, fresh_stack.database_url, tmp_path / "disturbed", replicas=replicas) as running:
        done = await play(fresh_stack, running, sent, planned)
        died = [name for name, service in running.items() if service.process is None or service.process.poll() is not None]
    found = await look_at(fresh_stack)
    took = time.monotonic() - began

    decided = sum(len(found.decisions[topic]) for topic in DECIDED)
    text = f"seed {_SEED}, {replicas} replicas: killed {', '.join(done)}"
    text += f"; {len(sent)} claims, {decided} decisions, {found.repeated} sent again, {took:.0f} s"
    print(f"\n{text}; {dict(found.counts)}")  # noqa: T201 - the counts are what the proof is for
    assert len(done) == sum(numbers.values()) + 2, text
    assert not died, f"{text}: {died} did not live through the end of a server"
    assert_nothing_lost(found, sent, ids, text)
    assert_same_decisions(wanted, found, text)
    assert_in_order(found, sent, text)


@pytest.mark.parametrize("topic", DECIDED)
def test_two_decisions_about_one_key_that_changed_places_are_seen_on_every_topic(topic: str) -> None:
    counted = bool(BY_NAME[topic].aggregate)
    written = {("/aftersales/x", f"{number}"): number for number in (1, 2, 3)}
    first, second, third = (
        Decision(topic, "/aftersales/x", f"{number}", "planted", "K", number if counted else None, "", b"") for number in (1, 2, 3)
    )
    assert out_of_order([first, second, third], written) == []
    assert "K" in out_of_order([first, third, second], written)
    assert ("K" in out_of_order([first, third], written)) == counted


def assert_nothing_lost(found: Left, sent: Sequence[Sent], ids: set[str], text: str) -> None:
    """Every claim took effect once in the service that owns it, and nothing is on its way any more."""
    assert set(found.held_back.values()) == {0}, f"{text}: held back {found.held_back}"
    assert frozenset().union(*found.inbox.values()) == ids, text
    assert sum(len(taken) for taken in found.inbox.values()) == len(ids), f"{text}: a claim was taken twice"
    sent_on = Counter(record.topic for record in sent) + Counter({"cycle-claims": 1})
    assert {topic: number for topic, number in found.applied.items() if number} == sent_on, text
    for service, counts in found.counts.items():
        assert counts["events_in"] == counts["applied"] + counts["duplicates"] + counts["dead_letters"], f"{text}: {service} {counts}"
        assert (counts["outbox_unpublished"], counts["lag"]) == (0, 0), f"{text}: {service} {counts}"
    newest: dict[tuple[str, str, str, int], tuple[int, str, str]] = {}
    for decision in found.decisions["kpi-facts"]:
        fact = json.loads(decision.value)
        key = (fact["indicator"], fact["case_id"], fact["subject"], fact["occurrence"])
        newest[key] = max(newest.get(key, (0, "", "")), (fact["revision"], fact["numerator"], fact["denominator"]))
    assert found.facts == newest, f"{text}: appraisal does not know what kpi-facts says"


def assert_same_decisions(wanted: Left, found: Left, text: str) -> None:
    """The same ids, no more and no fewer, and the same grades."""
    for topic in DECIDED:
        wanted_here, found_here = lasting(wanted.decisions[topic]), lasting(found.decisions[topic])
        lost, added = wanted_here - found_here, found_here - wanted_here
        assert not lost | added, f"{text}: {topic} lacks {sorted(lost)[:5]} and has besides {sorted(added)[:5]}"
        assert len(found.decisions[topic]) == len(found.identities(topic)), f"{text}: {topic} has two ids for one decision"
    assert wanted.facts == found.facts, text
    assert wanted.digest == found.digest, f"{text}: the grades are others"
    for topic in GRADED:
        assert told(wanted, topic) == told(found, topic), f"{text}: {topic}"


def told(left: Left, topic: str) -> list[tuple[str, ...]]:
    """What was said on a topic of grades: as of when it was graded differs between two runs, and ids follow from that."""
    names = ("grade_key", "version", "score", "grade", "digest", "outcome_id", "reverses")
    bodies = [json.loads(decision.value) for decision in left.decisions[topic]]
    return sorted(tuple(str(body.get(name)) for name in names) for body in bodies)


def assert_in_order(found: Left, sent: Sequence[Sent], text: str, *, restored: str = "") -> None:
    """On its key each aggregate's events stand in their order, and its claims took effect in theirs."""
    said_again = HEAR_FROM_TWO_TOPICS & {f"/aftersales/{restored}"}
    for topic in DECIDED:
        assert found.decisions[topic], f"{text}: nothing stands on {topic}"
        wrong = out_of_order([one for one in found.decisions[topic] if one.source not in said_again], found.written)
        assert not wrong, f"{text}: {topic} {wrong[:5]}"
    for topic in ("service-requests", "work-orders", "complaints"):
        wrong = applied_out_of_order(found.decisions[topic], sent)
        assert not wrong, f"{text}: {topic} {wrong[:5]}"
