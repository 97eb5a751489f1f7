"""The clocks of a service without its database: what is told does not depend on who finds it, nor its end on the order of arrival."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.counted import counted

from common.contracts.cause import Cause
from common.contracts.kpi_facts import KpiRecorded
from common.contracts.sla_clocks import (
    SlaClockAtRisk,
    SlaClockBreached,
    SlaClockCorrected,
    SlaClockMet,
    SlaClockReopened,
    SlaClockVoided,
)
from common.kernel.calendars import built_in
from common.kernel.clock_events import KINDS, ClockEvent, Started
from common.kernel.ids import derived_id
from common.kernel.instants import SECOND
from common.kernel.targets import WorkingTime
from common.sla.clock import Clock
from common.sla.clock_book import ClockBook
from common.sla.policy import parse_policy
from common.sla.reconcile import Fact
from common.sla.rulebook import CalendarVersion, PolicyVersion, Rulebook

MONDAY = datetime(2026, 1, 5, 9, tzinfo=UTC)
AGGREGATE = "complaints:C1"
STAGES = ("by_time", "by_day")
POLICY = parse_policy(
    {
        "policy": "complaints",
        "version": 1,
        "stages": {
            "by_time": [
                {"target": {"working_seconds": 4 * 3600}, "calendar": "mon-fri", "indicators": ["in_time_solution"], "restarts": 3}
            ],
            "by_day": [
                {
                    "target": {"working_days": 1},
                    "calendar": "mon-fri",
                    "indicators": ["in_time_solution", "complaint_handling"],
                    "restarts": 3,
                }
            ],
        },
    }
)
often = counted(400, proof=5_000)


@dataclass(frozen=True)
class Said:
    """What the domain says of a clock, with the event that caused it."""

    number: int
    stage: str
    event: ClockEvent

    @property
    def cause(self) -> Cause:
        id = f"e{self.number}"
        return Cause(id=f"/tests#{id}", time=self.event.at, recorded_at=self.event.at, event_id=id)


class Service:
    """A book that hears what is said, as the unit of work does it, and whose timers fire when `on_time`."""

    def __init__(self, *, on_time: bool = False) -> None:
        self.book = ClockBook("complaints", Rulebook.of([PolicyVersion(POLICY)]))
        self.on_time = on_time
        self.facts: list[Fact] = []

    def hear(self, said: Said) -> None:
        if self.on_time:
            self.fire_until(said.event.at)
        self.facts += self.book.advance(AGGREGATE, said.event.at)
        self.facts += self.book.record(AGGREGATE, said.stage, said.event, said.cause, 0)

    def publish(self, rule: CalendarVersion | PolicyVersion) -> None:
        """A rule becomes known, and every clock takes it in, as the timer worker's pass does."""
        assert self.book.rulebook is not None
        self.book.rulebook = self.book.rulebook.with_one(rule)
        self.facts += self.book.rederive(AGGREGATE, None)

    def fire_until(self, instant: datetime) -> None:
        """The timers that are due before an instant fire, each when it is due."""
        while due := [clock.timer.due_at for clock in self.book.clocks.get(AGGREGATE, {}).values() if clock.timer.due_at is not None]:
            if min(due) >= instant:
                return
            self.facts += self.book.advance(AGGREGATE, min(due), including=True)

    @property
    def clock(self) -> Clock:
        (found,) = self.book.clocks[AGGREGATE].values()
        return found

    def told(self, kind: type[Any]) -> list[Fact]:
        return [fact for fact in self.facts if isinstance(fact.event, kind)]

    def credited(self) -> dict[tuple[str, str], tuple[str, datetime]]:
        """What the KPI facts of a clock that was not restarted say in the end, without those that were taken back."""
        return {(indicator, subject): said for (indicator, subject, _), said in self.credited_by_round().items()}

    def credited_by_round(self) -> dict[tuple[str, str, int], tuple[str, datetime]]:
        """What the KPI facts say in the end: the highest revision of each, without those that were taken back."""
        return {key: (numerator, at) for key, (numerator, at, _) in self.last_words().items()}

    def last_words(self) -> dict[tuple[str, str, int], tuple[str, datetime, int]]:
        """The same with the revision."""
        best: dict[tuple[str, str, int], Fact] = {}
        for fact in self.told(KpiRecorded):
            event = fact.event
            assert isinstance(event, KpiRecorded)
            key = event.indicator, event.subject, event.occurrence
            known = best.setdefault(key, fact)
            assert isinstance(known.event, KpiRecorded)
            assert known is fact or event.revision > known.event.revision, "a later word about the same has no higher revision"
            best[key] = fact
        return {
            key: (fact.event.numerator, fact.at, fact.event.revision)
            for key, fact in best.items()
            if isinstance(fact.event, KpiRecorded) and fact.event.denominator != "0"
        }


