"""The clock ledger: each rule by a hand-worked history, and random histories against a walk through the slots."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.common.clock_oracle import (
    SLOT,
    SLOT_SECONDS,
    brief,
    calendars,
    closing_of,
    end_of_working_day,
    few,
    instants,
    ordinary_day,
    time_on,
    times_of_day,
    walk,
    walked,
    windows,
    with_instants,
)

from common.kernel.clock_events import ClockEvent, Paused, Resumed, Started, Stopped
from common.kernel.clock_json import read_event, write_state
from common.kernel.clock_shares import before_due_at, share_before, share_due_at, used_share
from common.kernel.faults import Fault
from common.kernel.sla_clock import ClockState, fold
from common.kernel.targets import WorkingTime
from common.kernel.working_time import Calendar


def _weekly(days: str, opens: str, closes: str) -> Calendar:
    return Calendar.from_json({"time_zone": "UTC", "weekly_hours": {day: [[opens, closes]] for day in days.split()}})


OFFICE = {
    "office": _weekly("mon tue wed thu fri", "09:00", "17:00"),
    "always": _weekly("mon tue wed thu fri sat sun", "00:00", "24:00"),
}
HOUR = 3_600_000_000


def on(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of January 2026, whose 5th is a Monday."""
    return datetime(2026, 1, day, hour, minute, tzinfo=UTC)


def event(kind: str, at: datetime, **fields: Any) -> ClockEvent:
    document = {"id": f"{kind} {at.isoformat()}", "type": kind, "at": at.isoformat(), **fields}
    return read_event(document, ("event",), lambda name, _: str(name))


MONDAY = on(5, 9)


def started(at: datetime = MONDAY, hours: float = 2, **fields: Any) -> ClockEvent:
    return event("started", at, **({"calendar": "office", "target": {"working_seconds": int(hours * 3600)}, "owner": "wang"} | fields))


def told(*events: ClockEvent, as_of: datetime) -> ClockState:
    return fold(events, as_of, OFFICE)


def test_a_running_clock_projects_its_deadline() -> None:
    clock = told(started(), as_of=on(5, 10))
    assert (clock.state, clock.outcome, clock.deadline, clock.elapsed_micros) == ("running", "open", on(5, 11), HOUR)


def test_a_stop_at_the_deadline_is_met_and_a_microsecond_later_is_breached() -> None:
    assert told(started(), event("stopped", on(5, 11)), as_of=on(6, 9)).outcome == "met"
    late = told(started(), event("stopped", on(5, 11) + timedelta(microseconds=1)), as_of=on(6, 9))
    assert (late.outcome, late.breached_at, late.deadline, late.overdue_micros) == ("breached", on(5, 11), on(5, 11), 1)


def test_at_the_deadline_itself_a_clock_is_still_open() -> None:
    assert told(started(), as_of=on(5, 11)).outcome == "open"
    assert told(started(), as_of=on(5, 11, 1)).outcome == "breached"


def test_a_met_or_paused_clock_has_no_deadline() -> None:
    assert told(started(), event("stopped", on(5, 10)), as_of=on(5, 12)).deadline is None
    paused = told(started(), event("paused", on(5, 10), party="customer"), as_of=on(9, 12))
    assert (paused.state, paused.outcome, paused.deadline, paused.due_at) == ("paused", "open", None, None)


