"""What another promise or another calendar would have meant: the ledgers of clocks, folded again under rules that never held."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from common.kernel.clock_events import Stopped
from common.kernel.sla_clock import ClockState
from common.sla.ledger import Ledger, fold_ledger
from common.sla.policy import Policy
from common.sla.rulebook import CalendarVersion, PolicyVersion, Rulebook


def rulebook_if(rulebook: Rulebook, policy: Policy | None, calendars: Iterable[CalendarVersion]) -> Rulebook:
    """The rulebook as if one policy and these calendars had been the only ones of their names, for ever.

    The policy takes the place of every version that was activated, None leaves them as they are; a calendar takes the place of
    every version of its name, also of a built-in one. Calendars of other names count from their own instants, and excused windows
    for what they are about, as they did.
    """
    given = {one.name: one for one in calendars}
    kept = [one for name, chain in rulebook.calendars.items() if name not in given for one in chain]
    policies = rulebook.activated if policy is None else [PolicyVersion(policy)]
    return replace(Rulebook.of([*policies, *given.values(), *kept]), excused=rulebook.excused, service=rulebook.service)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a round of a clock ended under a rulebook, or how it stands where it has not ended."""

    rulebook: Rulebook
    ledger: Ledger
    state: ClockState | None
    """None where the rules let no such round begin."""

    @property
    def outcome(self) -> str:
        """`met`, `breached`, or `open`: neither stopped nor due by then; `superseded` where there is no such round."""
        return "superseded" if self.state is None else self.state.outcome

    @property
    def deadline(self) -> datetime | None:
        """The instant that was not to be passed; None where the clock stood still and had none when it was stopped, or now."""
        if self.state is None:
            return None
        if self.outcome == "met" and self.state.ended_at is not None:
            return self._kept_deadline(self.state.ended_at)
        return self.state.due_at if self.outcome == "open" else self.state.breached_at

    def _kept_deadline(self, stopped_at: datetime) -> datetime | None:
        """What was due when the clock was stopped: a clock that is met says no more of it, one that was not stopped does."""
        others = tuple(event for event in self.ledger.events if not (isinstance(event, Stopped) and event.at == stopped_at))
        return fold_ledger(self.rulebook, Ledger(self.ledger.stage, others), stopped_at).state.due_at


class Comparison(NamedTuple):
    """How a round of a clock ended, and how it would have ended under other rules."""

    was: Ending
    would_be: Ending

    @property
    def is_other(self) -> bool:
        """Whether it would have ended otherwise; a deadline that moves and is kept or broken all the same is no other ending."""
        return self.was.outcome != self.would_be.outcome


def compare(ledger: Ledger, as_of: datetime, rulebook: Rulebook, other: Rulebook, round: int = 0) -> Comparison:
    """The endings of a round of a clock, 0 for the first, under both rulebooks, with everything that was said of it by `as_of`.

    A breach that only the other rules know comes with time alone: `as_of` has to be the present, not when the clock was last
    looked at. Raises what `fold_ledger` does.
    """
    return Comparison(*(Ending(rules, ledger, _round(fold_ledger(rules, ledger, as_of).state, round)) for rules in (rulebook, other)))


def _round(state: ClockState, number: int) -> ClockState | None:
    rounds = (*state.rounds, state)
    return rounds[number] if number < len(rounds) else None