def heard(history: Iterable[Said], until: datetime, *, on_time: bool = False) -> Service:
    """A service that has heard a history and lives until an instant."""
    service = Service(on_time=on_time)
    for said in history:
        service.hear(said)
    service.fire_until(until)
    return service


def also_heard(items: Sequence[Said | CalendarVersion | PolicyVersion], until: datetime, *, on_time: bool) -> Service:
    """A service to which events and rules become known in this order."""
    service = Service(on_time=on_time)
    for item in items:
        if isinstance(item, Said):
            service.hear(item)
        else:
            service.publish(item)
    service.fire_until(until)
    return service


LATER = ("paused", "resumed", "owner_changed", "stopped", "stopped", "reopened", "restarted", "restarted", "voided")


@st.composite
def histories(draw: st.DrawFn) -> list[Said]:
    """What is said about one clock, each at its own instant, in order; whole hours now and then fall on a due instant."""
    stage = draw(st.sampled_from(STAGES))
    hours = st.one_of(st.integers(0, 80).map(float), st.integers(0, 320).map(lambda quarters: quarters / 4))
    moments = sorted(draw(st.lists(hours.filter(bool), max_size=7, unique=True)))
    events: list[ClockEvent] = [Started(at=MONDAY, owner="employee:E1")]
    for moment in moments:
        kind = draw(st.sampled_from(LATER))
        fields: dict[str, Any] = {}
        if kind == "owner_changed":
            fields = {"owner": draw(st.sampled_from(("employee:E1", "employee:E2", "team:T1")))}
        elif kind == "paused":
            fields = {"party": "customer", "reason": "parts"}
        elif kind == "restarted":
            fields = {"target": draw(st.sampled_from((None, WorkingTime(2 * 3600 * SECOND), WorkingTime(6 * 3600 * SECOND))))}
        elif kind == "voided":
            fields = {"owed": draw(st.booleans())}
        events.append(KINDS[kind](at=MONDAY + timedelta(hours=moment), **fields))
    return [Said(number, stage, event) for number, event in enumerate(events)]


END = MONDAY + timedelta(days=20)


@given(histories())
@often
def test_what_time_brings_to_light_is_told_once_with_one_id_whether_a_timer_or_an_event_finds_it(history: list[Said]) -> None:
    by_events, by_timers = heard(history, END), heard(history, END, on_time=True)
    ids = [fact.id for fact in by_events.facts]
    assert len(ids) == len(set(ids))
    assert sorted((fact.id, fact.at, fact.event.TYPE) for fact in by_timers.facts) == sorted(
        (fact.id, fact.at, fact.event.TYPE) for fact in by_events.facts
    )


@given(histories(), st.randoms(use_true_random=False), st.booleans())
@often
def test_the_credited_outcome_is_the_same_for_every_order_of_arrival(history: list[Said], random: Random, on_time: bool) -> None:
    in_order, shuffled = heard(history, END), heard([history[0], *random.sample(history[1:], len(history) - 1)], END, on_time=on_time)
    assert shuffled.last_words() == in_order.last_words()
    assert {round for _, _, round in in_order.credited_by_round()} == {
        number for number, one in enumerate(in_order.clock.rounds) if one.outcome in ("met", "breached")
    }


@pytest.mark.parametrize("later", [[("paused", 5.0), ("paused", 1.0)], [("stopped", 1.0), ("reopened", 2.0), ("paused", 3.0)]])
def test_a_clock_that_is_open_again_credits_nobody(later: list[tuple[Any, float]]) -> None:
    service = heard(a_clock(*later), END, on_time=True)
    assert service.clock.state.outcome == "open"
    assert service.credited() == {}


@given(histories(), st.randoms(use_true_random=False), st.booleans())
@often
def test_the_last_word_on_sla_clocks_is_the_state_for_every_order_of_arrival(history: list[Said], random: Random, on_time: bool) -> None:
    service = heard([history[0], *random.sample(history[1:], len(history) - 1)], END, on_time=on_time)
    ids = [fact.id for fact in service.facts]
    assert len(ids) == len(set(ids))
    outcomes = [one.outcome for one in service.clock.rounds]
    assert outcomes_told(service) == as_told(outcomes)
    assert [one.outcome for one in service.clock.published.rounds][: len(outcomes)] == outcomes