def test_paused_time_belongs_to_the_party_and_moves_the_deadline() -> None:
    clock = told(started(), event("paused", on(5, 10), party="customer"), event("resumed", on(6, 10)), as_of=on(6, 10, 30))
    assert clock.deadline == on(6, 11)
    assert clock.paused_micros_by_party == {"customer": 8 * HOUR}
    assert clock.micros_by_owner == {"wang": HOUR * 3 // 2}


def test_a_pause_that_begins_at_the_deadline_comes_too_late() -> None:
    clock = told(started(), event("paused", on(5, 11), party="customer"), as_of=on(5, 12))
    assert (clock.outcome, clock.breached_at) == ("breached", on(5, 11))


def test_running_time_belongs_to_whoever_owns_the_clock_at_the_time() -> None:
    clock = told(started(), event("owner_changed", on(5, 9, 30), owner="li"), event("stopped", on(5, 11)), as_of=on(5, 12))
    assert clock.micros_by_owner == {"wang": HOUR // 2, "li": HOUR * 3 // 2}
    assert clock.elapsed_micros == 2 * HOUR


def test_an_owner_can_change_during_a_pause() -> None:
    clock = told(
        started(),
        event("paused", on(5, 10), party="customer"),
        event("owner_changed", on(5, 11), owner="li"),
        event("resumed", on(5, 12)),
        as_of=on(5, 12, 30),
    )
    assert clock.micros_by_owner == {"wang": HOUR, "li": HOUR // 2}


def test_a_longer_target_in_time_moves_the_deadline_and_keeps_what_was_consumed() -> None:
    clock = told(started(), event("changed", on(5, 10), target={"working_seconds": 4 * 3600}), as_of=on(5, 12))
    assert (clock.outcome, clock.deadline) == ("open", on(5, 13))


def test_a_longer_target_at_the_deadline_is_in_time_and_after_it_changes_nothing() -> None:
    longer = {"working_seconds": 4 * 3600}
    assert told(started(), event("changed", on(5, 11), target=longer), as_of=on(5, 12)).outcome == "open"
    late = told(started(), event("changed", on(5, 11, 1), target=longer), as_of=on(5, 12))
    assert (late.outcome, late.breached_at, late.overdue_micros) == ("breached", on(5, 11), 0)


def test_a_target_smaller_than_what_is_consumed_breaches_at_the_change() -> None:
    clock = told(started(), event("changed", on(5, 10, 30), target={"working_seconds": 3600}), as_of=on(5, 10, 30))
    assert (clock.outcome, clock.breached_at, clock.overdue_micros) == ("breached", on(5, 10, 30), HOUR // 2)


def test_a_target_equal_to_what_is_consumed_is_due_at_the_change() -> None:
    change = event("changed", on(5, 10), target={"working_seconds": 3600})
    assert told(started(), change, as_of=on(5, 10)).deadline == on(5, 10)
    assert told(started(), change, event("stopped", on(5, 10)), as_of=on(5, 12)).outcome == "met"
    assert told(started(), change, as_of=on(5, 11)).breached_at == on(5, 10)


def test_another_calendar_counts_from_its_change_on() -> None:
    clock = told(started(hours=10), event("changed", on(5, 16), calendar="always"), as_of=on(5, 18))
    assert clock.deadline == on(5, 19)
    assert clock.elapsed_micros == 9 * HOUR


def test_days_as_working_hours_are_measured_by_the_calendar_in_force() -> None:
    days = {"working_days": 1, "meaning": "working_hours"}
    assert told(started(target=days), as_of=on(5, 9)).deadline == on(5, 17)
    assert told(started(target=days), event("changed", on(5, 10), calendar="always"), as_of=on(5, 10)).deadline == on(6, 9)


def test_time_between_stop_and_reopening_does_not_count() -> None:
    clock = told(started(), event("stopped", on(5, 10)), event("reopened", on(6, 9)), as_of=on(6, 9, 30))
    assert (clock.state, clock.outcome, clock.reopenings, clock.deadline) == ("running", "open", 1, on(6, 10))
    assert clock.elapsed_micros == HOUR * 3 // 2


def test_a_breach_stays_a_breach_when_the_clock_is_reopened() -> None:
    clock = told(started(), event("stopped", on(5, 12)), event("reopened", on(6, 9)), as_of=on(6, 10))
    assert (clock.outcome, clock.breached_at, clock.overdue_micros) == ("breached", on(5, 11), 2 * HOUR)


def test_a_clock_reopened_with_nothing_left_breaches_at_the_reopening() -> None:
    clock = told(started(), event("stopped", on(5, 11)), event("reopened", on(6, 9)), as_of=on(6, 10))
    assert clock.breached_at == on(6, 9)


def test_a_clock_stopped_in_a_pause_runs_again_when_it_is_reopened() -> None:
    clock = told(
        started(), event("paused", on(5, 10), party="c"), event("stopped", on(5, 11)), event("reopened", on(5, 12)), as_of=on(5, 12, 15)
    )
    assert (clock.state, clock.elapsed_micros) == ("running", HOUR * 5 // 4)


def test_the_end_of_a_working_day_is_a_fixed_instant_that_pauses_do_not_move() -> None:
    by_day = started(target={"working_days": 1})
    paused = event("paused", on(5, 12), party="customer")
    clock = told(by_day, paused, as_of=on(6, 12))
    assert (clock.outcome, clock.deadline, clock.due_at) == ("open", None, on(6, 17))
    late = told(by_day, paused, event("resumed", on(7, 10)), as_of=on(7, 11))
    assert (late.outcome, late.breached_at, late.overdue_micros) == ("breached", on(6, 17), HOUR)


def test_pauses_move_the_end_of_a_working_day_when_the_policy_counts_them() -> None:
    by_day = started(target={"working_days": 1, "pauses_count": True})
    clock = told(by_day, event("paused", on(5, 12), party="customer"), event("resumed", on(5, 14)), as_of=on(5, 14))
    assert clock.deadline == on(7, 11)


SAME_DAY = {"working_days": 0, "cut_off": "14:00", "by": "16:00"}


def test_what_came_before_the_cut_off_is_due_on_the_same_day_and_what_came_at_it_on_the_next() -> None:
    before, at_it = (told(started(on(5, *start), target=SAME_DAY), as_of=on(5, 15)) for start in ((13, 59), (14, 0)))
    assert (before.deadline, at_it.deadline) == (on(5, 16), on(6, 16))
    friday = started(on(9, 14), target=SAME_DAY)
    assert told(friday, event("stopped", on(12, 16)), as_of=on(13, 9)).outcome == "met"
    late = told(friday, event("stopped", on(12, 16, 1)), as_of=on(13, 9))
    assert (late.outcome, late.breached_at, late.overdue_micros) == ("breached", on(12, 16), HOUR // 60)


def test_an_hour_at_which_nobody_works_is_waited_for_and_a_pause_moves_it_only_before_the_work_is_over() -> None:
    by_seven = started(on(5, 16), target={"working_days": 1, "by": "07:00", "pauses_count": True})  # one hour of work, then the night
    assert told(by_seven, as_of=on(5, 16, 30)).deadline == on(6, 7)
    assert told(by_seven, as_of=on(6, 6)).deadline == on(6, 7)
    assert told(by_seven, event("stopped", on(6, 7)), as_of=on(7, 9)).outcome == "met"
    assert told(by_seven, event("stopped", on(6, 7, 1)), as_of=on(7, 9)).breached_at == on(6, 7)
    by_night = told(by_seven, event("paused", on(5, 20), party="customer"), as_of=on(6, 12))
    assert by_night.breached_at == on(6, 7)
    assert told(by_seven, event("paused", on(5, 20), party="customer"), as_of=on(6, 6)).due_at == on(6, 7)
    in_time = told(by_seven, event("paused", on(5, 16, 30), party="customer"), event("resumed", on(6, 10)), as_of=on(6, 10))
    assert in_time.deadline == on(6, 10, 30)
    assert told(by_seven, event("stopped", on(5, 20)), event("reopened", on(6, 10)), as_of=on(6, 11)).breached_at == on(6, 10)


def test_a_change_to_an_hour_for_which_all_the_work_is_done_is_due_at_that_hour() -> None:
    changed = event("changed", on(5, 17), target={"working_days": 1, "by": "07:00", "pauses_count": True})
    clock = told(started(on(5, 16)), changed, as_of=on(6, 6))
    assert (clock.outcome, clock.deadline) == ("open", on(6, 7))
    assert told(started(on(5, 16)), changed, as_of=on(6, 8)).breached_at == on(6, 7)


def test_a_reminder_of_an_hour_before_which_nobody_works_comes_at_that_hour_and_not_after_it() -> None:
    for target in ({"working_days": 1, "by": "07:00"}, {"working_days": 1, "by": "07:00", "pauses_count": True}):
        clock = told(started(on(5, 18), target=target), as_of=on(5, 19))
        assert (share_due_at(clock, Fraction(3, 4)), share_due_at(clock, Fraction(1)), clock.due_at) == (on(6, 7),) * 3
        assert used_share(clock) is None


def test_a_change_counts_days_from_the_original_start() -> None:
    clock = told(started(target={"working_days": 1}), event("changed", on(6, 12), target={"working_days": 3}), as_of=on(6, 12))
    assert clock.deadline == on(8, 17)
    cut = told(started(target={"working_days": 3}), event("changed", on(7, 12), target={"working_days": 1}), as_of=on(7, 12))
    assert cut.breached_at == on(7, 12)


def test_a_fixed_instant_that_passed_while_the_clock_was_stopped_is_breached_at_the_reopening() -> None:
    clock = told(started(target={"working_days": 1}), event("stopped", on(5, 12)), event("reopened", on(8, 12)), as_of=on(8, 13))
    assert (clock.breached_at, clock.overdue_micros) == (on(8, 12), HOUR)


def test_a_clock_that_is_reopened_exactly_at_its_fixed_instant_is_late_only_when_time_passes_it() -> None:
    history = [started(target={"working_days": 1}), event("stopped", on(6, 12)), event("reopened", on(6, 17))]
    there = told(*history, as_of=on(6, 17))
    assert (there.outcome, there.deadline, there.breached_at) == ("open", on(6, 17), None)
    assert told(*history, event("stopped", on(6, 17)), as_of=on(7, 9)).outcome == "met"
    assert told(*history, as_of=on(7, 9)).breached_at == on(6, 17)


def test_a_target_of_zero_is_due_when_work_goes_on() -> None:
    clock = told(started(on(3, 12), hours=0), as_of=on(4, 12))
    assert (clock.outcome, clock.deadline) == ("open", on(5, 9))
    assert told(started(on(3, 12), hours=0), as_of=on(5, 9)).outcome == "open"
    for later in (on(5, 9, 1), on(5, 17), on(6, 3)):
        assert told(started(on(3, 12), hours=0), as_of=later).breached_at == on(5, 9)


def test_events_that_the_state_does_not_admit_are_ignored_and_listed() -> None:
    events = [
        event("resumed", on(5, 8)),
        started(),
        started(on(5, 9, 5)),
        event("resumed", on(5, 9, 10)),
        event("reopened", on(5, 9, 15)),
        event("paused", on(5, 9, 20), party="c"),
        event("paused", on(5, 9, 25), party="c"),
        event("stopped", on(5, 9, 30)),
        event("stopped", on(5, 9, 35)),
        event("paused", on(5, 9, 40), party="c"),
        event("owner_changed", on(5, 9, 45), owner="li"),
        event("changed", on(5, 9, 50), calendar="always"),
        event("resumed", on(5, 9, 55)),
    ]
    admitted = [events[index].id for index in (1, 5, 7)]
    assert told(*events, as_of=on(5, 12)).ignored == tuple(each.id for each in events if each.id not in admitted)


def test_events_after_as_of_do_not_count_and_are_not_listed() -> None:
    clock = told(started(), event("stopped", on(5, 12)), event("stopped", on(5, 13)), as_of=on(5, 10))
    assert (clock.outcome, clock.state, clock.ignored) == ("open", "running", ())
    with pytest.raises(Fault) as refusal:
        told(started(), as_of=on(5, 8))
    assert refusal.value.rule == "not_started"


def test_ties_are_broken_by_sequence_first_and_then_by_id() -> None:
    at = on(5, 10)
    begin = Started(id="s", at=on(5, 9), calendar="office", target=WorkingTime(8 * HOUR))
    numbered: list[ClockEvent] = [Paused(id="z", at=at, sequence=0, party="c"), Resumed(id="a", at=at, sequence=1)]
    assert fold([begin, *numbered], on(5, 11), OFFICE).ignored == ()
    assert fold([begin, Paused(id="b", at=at, party="c"), Resumed(id="a", at=at)], on(5, 11), OFFICE).ignored == ("a",)
    assert fold([begin, Paused(id="b", at=at, party="c"), Resumed(id="a", at=at, sequence=9)], on(5, 11), OFFICE).ignored == ("a",)


def test_the_same_id_with_other_content_is_a_conflict() -> None:
    twice = [Stopped(id="x", at=on(5, 10)), Stopped(id="x", at=on(5, 11))]
    with pytest.raises(Fault) as refusal:
        fold([started(), *twice], on(5, 12), OFFICE)
    assert refusal.value.rule == "conflicting_duplicate"


def test_a_breach_goes_when_a_stop_in_time_becomes_known_late() -> None:
    known = [started()]
    assert told(*known, as_of=on(6, 9)).outcome == "breached"
    assert told(*known, event("stopped", on(5, 10)), as_of=on(6, 9)).outcome == "met"


def test_shares_of_the_target_are_due_on_the_calendar() -> None:
    clock = told(started(hours=16), as_of=on(5, 10))
    assert share_due_at(clock, Fraction(3, 4)) == on(6, 13)
    assert share_due_at(clock, Fraction(1)) == on(6, 17)
    assert share_due_at(clock, Fraction(1, 32)) == on(5, 9, 30)
    assert used_share(clock) == Fraction(1, 16)
    assert share_due_at(told(started(), event("paused", on(5, 10), party="c"), as_of=on(5, 12)), Fraction(3, 4)) is None
    assert share_due_at(told(started(), event("stopped", on(5, 10)), as_of=on(5, 12)), Fraction(3, 4)) is None


def test_a_share_that_was_consumed_is_due_when_it_was_also_at_the_end_of_a_stretch_of_running() -> None:
    pauses = [event("paused", on(5, 10), party="c"), event("resumed", on(5, 12)), event("paused", on(5, 13), party="c")]
    clock = told(started(hours=4), *pauses, as_of=on(5, 14))
    due = {Fraction(1, 4): on(5, 10), Fraction(3, 8): on(5, 12, 30), Fraction(1, 2): on(5, 13), Fraction(5, 8): None}
    assert {share: share_due_at(clock, share) for share in due} == due
    second = told(started(target={"working_seconds": 1}), as_of=MONDAY)
    assert share_due_at(second, Fraction(1, 3)) == MONDAY + timedelta(microseconds=333_334), "not before the share is consumed"


def test_the_steps_of_a_clock_say_whose_each_stretch_was_and_why_it_stood_still() -> None:
    pauses = [event("paused", on(5, 10), party="c", reason="away"), event("resumed", on(5, 12)), event("paused", on(5, 13), party="d")]
    steps = write_state(told(started(hours=4), *pauses, as_of=on(5, 14)), explain=True)["steps"]
    said = [(step["state"], step.get("owner"), step.get("party"), step.get("reason"), step["working_seconds"]) for step in steps]
    assert said == [
        ("running", "wang", None, None, 3600),
        ("paused", None, "c", "away", 7200),
        ("running", "wang", None, None, 3600),
        ("paused", None, "d", None, 3600),
    ]
    same_instant = [*pauses, event("owner_changed", on(5, 13), owner="li")]
    assert [
        step["working_seconds"] for step in write_state(told(started(hours=4), *same_instant, as_of=on(5, 13)), explain=True)["steps"]
    ] == [
        3600,
        7200,
        3600,
    ], "no step has no time"
    assert (steps[1]["from"], steps[1]["to"]) == ("2026-01-05T10:00:00+00:00", "2026-01-05T12:00:00+00:00")


def test_so_much_time_before_the_deadline_is_a_share_of_the_target() -> None:
    clock = told(started(hours=4), as_of=on(5, 10))
    assert [share_before(clock, hours * HOUR) for hours in (0, 1, 4, 5)] == [1, Fraction(3, 4), 0, 0]
    at_once = told(started(on(5, 10), hours=0), as_of=on(5, 10))
    assert share_before(at_once, HOUR) == 1
    assert used_share(at_once) is None
    assert before_due_at(told(started(), event("stopped", on(5, 10)), as_of=on(5, 12)), HOUR) is None
    fixed = told(started(target={"working_days": 1}), event("paused", on(5, 10), party="c"), as_of=on(5, 12))
    assert before_due_at(fixed, HOUR) == on(6, 16)


def test_shares_of_a_fixed_instant_come_nearer_during_a_pause_too() -> None:
    clock = told(started(target={"working_days": 1}), event("paused", on(5, 10), party="c"), as_of=on(5, 12))
    assert share_due_at(clock, Fraction(3, 4)) == on(6, 13)
    assert share_due_at(clock, Fraction(1)) == on(6, 17)
    assert used_share(clock) == Fraction(3, 16)


USUAL = ("paused", "resumed", "owner_changed", "changed", "extended", "stopped", "reopened", "restarted")
KINDS = st.sampled_from((*USUAL, *USUAL, "started", "voided"))
"""What is drawn for a history: a void, after which nothing counts, and a second start are rare."""
NOTHING = {"none": True, "reason": "a courtesy"}
LOOKED_AT = 11
"""How many days after the beginning the last look at a clock may be."""


def _days(number: int) -> dict[str, Any]:
    return {"working_days": number, "meaning": "end_of_day"}


def _slots(number: int) -> dict[str, Any]:
    return {"working_seconds": number * SLOT_SECONDS}


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[dict[str, Any]], datetime, datetime, dict[str, dict[str, Any]]]:
    """Events in the contract's order, where they begin, when to look, and the calendars they name."""
    document, begin = draw(windows())
    known = {"one": document, "two": draw(calendars("Asia/Shanghai", begin))}
    days = st.integers(1, 4).map(_days)
    slots = st.integers(0, 120).map(_slots)
    by_hours = days.map(lambda target: {**target, "meaning": "working_hours"})
    by_times = st.builds(lambda target, times: target | times, st.integers(0, 4).map(_days), times_of_day)
    counting_pauses = (days | by_times).map(lambda target: {**target, "pauses_count": True})
    promises = slots | days | by_times | counting_pauses | by_hours
    targets = promises | promises | st.just(NOTHING)
    moments = sorted(draw(st.lists(instants(begin, days=8), min_size=1, max_size=9)))
    opening = min(draw(st.sampled_from((0, 0, 0, 1))), len(moments) - 1)
    events = []
    for number, moment in enumerate(moments):
        kind = "started" if number == opening else draw(KINDS)
        if number < opening and kind == "started":
            kind = "stopped"
        fields: dict[str, Any] = {"type": kind, "at": moment.isoformat()}
        match kind:
            case "started":
                fields |= {"calendar": "one", "target": draw(targets), "owner": draw(st.sampled_from("ab"))}
            case "paused":
                fields |= {"party": draw(st.sampled_from("xy"))}
            case "owner_changed":
                fields |= {"owner": draw(st.sampled_from("abc"))}
            case "changed":
                name = draw(st.sampled_from(("one", "two", "")))
                fields |= {"calendar": name} if name else {"target": draw(targets)}
            case "restarted":
                fields |= draw(st.fixed_dictionaries({}, optional={"calendar": st.sampled_from(("one", "two")), "target": targets}))
            case "extended":
                fields |= {"target": draw(promises)}
            case "voided":
                fields |= draw(st.fixed_dictionaries({}, optional={"owed": st.booleans()}))
        events.append(fields)
    events += draw(_excuses(known, begin, [each["target"] for each in events if "by" in each.get("target", ())]))
    events.sort(key=lambda each: each["at"])
    numbered = [{"id": f"e{number}", "sequence": number, **each} for number, each in enumerate(events)]
    return numbered, begin, max(moments[opening], draw(instants(begin, days=LOOKED_AT))), known


@st.composite
def _excuses(draw: st.DrawFn, known: dict[str, dict[str, Any]], begin: datetime, by_times: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Up to three windows, said at any time; their ends like to be where something may fall due."""
    number = draw(st.sampled_from((0, 0, 1, 1, 2, 3)))
    if not number:
        return []
    days = [begin.date() + timedelta(days=ahead) for ahead in range(LOOKED_AT)]
    dues = [due for document in known.values() for day in days if (due := closing_of(document, day))]
    dues += [time_on(document, day, target["by"]) for document in known.values() for day in days[::2] for target in by_times]
    edges = instants(begin, days=LOOKED_AT) | (st.sampled_from(dues) if dues else st.nothing())
    lengths = st.integers(1, 60) | st.integers(1, 3 * 96)
    found = []
    for _ in range(number):
        edge, length = draw(edges), draw(lengths) * SLOT
        since, until = draw(st.sampled_from(((edge, edge + length), (edge - length, edge))))
        at = draw(instants(begin, days=LOOKED_AT))
        found.append({"type": "excused", "at": at.isoformat(), "from": since.isoformat(), "to": until.isoformat()})
    return found


def _read(events: list[dict[str, Any]]) -> list[ClockEvent]:
    return [read_event(each, ("event",), lambda name, _: str(name)) for each in events]


def _days_exist(begin: datetime, known: dict[str, dict[str, Any]]) -> bool:
    """Whether both calendars have an ordinary day, and as many days as a target may name after all that is special about them."""
    ordinary = begin + timedelta(days=LOOKED_AT + 5)
    return all(ordinary_day(document) and end_of_working_day(document, ordinary, 5) is not None for document in known.values())


def _answer(events: list[dict[str, Any]], as_of: datetime, known: dict[str, dict[str, Any]]) -> dict[str, Any]:
    clock = fold(_read(events), as_of, {name: Calendar.from_json(document) for name, document in known.items()})
    return with_instants(write_state(clock))


def _is_answered(events: list[dict[str, Any]], as_of: datetime, known: dict[str, dict[str, Any]]) -> bool:
    """Whether every calendar of the history has the working days that its targets ask for: it has an answer."""
    try:
        _answer(events, as_of, known)
    except Fault:
        return False
    return True


@given(histories())
@walked
def test_histories_agree_with_a_walk_through_the_slots(history: tuple[Any, ...]) -> None:
    events, begin, as_of, known = history
    assume(_days_exist(begin, known))
    expected = walk([each for each in events if datetime.fromisoformat(each["at"]) <= as_of], begin, as_of, known).answer(as_of)
    answer = _answer(events, as_of, known)
    assert expected == {name: answer.get(name) for name in expected}
    assert sum(answer["working_seconds_by_owner"].values()) == sum(each["elapsed_working_seconds"] for each in (answer, *answer["rounds"]))


def _excusing(change: Callable[[dict[str, Any]], list[dict[str, Any]]], events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same history, with something else in the place of each excuse."""
    return [other for each in events for other in (change(each) if each["type"] == "excused" else [each])]


@given(histories(), st.data())
@few
def test_when_an_excuse_is_made_changes_nothing(history: tuple[Any, ...], data: st.DataObject) -> None:
    events, begin, as_of, known = history
    assume(any(each["type"] == "excused" for each in events) and _is_answered(events, as_of, known))
    known_of = [each for each in events if datetime.fromisoformat(each["at"]) <= as_of]
    at = instants(begin - timedelta(days=30), days=60).filter(lambda at: at <= as_of)
    moved = _excusing(lambda each: [{**each, "at": data.draw(at).isoformat()}], known_of)
    assert _answer(moved, as_of, known) == _answer(known_of, as_of, known)


@given(histories(), st.integers(0, 100), st.integers(0, 100))
@few
def test_a_window_in_two_parts_that_overlap_or_touch_excuses_the_same(history: tuple[Any, ...], one: int, other: int) -> None:
    events, _begin, as_of, known = history
    assume(any(each["type"] == "excused" for each in events) and _is_answered(events, as_of, known))

    def parted(each: dict[str, Any]) -> list[dict[str, Any]]:
        since, until = (datetime.fromisoformat(each[name]) for name in ("from", "to"))
        first, last = (since + share * (until - since) / 101 for share in sorted((one, other)))
        begins = {"id": f"{each['id']} begins", "to": max(last, since + SLOT / 2).isoformat()}
        ends = {"id": f"{each['id']} ends", "from": first.isoformat()}
        return [{**each, **begins}, {**each, **ends}]

    assert _answer(_excusing(parted, events), as_of, known) == _answer(events, as_of, known)


@given(histories())
@few
def test_a_clock_is_as_it_was_when_it_was_voided_whatever_else_happens(history: tuple[Any, ...]) -> None:
    events, _begin, as_of, known = history
    assume(_is_answered(events, as_of, known))
    first = next((datetime.fromisoformat(each["at"]) for each in events if each["type"] == "started"), as_of)
    void = {"id": "void", "sequence": -1, "type": "voided", "at": (first + SLOT).isoformat()}
    excuses = [each for each in events if each["type"] == "excused" or datetime.fromisoformat(each["at"]) <= first]
    later = max(as_of, first + SLOT)
    ended, alone = _answer([*events, void], later, known), _answer([*excuses, void], later, known)
    assert ended["state"] == alone["state"] == "void"
    assert {**ended, "ignored": []} == {**alone, "ignored": []}


@given(histories(), st.randoms(use_true_random=False))
@brief
def test_order_and_duplicates_of_what_is_told_change_nothing(history: tuple[Any, ...], random: Any) -> None:
    events, _begin, as_of, known = history
    assume(_is_answered(events, as_of, known))
    told_calendars = {name: Calendar.from_json(document) for name, document in known.items()}
    read = _read(events)
    shuffled = [*read, *random.choices(read, k=5)]
    random.shuffle(shuffled)
    assert write_state(fold(shuffled, as_of, told_calendars)) == write_state(fold(read, as_of, told_calendars))
    assert fold(shuffled, as_of, told_calendars) == fold(read, as_of, told_calendars)


@given(histories(), st.data())
@brief
def test_splitting_a_pause_changes_no_clock(history: tuple[Any, ...], data: st.DataObject) -> None:
    events, _begin, as_of, known = history
    assume(_is_answered(events, as_of, known))
    told_calendars = {name: Calendar.from_json(document) for name, document in known.items()}
    whole = fold(_read(events), as_of, told_calendars)
    split = fold(list(_split(_read(events), whole.ignored, data)), as_of, told_calendars)
    assert {**write_state(split), "ignored": []} == {**write_state(whole), "ignored": []}
    assert split.due_at == whole.due_at


def _split(events: list[ClockEvent], ignored: tuple[str, ...], data: st.DataObject) -> Iterator[ClockEvent]:
    """The same events, with a resumption and a new pause by the same party inside each pause that took effect."""
    effective = [each for each in events if each.id not in ignored]
    for each, following in zip(effective, [*effective[1:], None], strict=True):
        yield each
        if isinstance(each, Paused) and following is not None and following.at - each.at > timedelta(0):
            cut = each.at + data.draw(st.integers(0, 100)) * (following.at - each.at) / 100
            if each.at < cut < following.at:
                yield Resumed(id=f"{each.id} cut", at=cut, sequence=1)
                yield Paused(id=f"{each.id} again", at=cut, sequence=2, party=each.party, reason=each.reason)
