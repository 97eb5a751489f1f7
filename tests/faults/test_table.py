"""The table of faults counts what it is there to count: each kind of loss and double is planted once."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.faults.decisions import Decision
from tests.faults.killing import DECIDED, GRADED, Left, Watch
from tests.faults.table.__main__ import ROWS, Result
from tests.faults.table.comparing import differences
from tests.faults.table.quarter import Quarter

from common.contracts.topics import SERVICES
from devstack import Stack
from devstack.given import GivenServer
from ops.platform import Platform
from ops.simulation.quarter import Plan, simulate

SENT = simulate(Plan(seed=1, cases=1, staff=8))
IDS = frozenset(dict(record.headers)["ce_id"].decode() for record in SENT)
COUNTS = {"events_in": 3, "applied": 3, "duplicates": 0, "dead_letters": 0, "published": 3, "outbox_unpublished": 0, "lag": 0}


def quarter(**changes: Any) -> Quarter:
    """A quarter that nothing runs in."""
    nowhere = GivenServer("Kafka", "KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1", "nowhere")
    stack = Stack(nowhere, nowhere, Path(), named=False, say=lambda _: None)
    made = Quarter(stack, Platform("127.0.0.1:1", "", SERVICES), {}, SENT, Random(1), Path(), Watch(""))
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def decision(topic: str, key: str = "C1", id: str = "e1", value: bytes = b'{"grade_key": "g", "version": 1}') -> Decision:
    return Decision(topic, "/aftersales/complaints", id, "complaint.received", key, 1, "", value)


UNDISTURBED = Left(
    decisions={topic: [decision(topic)] for topic in (*DECIDED, *GRADED)},
    written={},
    repeated=0,
    counts=dict.fromkeys(SERVICES, COUNTS),
    applied={},
    inbox={"intake": IDS, "dispatch": frozenset()},
    held_back=dict.fromkeys(SERVICES, 0),
    facts={("in_time_solution", "C1", "employee:E1", 0): (2, "1", "1")},
    digest="sha256:1",
)


def with_decisions(topic: str, *decisions: Decision) -> Mapping[str, Any]:
    return {**UNDISTURBED.decisions, topic: list(decisions)}


def found(disturbed: Left, **changes: Any) -> tuple[int, int, int, bool]:
    """How much is lost, doubled and otherwise wrong, and whether the digests are equal."""
    result = differences(quarter(**changes), UNDISTURBED, disturbed)
    return len(result.lost), len(result.doubled), len(result.wrong), result.digest_equal


def test_a_quarter_like_the_undisturbed_one_lost_and_doubled_nothing() -> None:
    assert found(UNDISTURBED) == (0, 0, 0, True)


@pytest.mark.parametrize(
    ("planted", "counted"),
    [
        ({"inbox": {"intake": frozenset(list(IDS)[1:])}}, (1, 0, 0, True)),
        ({"inbox": {"intake": IDS, "dispatch": IDS}}, (0, len(IDS), 0, True)),
        ({"decisions": with_decisions("complaints")}, (1, 0, 0, True)),
        ({"decisions": with_decisions("complaints", decision("complaints"), decision("complaints", id="e2"))}, (0, 1, 0, True)),
        ({"decisions": with_decisions("grade-outcomes", *[decision("grade-outcomes")] * 2)}, (0, 2, 0, True)),  # told, and paid
        ({"decisions": with_decisions("grade-history")}, (1, 0, 0, True)),
        ({"facts": {}}, (1, 0, 0, True)),
        ({"facts": {("in_time_solution", "C1", "employee:E1", 0): (2, "0", "1")}}, (0, 0, 1, True)),
        ({"facts": {**UNDISTURBED.facts, ("in_time_solution", "C2", "employee:E1", 0): (2, "1", "1")}}, (0, 1, 0, True)),
        ({"held_back": {"intake": 1}}, (0, 0, 1, True)),
        ({"counts": {"intake": COUNTS | {"outbox_unpublished": 2}}}, (1, 0, 0, True)),
        ({"counts": {"intake": COUNTS | {"lag": 2}}}, (1, 0, 0, True)),
        ({"counts": {"intake": COUNTS | {"applied": 2}}}, (0, 0, 1, True)),
        ({"digest": "sha256:2"}, (0, 0, 0, False)),
    ],
)
def test_each_loss_and_each_double_is_counted(planted: dict[str, Any], counted: tuple[int, int, int, bool]) -> None:
    assert found(replace(UNDISTURBED, **planted)) == counted


def test_what_a_row_brings_in_itself_is_no_double_and_the_dead_letters_it_expects_are_right() -> None:
    topic = "kpi-facts"
    more = replace(
        UNDISTURBED,
        decisions=with_decisions(topic, decision(topic), decision(topic, id="forged-1")),
        held_back={"appraisal": 3},
    )
    expected = quarter(beyond="forged-")
    expected.letters.update({"appraisal": 3})
    assert found(more) == (0, 1, 1, True)
    assert differences(expected, UNDISTURBED, more).wrong == []
    assert differences(expected, UNDISTURBED, more).doubled == []


def test_what_follows_from_a_grade_is_counted_however_often_the_cycle_was_closed() -> None:
    first, second = decision("grade-outcomes"), decision("grade-outcomes", id="e2", value=b'{"grade_key": "g", "version": 2}')
    taken_back = decision("grade-outcomes", id="e3", value=b'{"grade_key": "g", "version": 2, "reverses": "o1"}')
    again = replace(UNDISTURBED, decisions=with_decisions("grade-outcomes", first, taken_back, second))
    assert found(again, closed_before=True) == (0, 0, 0, True)
    paid_twice = replace(UNDISTURBED, decisions=with_decisions("grade-outcomes", first, second))
    assert found(paid_twice, closed_before=True) == (0, 1, 0, True)


def test_a_row_is_right_only_when_it_was_tried() -> None:
    assert Result("churn", "churn", runs=1).is_right
    assert not Result("churn", "churn").is_right
    for planted in ({"lost": 1}, {"doubled": 1}, {"wrong": 1}, {"digest_equal": False}):
        assert not replace(Result("churn", "churn", runs=1), **planted).is_right


def test_every_row_has_a_name_of_its_own_and_is_tried() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert all(row.runs >= 1 and row.at_once >= 1 for row in ROWS)
