"""The clock ledger as a machine: whatever is said, in whatever order, it is the clock that a walk from minute to minute finds."""

from datetime import datetime
from random import Random
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.common.clock_oracle import with_instants
from tests.common.clock_walk import (
    CALENDARS,
    DAY,
    MINUTE,
    SHIFTS,
    SIGHT,
    Aim,
    Said,
    Walk,
    in_words_of_the_product,
    instant,
    walked,
)
from tests.counted import counting

from common.kernel.clock_json import write_state
from common.kernel.sla_clock import ClockState, fold

AIMS = st.one_of(
    st.integers(0, 1200).map(lambda minutes: Aim(minutes=minutes)),
    st.builds(Aim, days=st.integers(1, 3), pauses_count=st.booleans()),
    st.builds(Aim, days=st.integers(0, 3), pauses_count=st.booleans(), cut_off=st.integers(1, 1440), by=st.none() | st.integers(1, 1440)),
    st.builds(Aim, days=st.integers(0, 3), pauses_count=st.booleans(), by=st.integers(1, 1440)),
)
ANY_AIM = st.one_of(AIMS, AIMS, st.just(Aim(nothing=True)))
OWNERS = st.sampled_from(("wang", "li", "team:north"))
NAMES = st.sampled_from(tuple(SHIFTS))
WINDOWS = st.builds(
    lambda since, minutes: (since, since + minutes),
    st.integers(0, SIGHT - 20 * DAY) | st.builds(lambda day, time: day * DAY + time, st.integers(0, 9), st.sampled_from((0, 360, 1050))),
    st.integers(1, 600) | st.integers(1, 2 * DAY),
)
KINDS = st.one_of(
    st.tuples(st.just("paused"), st.tuples(st.sampled_from(("customer", "supplier")))),
    st.tuples(st.just("resumed"), st.just(())),
    st.tuples(st.just("owner_changed"), st.tuples(OWNERS)),
    st.tuples(st.just("changed"), st.one_of(st.tuples(NAMES, st.none()), st.tuples(st.none(), ANY_AIM), st.tuples(NAMES, ANY_AIM))),
    st.tuples(st.just("stopped"), st.just(())),
    st.tuples(st.just("reopened"), st.just(())),
    st.tuples(st.just("restarted"), st.tuples(st.none() | NAMES, st.none() | ANY_AIM)),
    st.tuples(st.just("extended"), st.tuples(AIMS)),
    st.tuples(st.just("excused"), WINDOWS),
)
TAKES_BACK = ("excused", "restarted", "voided")
"""After these a breach may not be there any more: excused, of an earlier round, or of a promise that was never owed."""
Happening = tuple[str, tuple[Any, ...]]