@st.composite
def rules(draw: st.DrawFn) -> list[CalendarVersion | PolicyVersion]:
    """Calendars with another day off and policies with other targets, published before, while and after a clock runs."""
    instants = st.integers(-10, 80).map(lambda hours: MONDAY + timedelta(hours=hours))
    found: list[CalendarVersion | PolicyVersion] = []
    for version in range(1, draw(st.integers(1, 3))):
        off = frozenset({MONDAY.date() + timedelta(days=draw(st.integers(0, 4)))})
        found.append(CalendarVersion("mon-fri", version, replace(built_in("mon-fri"), closed_dates=off), draw(instants), f"c{version}"))
    for version in range(2, 2 + draw(st.integers(1, 2))):
        restarts = draw(st.integers(0, 3))
        hours, indicators = draw(st.integers(1, 8)), draw(st.sampled_from((["in_time_solution"], ["complaint_handling"], [])))
        rule = {"target": {"working_seconds": hours * 3600}, "calendar": "mon-fri", "indicators": indicators, "restarts": restarts}
        policy = parse_policy({"policy": "complaints", "version": version, "stages": {stage: [rule] for stage in STAGES}})
        found.append(PolicyVersion(policy, draw(instants), draw(st.booleans()), f"p{version}"))
    return found


@given(histories(), rules(), st.randoms(use_true_random=False), st.booleans())
@often
def test_rules_may_become_known_in_any_order_among_the_events(
    history: list[Said], rules: list[CalendarVersion | PolicyVersion], random: Random, on_time: bool
) -> None:
    at_once = also_heard([*rules, *history], END, on_time=False)
    later: list[Said | CalendarVersion | PolicyVersion] = [*rules, *history[1:]]
    random.shuffle(later)
    before = random.randrange(len(later))  # a rule may be known before the clock begins, an event about it may not
    first = [item for item in later[:before] if not isinstance(item, Said)]
    shuffled = also_heard([*first, history[0], *(item for item in later if item not in first)], END, on_time=on_time)
    assert shuffled.credited_by_round() == at_once.credited_by_round()
    if len(rules) == 1:
        assert shuffled.last_words() == at_once.last_words()
    assert outcomes_told(shuffled) == outcomes_told(at_once) == as_told([one.outcome for one in at_once.clock.rounds])
    assert shuffled.clock.folded.terms == at_once.clock.folded.terms
    assert shuffled.clock.state.breached_at == at_once.clock.state.breached_at


@given(histories(), rules())
@often
def test_whatever_rules_are_known_timers_and_events_bring_the_same_facts_to_light(
    history: list[Said], rules: list[CalendarVersion | PolicyVersion]
) -> None:
    by_events, by_timers = (also_heard([*rules, *history], END, on_time=on_time) for on_time in (False, True))
    told = [sorted((fact.id, fact.at, fact.event.TYPE) for fact in service.facts) for service in (by_events, by_timers)]
    assert told[0] == told[1]


def outcomes_told(service: Service) -> list[str]:
    """What a reader of `sla-clocks` believes in the end of the rounds that there are."""
    told: dict[int, str] = {}
    for event in (fact.event for fact in service.facts):
        match event:
            case SlaClockBreached(round=number):
                told[number] = "breached"
            case SlaClockMet(round=number):
                told[number] = "met"
            case SlaClockReopened(round=number):
                told[number] = "breached" if told.get(number) == "breached" else "open"
            case SlaClockVoided(round=number):
                told[number] = "breached" if told.get(number) == "breached" else "void"
            case SlaClockCorrected(round=number, outcome=outcome):
                told[number] = outcome
    return as_told([told.get(number, "open") for number in range(1, len(service.clock.rounds) + 1)])


def as_told(outcomes: Iterable[str]) -> list[str]:
    """The outcomes where nobody has to be told that a round without one is over: each later word is about a later round."""
    return ["open" if one == "superseded" else one for one in outcomes]


