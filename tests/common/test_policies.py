"""Policies as data: which promise a clock gets, which pauses count for it, and when somebody is told before the deadline."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from common.contracts.cause import Cause
from common.contracts.kpi_facts import KpiRecorded
from common.contracts.sla_clocks import SlaClockAtRisk, SlaClockMet, SlaClockPaused, SlaClockRederived, SlaClockResumed, SlaClockStarted
from common.kernel.calendars import built_in
from common.kernel.clock_events import KINDS, Started
from common.kernel.clock_shares import before_due_at
from common.kernel.faults import Fault
from common.kernel.reference import EVER, Document, Documents
from common.kernel.sla_clock import fold
from common.kernel.targets import WorkingDays, WorkingTime
from common.kernel.timeline import Hours
from common.kernel.working_time import Calendar
from common.sla.clock import Clock
from common.sla.clock_book import ClockBook
from common.sla.ledger import RuleUsed, Terms, terms_at
from common.sla.policy import Extensions, parse_policy
from common.sla.reconcile import Fact
from common.sla.rulebook import KINDS as KINDS_OF_RULES
from common.sla.rulebook import CalendarVersion, PolicyVersion, Rulebook

EIGHT_TO_SIX = Calendar.from_json({"time_zone": "UTC", "weekly_hours": {day: [["08:00", "18:00"]] for day in ("mon", "tue", "wed")}})
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def at(hours: float, day: int = 0) -> datetime:
    return MONDAY + timedelta(days=day, hours=hours)


def policy_of(version: int = 1, **rule: Any) -> dict[str, Any]:
    return {"policy": "dispatch", "version": version, "stages": {"completion": [{"calendar": "24x7", **rule}]}}


class OneClock:
    """A book with the clock of one case, spoken to directly."""

    def __init__(self, document: dict[str, Any], *published: CalendarVersion | PolicyVersion) -> None:
        self.book = ClockBook("dispatch", Rulebook.of([PolicyVersion(parse_policy(document)), *published]))
        self.facts: list[Fact] = []

    def say(self, kind: Any, moment: datetime, **more: Any) -> None:
        cause = Cause(id=f"#{len(self.facts)}{moment}", time=moment, recorded_at=moment)
        self.facts += self.book.advance("work_orders:W1", moment)
        self.facts += self.book.record("work_orders:W1", "completion", KINDS[kind](at=moment, **more), cause, 0)

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
        case = OneClock(document, PolicyVersion(second, at(2), event_id="p2"))
        case.say("started", start)
        case.pass_time(at(3))
        assert (case.clock.state.deadline, case.clock.folded.terms[-1].policy) == (deadline, ref)


def test_an_open_clock_that_goes_over_to_another_policy_takes_all_that_it_promises() -> None:
    first = policy_of(target={"working_seconds": 36000}, thresholds=["1/2"], indicators=["in_time_solution"])
    second = policy_of(2, target={"working_seconds": 72000}, thresholds=["1/2"], pauses=["customer"], indicators=["complaint_handling"])
    case = OneClock(first, PolicyVersion(parse_policy(second), at(6), applies_to_open=True, event_id="p2"))
    case.say("started", at(0), owner="employee:E1")
    case.pass_time(at(5.5))
    case.say("paused", at(7), party="vendor", reason="lunch")  # under the first it would have been one
    case.say("resumed", at(8))
    case.pass_time(at(12))
    assert [(event.at, event.policy) for event in case.told(SlaClockAtRisk)] == [(at(5), "dispatch@1"), (at(10), "dispatch@2")]
    assert case.clock.state.deadline == at(20)
    case.say("stopped", at(13))
    credited = [(event.indicator, event.numerator) for event in case.told(KpiRecorded)]
    assert credited == [("complaint_handling", "1")]
    assert [event.policy for event in case.told(SlaClockMet)] == ["dispatch@2"]


def test_what_fell_due_before_an_event_at_a_policys_own_instant_is_told_as_the_policy_before_it_promised() -> None:
    first = policy_of(target={"working_seconds": 36000}, thresholds=["1/2"])
    second = policy_of(2, target={"working_seconds": 72000})
    case = OneClock(first, PolicyVersion(parse_policy(second), at(6), applies_to_open=True, event_id="p2"))
    case.say("started", at(0))
    case.say("owner_changed", at(6), owner="employee:E2")
    assert [(event.at, event.policy) for event in case.told(SlaClockAtRisk)] == [(at(5), "dispatch@1")]
    assert case.clock.state.deadline == at(20)


URGENT = {
    "policy": "dispatch",
    "version": 1,
    "stages": {
        "completion": [
            {"when": {"priority": "urgent"}, "target": {"working_seconds": 14400}, "calendar": "24x7"},
            {"target": {"working_seconds": 36000}, "calendar": "24x7"},
        ]
    },
}


def test_a_case_whose_priority_is_judged_anew_has_another_promise_from_then_on_and_what_was_consumed_stays() -> None:
    case = OneClock(URGENT)
    case.say("started", at(0), traits={"priority": "low", "region": "north"})
    case.say("changed", at(1), traits={"priority": "urgent"}, reason="water in the cabinet")
    (told,) = case.told(SlaClockRederived)
    assert (told.was, told.deadline, told.why, told.at) == (at(10), at(4), "priority urgent", at(1))
    case.say("changed", at(2), traits={"priority": "low"}, reason="only condensation")
    assert case.clock.state.deadline == at(10)
    assert [terms.traits["priority"] for terms in case.clock.folded.terms] == ["low", "urgent", "low"]
    assert {terms.traits["region"] for terms in case.clock.folded.terms} == {"north"}


def test_a_promise_that_is_broken_as_soon_as_it_is_made_warns_of_nothing() -> None:
    case = OneClock(URGENT)
    case.say("started", at(0), traits={"priority": "low"})
    case.say("changed", at(6), traits={"priority": "urgent"}, reason="misjudged")
    case.pass_time(at(11))
    assert (case.clock.state.breached_at, case.told(SlaClockAtRisk)) == (at(6), [])


def test_nobody_is_warned_of_a_share_that_is_used_at_the_stop_itself() -> None:
    case = OneClock(policy_of(target={"working_seconds": 36000}, thresholds=["1/2"]))
    case.say("started", at(0))
    case.say("stopped", at(5))
    assert (case.told(SlaClockAtRisk), len(case.told(SlaClockMet))) == ([], 1)


@pytest.mark.parametrize("by_event", [False, True], ids=["derived anew", "found by an event"])
def test_rules_that_become_known_together_are_told_together_as_of_the_last_of_them(by_event: bool) -> None:
    half_days = replace(built_in("24x7"), weekly_hours=((Hours(0, 12 * 3600),),) * 7)
    case = OneClock(policy_of(target={"working_seconds": 36000}))
    case.say("started", at(0))
    case.say("owner_changed", at(9), owner="employee:E2")
    second = PolicyVersion(parse_policy(policy_of(2, target={"working_seconds": 72000})), at(6), applies_to_open=True, event_id="p2")
    case.book.rulebook = case.book.rulebook.with_one(second).with_one(CalendarVersion("24x7", 1, half_days, at(5), "c1"))
    if by_event:
        case.pass_time(at(9))
    else:
        case.facts += case.book.rederive("work_orders:W1", None)
    (told,) = case.told(SlaClockRederived)
    assert (told.at, told.was, told.deadline) == (at(6), at(10), at(8, day=1))
    assert told.why == "policy dispatch@2, calendar 24x7@1"
    trail = [(one.id, one.sequence, one.at, one.rule) for one in case.clock.events if isinstance(one, RuleUsed)]
    assert trail == [("p2:3", 3, at(6), "policy dispatch@2"), ("c1:4", 4, at(5), "calendar 24x7@1")]


def test_a_credit_can_be_asked_by_how_the_case_stood_and_what_was_taken_back_by_nothing() -> None:
    case = OneClock(policy_of(target={"working_seconds": 36000}, indicators=["in_time_solution"]))
    case.say("started", at(0), owner="employee:E1", team="t1", traits={"region": "north", "category": "noise"})
    case.say("owner_changed", at(1), owner="employee:E2", team="t2")
    case.say("changed", at(2), traits={"region": "south"}, reason="moved")
    case.say("stopped", at(3))
    case.say("reopened", at(4))
    dimensions = {"region": "south", "problem_type": "noise", "team": "t2"}
    credited = [(event.subject, event.numerator, event.denominator, event.dimensions) for event in case.told(KpiRecorded)]
    assert credited == [("employee:E2", "1", "1", dimensions), ("employee:E2", "0", "0", {})]


def test_a_clock_that_nobody_owns_is_the_departments_and_one_beyond_the_known_years_says_so() -> None:
    case = OneClock(policy_of(target={"working_seconds": 3600}, indicators=["in_time_solution"]))
    case.say("started", at(0), owner="")
    case.say("stopped", at(1))
    assert [event.subject for event in case.told(KpiRecorded)] == ["department:dispatch"]
    far = OneClock(
        policy_of(target={"working_days": 300}) | {"stages": {"completion": [{"calendar": "cn", "target": {"working_days": 300}}]}}
    )
    far.say("started", at(0))
    assert [event.provisional for event in far.told(SlaClockStarted)] == [True]
    assert [event.provisional for event in case.told(SlaClockStarted)] == [False]


def test_a_breach_stands_although_the_priority_is_judged_anew_and_the_new_promise_warns_of_nothing() -> None:
    case = OneClock(URGENT)
    case.say("started", at(0), traits={"priority": "urgent"})
    case.pass_time(at(5))
    case.say("changed", at(6), traits={"priority": "low"}, reason="misjudged")
    case.pass_time(at(11))
    assert (case.clock.state.outcome, case.clock.state.breached_at) == ("breached", at(4))
    assert [event.at for event in case.told(SlaClockAtRisk)] == [at(3), at(3.6)]


def test_a_priority_that_was_judged_earlier_and_becomes_known_later_counts_from_its_own_instant() -> None:
    in_order, late = OneClock(URGENT), OneClock(URGENT)
    entries = [("started", at(0), {"priority": "low"}), ("changed", at(1), {"priority": "urgent"}), ("changed", at(3), {"priority": "low"})]
    for case, order in ((in_order, (0, 1, 2)), (late, (0, 2, 1))):
        for number in order:
            kind, moment, traits = entries[number]
            case.say(kind, moment, traits=traits)
        case.pass_time(at(9))
    assert in_order.clock.state.deadline == late.clock.state.deadline == at(10)
    assert in_order.clock.folded.terms[-1].traits == late.clock.folded.terms[-1].traits


def test_a_reopened_clock_goes_over_to_the_rules_that_were_published_while_it_was_closed() -> None:
    half_days = replace(built_in("24x7"), weekly_hours=((Hours(0, 12 * 3600),),) * 7)
    second = PolicyVersion(parse_policy(policy_of(2, target={"working_seconds": 72000})), at(6), applies_to_open=True, event_id="p2")
    case = OneClock(policy_of(target={"working_seconds": 36000}), CalendarVersion("24x7", 1, half_days, at(5), "c1"), second)
    case.say("started", at(0))
    case.say("stopped", at(4))
    case.pass_time(at(7))
    assert case.clock.state.outcome == "met"
    case.say("reopened", at(8))
    assert case.clock.state.deadline == at(12, day=1)  # 4 h before, 4 h until noon, and the 12 h of the next day
    assert [(terms.policy, terms.effective_at) for terms in case.clock.folded.terms] == [("dispatch@1", at(0)), ("dispatch@2", at(8))]


@pytest.mark.parametrize("rule", ["calendar", "policy"])
def test_the_next_change_of_the_rules_lies_ahead_and_not_at_the_instant_itself(rule: str) -> None:
    half_days = replace(built_in("24x7"), weekly_hours=((Hours(0, 12 * 3600),),) * 7)
    calendar = CalendarVersion("24x7", 1, half_days, at(5), "c1")
    policy = PolicyVersion(parse_policy(policy_of(2, target={"working_seconds": 72000})), at(5), applies_to_open=True, event_id="p2")
    case = OneClock(policy_of(target={"working_seconds": 36000}), calendar if rule == "calendar" else policy)
    case.say("started", at(0))
    case.say("owner_changed", at(4), owner="employee:E2")
    assert case.clock.folded.next_change_at == at(5)
    case.say("owner_changed", at(5), owner="employee:E1")
    assert case.clock.folded.next_change_at is None


def test_a_policy_that_a_clock_has_gone_over_to_does_not_begin_again_when_the_clock_is_reopened() -> None:
    second = PolicyVersion(parse_policy(policy_of(2, target={"working_seconds": 72000})), at(3), applies_to_open=True, event_id="p2")
    case = OneClock(policy_of(target={"working_seconds": 36000}), second)
    for kind, hour in (("started", 0), ("stopped", 4), ("reopened", 8)):
        case.say(kind, at(hour))
    assert [(terms.policy, terms.effective_at) for terms in case.clock.folded.terms] == [("dispatch@1", at(0)), ("dispatch@2", at(3))]


def document(kind: str, name: str, version: int, body: dict[str, Any], effective_at: datetime = EVER, **more: Any) -> Document:
    return Document(kind, name, version, effective_at, body, f"{name}-{version}", **more)


def test_a_service_goes_by_its_own_policies_and_by_every_calendar_among_the_documents() -> None:
    hours, rule = EIGHT_TO_SIX.to_json(), {"calendar": "shop", "target": {"working_days": 1}}
    first, second = (policy_of(number) | {"stages": {"completion": [rule]}} for number in (1, 2))
    found = [
        document("sla-policy", "dispatch", 1, first),
        document("sla-policy", "dispatch", 2, second, at(2), applies_to_open=True),
        document("sla-policy", "dispatch", 3, {"stages": "of a later release"}, at(9)),
        document("sla-policy", "intake", 4, {**second, "policy": "intake", "version": 4}, at(3)),
        document("calendar", "shop", 1, hours),
        document("calendar", "shop", 2, {"hours": "of a later release"}, at(6)),
    ]
    rulebook = Rulebook.in_documents(Documents(KINDS_OF_RULES, found), "dispatch", 7)
    assert rulebook.revision == 7
    held = [(one.policy.ref, one.effective_at, one.applies_to_open, one.event_id) for one in rulebook.policies]
    assert held == [
        ("dispatch@1", EVER, False, "dispatch-1"),
        ("dispatch@2", at(2), True, "dispatch-2"),
        ("unreadable@3", at(9), False, "dispatch-3"),
    ]
    used = rulebook.at_start("shop", at(5))
    assert (used.ref, used.calendar, used.event_id) == ("shop@1", EIGHT_TO_SIX, "shop-1")
    assert [one.ref for one in rulebook.later(used)] == ["shop@2"]
    with pytest.raises(LookupError, match="calendar shop@2 cannot be read"):
        _ = rulebook.at_start("shop", at(6)).calendar
    with pytest.raises(LookupError, match="unreadable@3 promises nothing for the stage completion"):
        rulebook.policies[-1].policy.promise("completion", {})
    with pytest.raises(Fault, match="the known calendars are 24x7, cn, mon-fri, shop"):
        rulebook.at_start("nights", at(5))
    instants = [EVER - timedelta(microseconds=1), EVER, at(2), at(9)]
    assert [rulebook.number_effective(instant) for instant in instants] == [0, 2, 3, 5]


def test_a_fixed_deadline_that_comes_near_during_a_pause_is_told_in_the_pause() -> None:
    case = OneClock(policy_of(target={"working_days": 1}, thresholds=["3/4"]))
    case.say("started", at(0))
    case.say("paused", at(1), party="customer", reason="away")
    case.pass_time(at(40))
    assert [(event.at, event.used_share) for event in case.told(SlaClockAtRisk)] == [(at(36), "3/4")]


def test_a_service_keeps_the_clocks_of_its_policy_and_none_before_it_has_one() -> None:
    policy = parse_policy(policy_of(target={"working_days": 1}))
    assert (Rulebook.of([]).stages, Rulebook.of([PolicyVersion(policy)]).stages) == ((), ("completion",))


def test_a_policy_whose_calendar_nobody_has_published_does_not_hold_yet() -> None:
    second = PolicyVersion(
        parse_policy({**policy_of(2), "stages": {"completion": [{"calendar": "shop", "target": {"working_days": 1}}]}}), at(0)
    )
    first = PolicyVersion(parse_policy(policy_of(target={"working_seconds": 36000})))
    assert Rulebook.of([first, second]).policies_since(at(1))[0].policy.ref == "dispatch@1"
    assert Rulebook.of([first, second, CalendarVersion("shop", 1, EIGHT_TO_SIX)]).policies_since(at(1))[0].policy.ref == "dispatch@2"


SHOP_POLICY = {"policy": "dispatch", "version": 2, "stages": {"completion": [{"calendar": "shop", "target": {"working_days": 1}}]}}


@pytest.mark.parametrize(
    ("effective_at", "published_at", "holds_from"), [(at(0), at(3), at(3)), (at(5), at(3), at(5)), (at(4), at(4), at(4))]
)
def test_a_policy_holds_from_its_own_instant_or_the_publication_of_its_calendar_whichever_is_later(
    effective_at: datetime, published_at: datetime, holds_from: datetime
) -> None:
    first = PolicyVersion(parse_policy(policy_of(target={"working_seconds": 36000})))
    second = PolicyVersion(parse_policy(SHOP_POLICY), effective_at, event_id="p2")
    rulebook = Rulebook.of([first, second, CalendarVersion("shop", 1, EIGHT_TO_SIX, published_at)])
    asked = (holds_from - timedelta(microseconds=1), holds_from)
    assert [rulebook.policies_since(start)[0].policy.ref for start in asked] == ["dispatch@1", "dispatch@2"]


def test_a_threshold_may_be_the_whole_target_and_is_told_at_the_deadline() -> None:
    case = OneClock(policy_of(target={"working_seconds": 3600}, thresholds=["1/2", 1]))
    case.say("started", at(0))
    case.pass_time(at(2))
    assert [(event.at, event.used_share) for event in case.told(SlaClockAtRisk)] == [(at(0.5), "1/2"), (at(1), "1")]


@pytest.mark.parametrize(
    ("rule", "place", "problem"),
    [
        ({"target": {"working_hours": 1}}, ("stages", "completion", 0, "target"), "working_seconds"),
        ({"target": {"working_days": "3/2"}}, ("stages", "completion", 0, "target", "working_days"), "whole number"),
        ({"target": {"working_days": 1}, "thresholds": ["5/4"]}, ("stages", "completion", 0, "thresholds", 0), "up to 1"),
        ({"target": {"working_days": 1}, "thresholds": [{"at": 0}]}, ("stages", "completion", 0, "thresholds", 0, "at"), "above 0"),
        ({"target": {"working_days": 1}, "owner": "me"}, ("stages", "completion", 0, "owner"), "no such field"),
        ({"target": {"working_days": 1}, "thresholds": ["1e-999999999"]}, ("stages", "completion", 0, "thresholds", 0), "such as 3/4"),
        ({"target": {"working_days": 1}, "thresholds": [{"att": 1}]}, ("stages", "completion", 0, "thresholds", 0, "att"), "nearest is at"),
        ({"target": {"working_days": 1}, "tresholds": []}, ("stages", "completion", 0, "tresholds"), "nearest is thresholds"),
        ({"target": {"working_days": 1}, "pauses": [1]}, ("stages", "completion", 0, "pauses", 0), "a text"),
        ({"target": {"working_days": 1}, "indicators": [None]}, ("stages", "completion", 0, "indicators", 0), "a text"),
        ({"target": {"working_days": 1}, "when": {"weather": "fine"}}, ("stages", "completion", 0, "when", "weather"), "one of"),
        ({"target": {"working_days": 1}, "when": {"region": "north"}}, ("stages", "completion", 0), "last rule"),
        ({}, ("stages", "completion", 0), "no target"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_policy_is_said_with_its_place(rule: dict[str, Any], place: tuple[Any, ...], problem: str) -> None:
    with pytest.raises(Fault, match=problem) as found:
        parse_policy(policy_of(**rule))
    assert found.value.where == place


@pytest.mark.parametrize(
    "threshold",
    [
        {"before": {"working_seconds": 0}},
        {"before": {"working_days": 1}},
        {"at": "1/2", "before": {"working_seconds": 60}},
        {"notify": ["manager"]},
        {"at": "half"},
    ],
)
def test_a_threshold_is_a_share_or_an_amount_of_working_time_above_none(threshold: dict[str, Any]) -> None:
    with pytest.raises(Fault) as found:
        parse_policy(policy_of(target={"working_days": 1}, thresholds=[threshold]))
    assert found.value.rule == "bad_threshold"


def test_a_share_may_be_written_as_a_number_and_without_thresholds_there_are_two() -> None:
    documents = policy_of(target={"working_days": 1}, thresholds=[0.75, 1]), policy_of(target={"working_days": 1})
    given, usual = (parse_policy(document).promise("completion", {}).thresholds for document in documents)
    assert [one.share for one in given] == [Fraction(3, 4), 1]
    assert [one.share for one in usual] == [Fraction(3, 4), Fraction(9, 10)]
    assert [(one.before, one.notify) for one in usual] == [(None, ())] * 2


@pytest.mark.parametrize(("version", "is_taken"), [(0, False), (1, True), (2**31 - 1, True), (2**31, False), (True, False), ("1", False)])
def test_a_version_of_a_policy_is_a_whole_number_that_the_database_holds(version: Any, is_taken: bool) -> None:
    document = policy_of(version, target={"working_days": 1})
    if is_taken:
        assert parse_policy(document).version == version
    else:
        with pytest.raises(Fault, match="from 1 to 2147483647"):
            parse_policy(document)


def test_a_calendar_that_a_policy_brings_along_is_its_own_whatever_is_published_under_that_name() -> None:
    own = policy_of(target={"working_seconds": 3600}) | {"calendars": {"24x7": EIGHT_TO_SIX.to_json()}}
    policy = parse_policy(own)
    assert (policy.named_calendars, list(policy.calendars), policy.stages) == (set(), ["dispatch@1/24x7"], ("completion",))
    case = OneClock(own, CalendarVersion("24x7", 1, built_in("24x7"), at(1), "c1"))
    case.say("started", at(0))
    assert case.clock.state.deadline == at(9)


def test_of_two_policies_that_open_clocks_go_over_to_at_one_instant_the_higher_counts() -> None:
    later = [PolicyVersion(parse_policy(policy_of(n, target={"working_seconds": n * 36000})), at(6), True, f"p{n}") for n in (2, 3)]
    for order in (later, later[::-1]):
        case = OneClock(policy_of(target={"working_seconds": 36000}), *order)
        case.say("started", at(0))
        case.pass_time(at(7))
        assert (case.clock.state.deadline, case.clock.folded.terms[-1].policy) == (at(6, day=1), "dispatch@3")


@pytest.mark.parametrize("roles", ["manager", ["manager", ""], ["manager", 5], None])
def test_whom_a_threshold_notifies_is_a_list_of_roles(roles: object) -> None:
    with pytest.raises(Fault, match="a list of roles") as found:
        parse_policy(policy_of(target={"working_days": 1}, thresholds=[{"at": 1, "notify": roles}]))
    assert found.value.where == ("stages", "completion", 0, "thresholds", 0, "notify")


@pytest.mark.parametrize("stages", [[], "completion", None, {1: []}])
def test_the_stages_of_a_policy_are_names_with_values(stages: object) -> None:
    with pytest.raises(Fault, match=r"^stages: names with values are expected$") as found:
        parse_policy({"policy": "dispatch", "version": 1, "stages": stages})
    assert (found.value.where, found.value.rule) == (("stages",), "bad_value")


def test_what_is_promised_at_the_very_instant_at_which_other_terms_begin_are_those() -> None:
    promise = parse_policy(policy_of(target={"working_seconds": 60})).promise("completion", {})
    first, second = (Terms(instant, f"dispatch@{number}", {}, promise, str(number)) for number, instant in ((1, at(9)), (2, at(10))))
    microsecond = timedelta(microseconds=1)
    asked = (at(9) - microsecond, at(9), at(10) - microsecond, at(10), at(11))
    assert [terms_at([first, second], instant).id for instant in asked] == ["1", "1", "1", "2", "2"]


@pytest.mark.parametrize(
    ("up_to", "target", "admitted"),
    [
        (None, WorkingTime(10**15), True),
        (WorkingTime(7200), WorkingTime(7200), True),
        (WorkingTime(7200), WorkingTime(7201), False),
        (WorkingDays(5, "end_of_day"), WorkingDays(5, "end_of_day"), True),
        (WorkingDays(5, "end_of_day"), WorkingDays(6, "end_of_day"), False),
        (WorkingDays(5, "end_of_day"), WorkingDays(5, "working_hours"), False),
        (WorkingDays(5, "end_of_day"), WorkingTime(1), False),
    ],
)
def test_a_promise_may_be_extended_to_a_target_of_its_kind_that_is_no_longer(
    up_to: WorkingTime | WorkingDays | None, target: WorkingTime | WorkingDays, admitted: bool
) -> None:
    assert Extensions(1, up_to).admits(target) is admitted
