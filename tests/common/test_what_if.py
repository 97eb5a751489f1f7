"""What another promise would have meant: the rules that were in force change nothing, others count as if they had always been there."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st
from tests.common.test_fold_goes_on import SHORTER, as_event, policy, said, targets
from tests.counted import counted

from common.kernel.clock_events import Paused, Reopened, Started, Stopped
from common.kernel.working_time import Calendar
from common.sla.excuses import ExcusedVersion, ExcusedWindow
from common.sla.ledger import Ledger, LedgerEvent, fold_ledger
from common.sla.policy import Policy, parse_policy
from common.sla.rulebook import CalendarVersion, PolicyVersion, Rulebook
from common.sla.what_if import compare, rulebook_if

START = datetime(2026, 3, 2, 1, tzinfo=UTC)  # a Monday, 09:00 in Shanghai
HOUR = timedelta(hours=1)
PRESENT = START + timedelta(days=60)
LONGER = Calendar.from_json(
    {"time_zone": "Asia/Shanghai", "weekly_hours": {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}}
)
stories = st.lists(st.tuples(said, st.integers(0, 60)), max_size=12)
versions = st.lists(st.tuples(st.sampled_from((SHORTER, LONGER)), st.integers(-10, 60)), max_size=3)
others = st.builds(CalendarVersion, st.just("cn"), st.sampled_from((1, 7)), st.sampled_from((SHORTER, LONGER)))
policies = st.tuples(targets, targets, st.booleans())


def ledger_of(story: Any) -> Ledger:
    """A clock that begins on a Monday at nine, of which things are said in any order."""
    began = Started(id="e1", at=START, sequence=1, owner="dispatch", traits={"priority": "low"})
    events = (as_event(number, START + hours * HOUR, kind, who, urgent) for number, ((kind, _, who, urgent), hours) in enumerate(story, 2))
    return Ledger("stage", (began, *events))


def policy_of(version: int, drawn: Any) -> Policy:
    target, urgent, all_pauses = drawn
    found: Policy = policy(version, target, urgent, all_pauses=all_pauses)
    return found


def published(drawn: Any) -> list[CalendarVersion]:
    return [
        CalendarVersion("cn", number, calendar, START + hours * HOUR, f"c{number}") for number, (calendar, hours) in enumerate(drawn, 1)
    ]


def stopped(*hours: float, pauses: tuple[LedgerEvent, ...] = ()) -> Ledger:
    """A clock that was stopped that many hours after its start."""
    began = Started(id="e1", at=START, sequence=1, owner="wang", traits={"priority": "low"})
    return Ledger("stage", (began, *pauses, *(Stopped(id=f"s{one}", at=START + one * HOUR, sequence=90) for one in hours)))


def seconds(amount: int, **more: Any) -> Policy:
    """A promise of so many seconds around the clock."""
    rule = {"target": {"working_seconds": amount}, "calendar": "24x7", **more}
    return parse_policy({"policy": "tests", "version": 1, "stages": {"stage": [rule]}})


def in_force(policy: Policy) -> Rulebook:
    return Rulebook.of([PolicyVersion(policy, event_id="p1")])


def test_an_excused_window_counts_under_other_rules_as_it_does_under_those_in_force() -> None:
    window = ExcusedWindow(START, START + HOUR, "typhoon")
    typhoon = {"typhoon": (ExcusedVersion("typhoon", 1, window, START, "w1"),)}
    rulebook = replace(in_force(seconds(3600)), excused=typhoon, service="tests")
    found = compare(stopped(1.5), PRESENT, rulebook, rulebook_if(rulebook, seconds(3600), ()))
    assert (found.was.outcome, found.would_be.outcome) == ("met", "met")
    assert compare(stopped(1.5), PRESENT, in_force(seconds(3600)), rulebook).was.outcome == "breached", "without the window"


@counted(300, proof=20_000)
@given(drawn=policies, story=stories, calendars=versions, later=st.integers(0, 100))
def test_with_the_policy_that_was_in_force_nothing_changes(drawn: Any, story: Any, calendars: Any, later: int) -> None:
    own, ledger, as_of = policy_of(1, drawn), ledger_of(story), START + later * HOUR
    rulebook = Rulebook.of([PolicyVersion(own, event_id="p1"), *published(calendars)])
    found = compare(ledger, as_of, rulebook, rulebook_if(rulebook, own, ()))
    event(f"outcome: {found.was.outcome}")
    assert found.was.state == found.would_be.state == fold_ledger(rulebook, ledger, as_of).state
    assert not found.is_other
    assert found.was.deadline == found.would_be.deadline


@counted(300, proof=20_000)
@given(first=policies, second=policies, story=stories, calendars=versions, other=others, moves=st.booleans())
def test_another_calendar_counts_as_if_it_had_always_been_there(
    first: Any, second: Any, story: Any, calendars: Any, other: CalendarVersion, moves: bool
) -> None:
    ledger, own = ledger_of(story), [PolicyVersion(policy_of(1, first), event_id="p1")]
    own.append(PolicyVersion(policy_of(2, second), START + 20 * HOUR, applies_to_open=moves, event_id="p2"))
    rulebook = Rulebook.of([*own, *published(calendars)])
    found = compare(ledger, PRESENT, rulebook, rulebook_if(rulebook, None, [other]))
    always = Rulebook.of([*own, other])
    event(f"{found.was.outcome} to {found.would_be.outcome}")
    assert found.would_be.state == fold_ledger(always, ledger, PRESENT).state
    assert found.was.state == fold_ledger(rulebook, ledger, PRESENT).state


@counted(300, proof=20_000)
@given(first=policies, second=policies, other=policies, story=stories, calendars=versions, moves=st.booleans())
def test_another_policy_takes_the_place_of_every_version(
    first: Any, second: Any, other: Any, story: Any, calendars: Any, moves: bool
) -> None:
    ledger, others = ledger_of(story), policy_of(2, other)  # the same version as one that was in force
    own = [PolicyVersion(policy_of(1, first)), PolicyVersion(policy_of(2, second), START + 20 * HOUR, applies_to_open=moves, event_id="p2")]
    rulebook = Rulebook.of([*own, *published(calendars)])
    would_be = compare(ledger, PRESENT, rulebook, rulebook_if(rulebook, others, ())).would_be
    alone = Rulebook.of([PolicyVersion(others), *published(calendars)])
    assert would_be.state == fold_ledger(alone, ledger, PRESENT).state


def test_a_breach_that_the_other_promise_would_have_found_is_found_and_one_that_is_still_to_come_is_open() -> None:
    rulebook, ledger = in_force(seconds(3600)), stopped()
    longer = rulebook_if(rulebook, seconds(2 * 3600), ())
    found = compare(ledger, START + 3 * HOUR, rulebook, longer)
    assert (found.was.outcome, found.would_be.outcome, found.is_other) == ("breached", "breached", False)
    assert (found.was.deadline, found.would_be.deadline) == (START + HOUR, START + 2 * HOUR)
    found = compare(ledger, START + 1.5 * HOUR, rulebook, longer)
    assert (found.was.outcome, found.would_be.outcome, found.is_other) == ("breached", "open", True)
    assert found.would_be.deadline == START + 2 * HOUR


def test_who_was_late_would_have_been_in_time_to_the_microsecond_of_the_longer_promise() -> None:
    rulebook, ledger = in_force(seconds(3600)), stopped(2)
    found = compare(ledger, PRESENT, rulebook, rulebook_if(rulebook, seconds(2 * 3600), ()))
    assert (found.was.outcome, found.would_be.outcome) == ("breached", "met")
    assert (found.was.deadline, found.would_be.deadline) == (START + HOUR, START + 2 * HOUR)
    back = compare(ledger, PRESENT, in_force(seconds(2 * 3600)), rulebook)
    assert (back.was.outcome, back.would_be.outcome) == ("met", "breached")
    assert (back.was.deadline, back.would_be.deadline) == (START + 2 * HOUR, START + HOUR)


def test_a_second_stop_moves_no_deadline() -> None:
    rulebook, ledger = in_force(seconds(3600)), stopped(0.5, 4)
    found = compare(ledger, PRESENT, rulebook, rulebook_if(rulebook, seconds(1200), ()))
    assert (found.was.outcome, found.was.deadline) == ("met", START + HOUR)
    assert (found.would_be.outcome, found.would_be.deadline) == ("breached", START + HOUR / 3)


def test_pauses_that_the_other_promise_does_not_count_are_none() -> None:
    paused = (Paused(id="e2", at=START + HOUR / 2, sequence=2, party="customer", reason="not_at_home"),)
    rulebook, ledger = in_force(seconds(3600)), stopped(2, pauses=paused)
    found = compare(ledger, PRESENT, rulebook, rulebook_if(rulebook, seconds(3600, pauses=["parts"]), ()))
    assert (found.was.outcome, found.would_be.outcome) == ("met", "breached")
    assert (found.was.deadline, found.would_be.deadline) == (None, START + HOUR)  # it stood still when it was stopped


def test_a_clock_that_was_reopened_is_judged_by_its_whole_life() -> None:
    reopened = Reopened(id="r1", at=START + 5 * HOUR, sequence=80)
    began, first = stopped(0.5).events
    ledger = Ledger("stage", (began, first, reopened, Stopped(id="s2", at=START + 5.75 * HOUR, sequence=91)))
    rulebook = in_force(seconds(3600))
    found = compare(ledger, PRESENT, rulebook, rulebook_if(rulebook, seconds(4499), ()))
    assert (found.was.outcome, found.was.deadline) == ("breached", START + 5.5 * HOUR)
    assert found.would_be.outcome == "breached"  # half an hour before it was reopened and three quarters after make 4500 seconds
    kept = compare(ledger, PRESENT, rulebook, rulebook_if(rulebook, seconds(4500), ()))
    assert (kept.would_be.outcome, kept.would_be.deadline) == ("met", START + 5.75 * HOUR)


def test_a_built_in_calendar_is_replaced_too_and_others_stay() -> None:
    rulebook = Rulebook.of([PolicyVersion(seconds(3600)), CalendarVersion("works", 3, SHORTER, START, "w3")])
    other = rulebook_if(rulebook, None, [CalendarVersion("24x7", 1, SHORTER)])
    assert other.at_start("24x7", START).content == SHORTER
    assert other.calendars["works"] == rulebook.calendars["works"]
    assert rulebook.at_start("24x7", START).content != SHORTER