def a_clock(*later: tuple[Any, float]) -> list[Said]:
    """The clock of four hours from Monday 09:00, with (kind, hours after its start) in the order of arrival."""
    more: dict[str, dict[str, Any]] = {"owner_changed": {"owner": "employee:E2"}, "paused": {"party": "customer", "reason": "parts"}}
    events: list[ClockEvent] = [Started(at=MONDAY, owner="employee:E1")]
    events += [KINDS[kind](at=MONDAY + timedelta(hours=hours), **more.get(kind, {})) for kind, hours in later]
    return [Said(number, "by_time", event) for number, event in enumerate(events)]


def test_a_stop_in_time_that_becomes_known_late_corrects_the_breach_and_its_credit() -> None:
    service = Service(on_time=True)
    started, stopped = a_clock(("stopped", 3))
    service.hear(started)
    service.fire_until(MONDAY + timedelta(hours=30))
    (breached,) = service.told(SlaClockBreached)
    assert service.credited() == {("in_time_solution", "employee:E1"): ("0", MONDAY + timedelta(hours=4))}
    service.hear(stopped)
    (corrected,) = service.told(SlaClockCorrected)
    assert (corrected.event.outcome, corrected.event.supersedes) == ("met", breached.id)  # type: ignore[attr-defined]  # it is one
    assert not service.told(SlaClockMet)
    assert service.credited() == {("in_time_solution", "employee:E1"): ("1", MONDAY + timedelta(hours=3))}


@pytest.mark.parametrize(("hours", "revision", "used_share"), [(3.0, 2 * (256 * 2 + 1), 0.75), (5.0, 2 * (256 * 2 + 1) + 1, 1.25)])
def test_a_revision_counts_the_events_of_the_case_then_the_rules_and_then_the_breach(
    hours: float, revision: int, used_share: float
) -> None:
    service = heard(a_clock(("stopped", hours)), END)
    told = [fact.event for fact in service.told(KpiRecorded) if isinstance(fact.event, KpiRecorded)][-1]
    assert (told.revision, told.source_event_ids, told.occurrence) == (revision, ["e0", "e1"], 0)
    assert [(event.id, event.sequence) for event in service.clock.events] == [("e0:0", 1), ("e1:0", 2)]
    (first,) = service.book.first_outcomes
    assert (first.stage, first.outcome, first.used_share) == ("by_time", "met" if hours < 4 else "breached", used_share)


@pytest.mark.parametrize(("known", "counted"), [(254, 254), (255, 255), (256, 255), (1000, 255)])
def test_a_revision_has_room_for_255_rules(known: int, counted: int) -> None:
    service = Service()
    service.book.rulebook = replace(service.book.rulebook, instants=(MONDAY,) * known)
    for said in a_clock(("stopped", 3.0)):
        service.hear(said)
    assert [revision for *_, revision in service.last_words().values()] == [2 * (256 * 2 + counted)]


def test_a_credit_names_the_last_fifty_events_that_it_follows_from_each_once() -> None:
    service = Service()
    handed_over: list[tuple[Any, float]] = [("owner_changed", number / 20) for number in range(1, 60)]
    for said in a_clock(*handed_over, ("stopped", 3.5)):
        service.hear(said)
    (told,) = (fact.event for fact in service.told(KpiRecorded) if isinstance(fact.event, KpiRecorded))
    assert told.source_event_ids == [f"e{number}" for number in range(11, 61)]


def test_an_outcome_is_the_first_once_and_a_target_of_nothing_is_not_used() -> None:
    service = heard(a_clock(), MONDAY + timedelta(hours=30), on_time=True)
    service.hear(a_clock(("stopped", 3.0))[1])
    assert [one.outcome for one in service.book.first_outcomes] == ["breached"]
    assert [fact.event.elapsed_working_seconds for fact in heard(a_clock(("stopped", 3.0)), END).told(SlaClockMet)] == ["10800"]  # type: ignore[attr-defined]  # it is one
    rule = {"target": {"working_seconds": 0}, "calendar": "mon-fri"}
    at_once = Service()
    at_once.book = ClockBook(
        "complaints", Rulebook.of([PolicyVersion(parse_policy({"policy": "complaints", "version": 1, "stages": {"by_time": [rule]}}))])
    )
    for said in a_clock(("stopped", 0.0)):
        at_once.hear(said)
    assert [(one.outcome, one.used_share) for one in at_once.book.first_outcomes] == [("met", 0.0)]