class Ledger(RuleBasedStateMachine):
    """What becomes of one clock while time passes and people talk about it, now and about the past."""

    @initialize(at=st.integers(0, 3 * DAY), calendar=NAMES, aim=ANY_AIM, owner=OWNERS)
    def start(self, at: int, calendar: str, aim: Aim, owner: str) -> None:
        self.now = at
        self.said = [Said("started", at, 1, (calendar, aim, owner))]
        self.told = [in_words_of_the_product(self.said[0])]
        self.walk = walked(self.said, at)
        self.random = Random(at)

    @rule(minutes=st.one_of(st.integers(1, 90), st.integers(1, 900)))
    def time_passes(self, minutes: int) -> None:
        self.now = max(self.now, min(self.now + minutes, SIGHT - 15 * DAY))
        self.walk.go(self.now)

    @precondition(lambda self: (self.walk.deadline() or 0) >= self.now)
    @rule(later=st.integers(0, 1), step=st.sampled_from(("pause", "stop", "pass on")))
    def something_happens_just_at_the_deadline(self, later: int, step: str) -> None:
        self.time_passes((self.walk.deadline() or 0) + later - self.now)
        self.something_fitting_happens(step)

    @rule(beside=st.integers(-1, 1))
    def the_target_becomes_just_what_is_used(self, beside: int) -> None:
        self.something_happens(("changed", (None, Aim(minutes=max(0, len(self.walk.worked) + beside)))))

    @rule(step=st.sampled_from(("pause", "stop", "pass on")))
    def something_fitting_happens(self, step: str) -> None:
        fitting: dict[str, Happening] = {
            "pause": ("resumed", ()) if self.walk.state == "paused" else ("paused", ("customer",)),
            "stop": ("reopened", ()) if self.walk.state == "stopped" else ("stopped", ()),
            "pass on": ("owner_changed", ("li" if self.walk.who == "wang" else "wang",)),
        }
        self.something_happens(fitting[step])

    @rule(happening=KINDS)
    def something_happens(self, happening: Happening) -> None:
        said = self._say(happening, self.now)
        before = self.walk.breached
        if said.kind == "excused":
            self.walk = walked(self.said, self.now)
        else:
            self.walk.hear(said)
        if before is not None and said.kind not in TAKES_BACK:
            assert self.folded().breached_at == instant(before), "a later change took a breach back"

    @rule(happening=KINDS, ago=st.floats(0, 1))
    def something_becomes_known_late(self, happening: Happening, ago: float) -> None:
        first = self.said[0].at
        said = self._say(happening, first + int((self.now - first) * ago))
        before = self.walk.breached
        self.walk = walked(self.said, self.now)
        if before is not None and said.at > before and said.kind not in TAKES_BACK:
            assert self.folded().breached_at == instant(before), "what happened after a breach took it back"

    @rule(owed=st.booleans(), ago=st.floats(0, 1), seldom=st.integers(0, 9))
    def it_is_voided(self, owed: bool, ago: float, seldom: int) -> None:
        if seldom == 0:
            self.something_becomes_known_late(("voided", (owed,)), ago)

    @precondition(lambda self: self.walk.breached is not None)
    @rule(minutes=st.integers(1, 600), edge=st.sampled_from(("from", "to")))
    def the_time_about_a_breach_is_excused(self, minutes: int, edge: str) -> None:
        breached = self.walk.breached or 0
        self.something_happens(("excused", (breached, breached + minutes) if edge == "from" else (max(0, breached - minutes), breached)))

    @rule(which=st.integers(0, 99))
    def something_is_told_again(self, which: int) -> None:
        self.told.insert(self.random.randrange(len(self.told) + 1), self.told[which % len(self.told)])

    @rule(ago=st.floats(0, 1))
    def somebody_looks_back(self, ago: float) -> None:
        first = self.said[0].at
        then = first + int((self.now - first) * ago)
        assert_same(fold(self.told, instant(then), CALENDARS), walked(self.said, then))

    @precondition(lambda self: len(self.told) > 2)
    @rule()
    def the_order_of_what_was_told_is_another(self) -> None:
        before = self.folded()
        self.random.shuffle(self.told)
        assert self.folded() == before

    @invariant()
    def the_ledger_says_what_the_walk_finds(self) -> None:
        state = self.folded()
        assert_same(state, self.walk)
        assert sum(state.micros_by_owner.values()) == state.elapsed_micros + sum(each.worked for each in self.walk.rounds) * MINUTE

    def _say(self, happening: Happening, at: int) -> Said:
        said = Said(happening[0], at, len(self.said) + 1, happening[1])
        self.said.append(said)
        self.told.append(in_words_of_the_product(said))
        return said

    def folded(self) -> ClockState:
        return fold(self.told, instant(self.now), CALENDARS)


def assert_same(state: ClockState, walk: Walk) -> None:
    """The ledger's answer is the walk's, in every part."""
    assert (state.state, state.outcome) == (walk.state, walk.outcome)
    assert state.breached_at == _instant(walk.breached)
    assert state.micros_by_owner == {owner: minutes * MINUTE for owner, minutes in walk.owners.items()}
    assert state.paused_micros_by_party == {party: minutes * MINUTE for party, minutes in walk.parties.items()}
    assert state.elapsed_micros == len(walk.worked) * MINUTE
    assert state.overdue_micros == walk.overdue() * MINUTE
    assert (state.reopenings, state.ignored) == (walk.reopenings, tuple(walk.ignored))
    assert state.deadline == _instant(walk.deadline())
    answer = with_instants(write_state(state))
    assert (answer["extensions"], answer["excused_working_seconds"]) == (walk.extensions, walk.excused * 60)
    assert answer["rounds"] == [
        {
            "started_at": instant(each.start),
            "ended_at": instant(each.end),
            "outcome": each.outcome,
            "deadline": _instant(each.deadline),
            "elapsed_working_seconds": each.worked * 60,
        }
        for each in walk.rounds
    ]


def _instant(minute: int | None) -> datetime | None:
    return None if minute is None else instant(minute)


TestLedger = pytest.mark.proof(Ledger.TestCase)
TestLedger.settings = counting(500, steps=30, proof=2_000, proof_steps=50)
