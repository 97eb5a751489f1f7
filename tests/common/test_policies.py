"""Policies as data: which promise a clock gets, which pauses count for it, and when somebody is told before the deadline."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common.contracts.sla_clocks import SlaClockAtRisk, SlaClockPaused, SlaClockResumed
from common.kernel.clock_events import Started
from common.kernel.clock_shares import before_due_at
from common.kernel.clocks import ClockEntry
from common.kernel.sla_clock import fold
from common.kernel.targets import WorkingDays, WorkingTime
from common.kernel.working_time import Calendar
from common.runtime.kept_clock import Clock
from common.runtime.ledger import ClockBook
from common.runtime.policies import PolicyError, Threshold, parse_policy
from common.runtime.rules import CalendarVersion, PolicyVersion, Rules
from common.runtime.telling import Fact
from common.runtime.unit_of_work import Cause

EIGHT_TO_SIX = Calendar.from_json({"time_zone": "UTC", "weekly_hours": {day: [["08:00", "18:00"]] for day in ("mon", "tue", "wed")}})
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def at(hours: float, day: int = 0) -> datetime:
    return MONDAY + timedelta(days=day, hours=hours)


def policy_of(version: int = 1, **rule: Any) -> dict[str, Any]:
    return {"policy": "dispatch", "version": version, "stages": {"completion": [{"calendar": "24x7", **rule}]}}


class OneClock:
    """A book with the clock of one case, spoken to directly."""

    def __init__(self, document: dict[str, Any], **published: Any) -> None:
        self.book = ClockBook("dispatch", Rules.of(parse_policy(document), **published))
        self.facts: list[Fact] = []

    def say(self, kind: Any, moment: datetime, **more: Any) -> None:
        cause = Cause(id=f"#{len(self.facts)}{moment}", time=moment, recorded_at=moment)
        self.facts += self.book.advance("work_orders:W1", moment)
        self.facts += self.book.record("work_orders:W1", ClockEntry("completion", kind, moment, **more), cause, 0)

    def pass_time(self, moment: datetime) -> None:
        self.facts += self.book.advance("work_orders:W1", moment)

    def told(self, kind: type[Any]) -> list[Any]:
        return [fact.event for fact in self.facts if isinstance(fact.event, kind)]

    @property
    def clock(self) -> Clock:
        return self.book.clocks["work_orders:W1"]["completion"]


@pytest.mark.parametrize(
    ("start", "target", "hours", "due"),
    [
        (at(9.5), WorkingTime(9 * 3600 * 10**6), 1, at(17.5)),  # due Tuesday 08:30, so an hour of work before is Monday 17:30
        (at(9.5), WorkingDays(1), 1, at(17, day=1)),
        (at(9.5), WorkingTime(9 * 3600 * 10**6), 20, at(9.5)),  # so little is left from the start
        (at(7), WorkingTime(3600 * 10**6), 1, at(8)),
    ],
)
def test_working_time_before_the_deadline_is_counted_back_over_closing_time(
    start: datetime, target: WorkingTime | WorkingDays, hours: int, due: datetime
) -> None:
    clock = fold([Started(id="1", at=start, calendar="shop", target=target)], start, {"shop": EIGHT_TO_SIX})
    assert before_due_at(clock, hours * 3600 * 10**6) == due


def test_each_role_is_told_once_at_its_own_step_whether_a_share_or_the_time_that_is_left() -> None:
    steps = [{"before": {"working_seconds": 1800}, "notify": ["manager"]}, {"at": "1/2", "notify": ["dispatcher"]}, "3/4"]
    case = OneClock(policy_of(target={"working_seconds": 36000}, thresholds=steps))
    case.say("started", at(0))
    case.pass_time(at(9.6))
    case.pass_time(at(9.7))
    told = [(event.at, event.used_share, event.before_seconds, event.notify) for event in case.told(SlaClockAtRisk)]
    assert told == [(at(5), "1/2", None, ("dispatcher",)), (at(7.5), "3/4", None, ()), (at(9.5), "19/20", 1800, ("manager",))]


def test_only_a_pause_that_the_policy_counts_stops_the_clock() -> None:
    case = OneClock(policy_of(target={"working_seconds": 36000}, pauses=["customer", "no spare part"]))
    case.say("started", at(0))
    case.say("paused", at(1), party="vendor", reason="lunch")
    assert case.clock.state.deadline == at(10)
    case.say("resumed", at(2))
    assert (case.told(SlaClockPaused), case.told(SlaClockResumed)) == ([], [])
    case.say("paused", at(3), party="customer", reason="asked for another day")
    case.say("resumed", at(4))
    case.say("paused", at(5), party="vendor", reason="no spare part")
    case.say("resumed", at(6))
    assert case.clock.state.deadline == at(12)
    assert [event.party for event in case.told(SlaClockPaused)] == ["customer", "vendor"]
    assert [type(event).__name__ for event in case.clock.events].count("Paused") == 3  # what was said stays in the ledger


def test_a_clock_begins_under_the_policy_that_holds_at_its_start_and_keeps_it() -> None:
    second = parse_policy(policy_of(2, target={"working_seconds": 7200}))
    document = policy_of(target={"working_seconds": 36000})
    for start, deadline, ref in ((at(1.9), at(11.9), "dispatch@1"), (at(2), at(4), "dispatch@2")):
        case = OneClock(document, policies=[PolicyVersion(second, at(2), event_id="p2")])
        case.say("started", start)
        case.pass_time(at(3))
        assert (case.clock.state.deadline, case.clock.policy) == (deadline, ref)


def test_a_policy_whose_calendar_nobody_has_published_does_not_hold_yet() -> None:
    second = PolicyVersion(
        parse_policy({**policy_of(2), "stages": {"completion": [{"calendar": "shop", "target": {"working_days": 1}}]}}), at(0)
    )
    first = parse_policy(policy_of(target={"working_seconds": 36000}))
    assert Rules.of(first, policies=[second]).in_force(at(1)).ref == "dispatch@1"
    assert Rules.of(first, [CalendarVersion("shop", 1, EIGHT_TO_SIX)], [second]).in_force(at(1)).ref == "dispatch@2"


@pytest.mark.parametrize(
    ("rule", "place", "problem"),
    [
        ({"target": {"working_hours": 1}}, ("stages", "completion", 0, "target"), "working_seconds"),
        ({"target": {"working_days": "3/2"}}, ("stages", "completion", 0, "target", "working_days"), "whole number"),
        ({"target": {"working_days": 1}, "thresholds": ["5/4"]}, ("stages", "completion", 0, "thresholds", 0), "up to 1"),
        ({"target": {"working_days": 1}, "thresholds": [{"at": 0}]}, ("stages", "completion", 0, "thresholds", 0, "at"), "above 0"),
        ({"target": {"working_days": 1}, "owner": "me"}, ("stages", "completion", 0, "owner"), "no such field"),
        ({"target": {"working_days": 1}, "when": {"weather": "fine"}}, ("stages", "completion", 0, "when", "weather"), "one of"),
        ({"target": {"working_days": 1}, "when": {"region": "north"}}, ("stages", "completion", 0), "last rule"),
        ({}, ("stages", "completion", 0), "no target"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_policy_is_said_with_its_place(rule: dict[str, Any], place: tuple[Any, ...], problem: str) -> None:
    with pytest.raises(PolicyError, match=problem) as found:
        parse_policy(policy_of(**rule))
    assert found.value.place == place


@pytest.mark.parametrize("document", ["3/4", {"at": "1/3", "notify": ["a"]}, {"before": {"working_seconds": "1.5"}, "notify": []}])
def test_a_threshold_is_read_back_from_the_ledger_as_it_was(document: Any) -> None:
    threshold = Threshold.read(document)
    assert Threshold.read(threshold.written()) == threshold