@pytest.mark.parametrize(
    ("later", "owner"),
    [
        ([("owner_changed", 3.0), ("stopped", 3.0)], "employee:E2"),
        ([("stopped", 3.0), ("owner_changed", 3.0)], "employee:E2"),
        ([("stopped", 3.0), ("owner_changed", 3.5)], "employee:E1"),
        ([("owner_changed", 4.0)], "employee:E2"),
        ([("owner_changed", 4.5)], "employee:E1"),
    ],
)
def test_an_outcome_belongs_to_whoever_has_the_clock_at_its_instant(later: list[tuple[Any, float]], owner: str) -> None:
    assert [subject for _, subject in heard(a_clock(*later), END).credited()] == [owner]


def test_an_owner_before_the_deadline_who_becomes_known_late_is_charged_instead_of_the_first() -> None:
    started, handed_over = a_clock(("owner_changed", 2))
    service = Service(on_time=True)
    service.hear(started)
    service.fire_until(MONDAY + timedelta(hours=30))
    service.hear(handed_over)
    assert service.credited() == {("in_time_solution", "employee:E2"): ("0", MONDAY + timedelta(hours=4))}


@pytest.mark.parametrize(
    ("replay_of", "later", "as_of", "outcome"),
    [
        ("", [], MONDAY + timedelta(hours=30), "breached"),
        ("log-2025", [], MONDAY, "open"),
        ("", [("stopped", 3.0)], MONDAY + timedelta(hours=3), "met"),
    ],
)
def test_deriving_anew_lets_time_pass_on_an_open_clock_but_on_none_that_is_closed_or_of_a_replayed_history(
    replay_of: str, later: list[tuple[Any, float]], as_of: datetime, outcome: str
) -> None:
    book = ClockBook("complaints", Rulebook.of([PolicyVersion(POLICY)]))
    for said in a_clock(*later):
        book.record(AGGREGATE, said.stage, said.event, replace(said.cause, replay_of=replay_of), 0)
    facts = book.rederive(AGGREGATE, MONDAY + timedelta(hours=30))
    clock = book.clocks[AGGREGATE]["by_time"]
    assert (clock.as_of, clock.state.outcome) == (as_of, outcome)
    assert [type(fact.event) for fact in facts if isinstance(fact.event, SlaClockBreached)] == [SlaClockBreached] * (outcome == "breached")


def test_a_scratch_that_is_thrown_away_has_changed_no_clock_and_one_that_is_merged_has() -> None:
    service = heard(a_clock(), MONDAY, on_time=True)
    before, known = service.clock, len(service.book.changed)
    scratch = service.book.scratch()
    stopped, other = a_clock(("stopped", 3.0))[1], Said(7, "by_day", Started(at=MONDAY, owner="employee:E1"))
    for said in (stopped, other):
        scratch.record(AGGREGATE, said.stage, said.event, said.cause, 0)
    assert (service.clock, len(service.book.changed), service.book.first_outcomes) == (before, known, [])
    service.book.merge(scratch)
    assert {stage: clock.state.outcome for stage, clock in service.book.clocks[AGGREGATE].items()} == {"by_time": "met", "by_day": "open"}
    assert service.book.changed == {"complaints:C1:by_time", "complaints:C1:by_day"}
    assert [one.outcome for one in service.book.first_outcomes] == ["met"]


def test_a_clock_starts_once_and_nothing_is_said_of_one_that_never_started() -> None:
    service = Service()
    started, stopped = a_clock(("stopped", 3.0))
    with pytest.raises(LookupError, match="never started"):
        service.hear(stopped)
    service.hear(started)
    with pytest.raises(LookupError, match="started before"):
        service.hear(started)


def test_the_facts_of_a_clock_are_numbered_from_1_in_their_ids() -> None:
    first, second = heard(a_clock(("paused", 1.0)), MONDAY + timedelta(hours=2)).facts
    known = [(MONDAY, "sla_clock.started", 1), (MONDAY + timedelta(hours=1), "sla_clock.paused", 2)]
    ids = [derived_id(at, "complaints", "complaints:C1:by_time", kind, number) for at, kind, number in known]
    assert [first.id, second.id] == ids


def test_thresholds_are_told_in_their_order_before_the_breach() -> None:
    service = heard(a_clock(), END, on_time=True)
    due = [MONDAY + timedelta(hours=3), MONDAY + timedelta(hours=3, minutes=36), MONDAY + timedelta(hours=4)]
    told = [fact for fact in service.facts if isinstance(fact.event, SlaClockAtRisk | SlaClockBreached)]
    assert [fact.at for fact in told] == due
    assert [fact.id for fact in heard(a_clock(), END).facts] == [fact.id for fact in service.facts], "whoever finds them"
