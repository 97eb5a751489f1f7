"""A graded cycle held against a plain model that asks everybody about everybody: sums, persons charged, and whom a change touches."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from tests.counted import counted

from appraisal.domain.grading import CycleInputs, Grading, PersonalGrade
from appraisal.domain.lots import KpiFact, Lot, lot_digest
from appraisal.domain.scheme import Scheme
from appraisal.presets import Schemes
from common.kernel.staff import LEVELS, Member, Staff

AS_OF = datetime(2026, 1, 20, tzinfo=UTC)
BASIC: Scheme = Schemes().find("basic@1")
INDICATORS = sorted(BASIC.indicators)
ALL = frozenset(LEVELS)
AS_OF = datetime(2026, 10, 12, tzinfo=UTC)


@st.composite
def organisations(draw: st.DrawFn) -> list[Member]:
    """Up to twelve people, each below somebody who was drawn before, or at a top."""
    found: list[Member] = []
    for number in range(draw(st.integers(1, 12))):
        above = draw(st.sampled_from([None, *(one.employee_id for one in found)]))
        found.append(Member(f"E{number:02}", "post", "d1", draw(st.sampled_from(("t1", "t2"))), above, draw(st.sampled_from(LEVELS))))
    return found


@st.composite
def reported(draw: st.DrawFn) -> list[KpiFact]:
    """Facts about these people and about strangers, in tenths."""
    return [
        KpiFact(
            f"{n:032x}",
            f"event-{n}",
            draw(st.sampled_from(INDICATORS)),
            f"C{n}",
            f"employee:E{draw(st.integers(0, 13)):02}",
            1,
            f"0.{draw(st.integers(0, 9))}",
            "1",
            n,
            (),
        )
        for n in range(draw(st.integers(0, 25)))
    ]


def lots(facts: Sequence[KpiFact]) -> list[Lot]:
    """What PostgreSQL makes of the facts."""
    groups: dict[tuple[str, str], list[KpiFact]] = {}
    for fact in facts:
        groups.setdefault((fact.subject, fact.indicator), []).append(fact)
    return [
        Lot(*key, sum((Fraction(one.numerator) for one in found), Fraction(0)), Fraction(len(found)), lot_digest(*key, found))
        for key, found in groups.items()
    ]


def graded(members: Sequence[Member], facts: Sequence[KpiFact]) -> dict[str, PersonalGrade]:
    cycle = Grading(CycleInputs("2025Q3", BASIC, Staff(tuple(members)), ALL, lots(facts), (), AS_OF, {"name": "cn"}))
    grades, without = cycle.grade(cycle.appraisees)
    assert set(without) | {one.member.employee_id for one in grades} == {one.employee_id for one in members}
    return {one.member.employee_id: one for one in grades}


def is_charged(members: Sequence[Member], leader: str, person: str) -> bool:
    """Whether one meets the leader on the way up from the person."""
    above = {one.employee_id: one.superior for one in members}
    found: str | None = person
    while found is not None and found != leader:
        found = above[found]
    return found is not None


@given(organisations(), reported(), st.randoms(use_true_random=False))
@counted(150, proof=3_000)
def test_sums_are_those_of_everybody_below_and_digests_hang_on_no_order(
    members: list[Member], facts: list[KpiFact], random: Random
) -> None:
    grades = graded(members, facts)
    numbers = [one.employee_id for one in members]
    for leader in numbers:
        below = [number for number in numbers if is_charged(members, leader, number)]
        counted = [fact for fact in facts if fact.subject.partition(":")[2] in below]
        assert (leader in grades) == bool(counted)
        if counted:
            for indicator in {fact.indicator for fact in counted}:
                own = [Fraction(fact.numerator) for fact in counted if fact.indicator == indicator]
                one = grades[leader].measured[indicator]
                assert (one.numerator, one.denominator) == (sum(own, Fraction(0)), Fraction(len(own)))
            assert set(grades[leader].measured) == {fact.indicator for fact in counted}
            assert set(grades[leader].inputs.facts) == {fact.subject for fact in counted}
    shuffled = list(members), list(facts)
    for one_list in shuffled:
        random.shuffle(one_list)
    again = graded(*shuffled)
    assert {number: one.digest for number, one in again.items()} == {number: one.digest for number, one in grades.items()}


@given(organisations(), reported(), st.data())
@counted(150, proof=3_000)
def test_a_corrected_fact_changes_the_digests_of_those_alone_who_are_charged_with_it(
    members: list[Member], facts: list[KpiFact], data: st.DataObject
) -> None:
    if not facts:
        return
    which = data.draw(st.integers(0, len(facts) - 1))
    corrected = [replace(fact, revision=2) if number == which else fact for number, fact in enumerate(facts)]
    before, after = graded(members, facts), graded(members, corrected)
    person = facts[which].subject.partition(":")[2]
    known = person in {one.employee_id for one in members}
    touched = {one.employee_id for one in members if known and is_charged(members, one.employee_id, person)}
    assert {number for number, one in before.items() if one.digest != after[number].digest} == touched


@given(organisations(), reported(), st.data())
@counted(150, proof=3_000)
def test_a_transfer_changes_the_digests_of_those_alone_whose_own_part_it_changes(
    members: list[Member], facts: list[KpiFact], data: st.DataObject
) -> None:
    which = data.draw(st.integers(0, len(members) - 1))
    other = "t2" if members[which].team == "t1" else "t1"
    moved = [replace(one, team=other) if number == which else one for number, one in enumerate(members)]
    before, after = graded(members, facts), graded(moved, facts)
    was, now = Staff(tuple(members)), Staff(tuple(moved))
    touched = {one.employee_id for one in members if one.employee_id == members[which].employee_id}
    for one, then in zip(members, moved, strict=True):
        if was.raters_of(one) != now.raters_of(then):
            touched.add(one.employee_id)
    assert {number for number, one in before.items() if one.digest != after[number].digest} == touched & set(before)
