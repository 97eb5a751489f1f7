"""The rulebook of a service: its policies by the instant from which they are effective, and every version of each calendar.

Which version of a calendar a clock counts on follows from event time alone, so that no order of arrival changes it (ADR 0007):
the newest that was published by its start, then each newer one from its publication on, as long as the clock is still open.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from operator import itemgetter
from typing import TypeVar

from common.kernel.calendars import BUILT_IN, built_in
from common.kernel.faults import Fault
from common.kernel.instants import FIRST_YEAR
from common.kernel.working_time import Calendar
from common.sla.policy import Policy

V = TypeVar("V")

EVER = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
"""Since when what ships with the first release of a service holds: before any instant that is accepted."""


@dataclass(frozen=True, slots=True)
class CalendarVersion:
    """One published version of a calendar; version 0 of a built-in one ships with the kernel.

    `content` is None where the stored document cannot be read: a clock that counts on it cannot be folded, and its aggregate is parked.
    """

    name: str
    version: int
    content: Calendar | None
    effective_at: datetime = EVER
    event_id: str = ""

    @property
    def ref(self) -> str:
        """`cn@2027`."""
        return f"{self.name}@{self.version}"

    @property
    def calendar(self) -> Calendar:
        """The calendar; `LookupError` where it cannot be read."""
        if self.content is None:
            raise LookupError(f"calendar {self.ref} cannot be read")
        return self.content


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One policy with the instant from which it holds, for new clocks and perhaps for open ones."""

    policy: Policy
    effective_at: datetime = EVER
    applies_to_open: bool = False
    event_id: str = ""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Everything that a service goes by at one moment. `revision` counts what was published, so more is newer."""

    activated: tuple[PolicyVersion, ...]
    policies: tuple[PolicyVersion, ...]
    """Those that hold at some time, in the order of the instants from which they do."""
    calendars: Mapping[str, tuple[CalendarVersion, ...]]
    revision: int = 0
    brought: Mapping[str, Calendar] = field(default_factory=dict)
    """The calendars that policies bring along."""
    instants: tuple[datetime, ...] = ()
    """From when on each rule counts, in order."""

    @classmethod
    def of(cls, published: Iterable[CalendarVersion | PolicyVersion]) -> "Rulebook":
        """The built-in calendars and everything that was published, at least one policy among it."""
        rulebook = cls((), (), {name: (CalendarVersion(name, 0, built_in(name)),) for name in BUILT_IN})
        for new in published:
            rulebook = rulebook.with_one(new)
        return rulebook

    def with_one(self, new: CalendarVersion | PolicyVersion) -> "Rulebook":
        """The rulebook after one more version was published."""
        calendars, activated, brought = self.calendars, self.activated, self.brought
        if isinstance(new, CalendarVersion):
            chain = _rising((one.effective_at, one.version, one) for one in (*calendars.get(new.name, ()), new))
            calendars, effective_at = {**calendars, new.name: chain}, new.effective_at
        else:
            activated, brought, effective_at = (*activated, new), {**brought, **new.policy.calendars}, new.effective_at
        instants = tuple(sorted([*self.instants, effective_at]))
        return Rulebook(activated, _holding(activated, calendars), calendars, self.revision + 1, brought, instants)

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that the service keeps clocks for."""
        return self.activated[0].policy.stages

    def number_effective(self, instant: datetime) -> int:
        """How many rules were effective by an instant, of all that are known now."""
        return bisect_right(self.instants, instant)

    def policies_since(self, start: datetime) -> list[PolicyVersion]:
        """The policy under which a clock begins that starts then, and those to which it goes over while it is open, in order."""
        number = max((number for number, one in enumerate(self.policies) if one.effective_at <= start), default=0)
        return [self.policies[number], *(one for one in self.policies[number + 1 :] if one.applies_to_open)]

    def at_start(self, name: str, start: datetime) -> CalendarVersion:
        """The newest version that was published by then, else the oldest that there is; `Fault` `unknown_calendar`."""
        if name in self.brought:
            return CalendarVersion(name, 0, self.brought[name])
        if name not in self.calendars:
            raise Fault(("calendar",), "unknown_calendar", f"the known calendars are {', '.join(sorted(self.calendars))}")
        chain = self.calendars[name]
        return next((one for one in reversed(chain) if one.effective_at <= start), chain[0])

    def later(self, used: CalendarVersion) -> Sequence[CalendarVersion]:
        """The newer versions of a calendar, in the order of their publication."""
        return [one for one in self.calendars.get(used.name, ()) if one.version > used.version]


def _holding(activated: Iterable[PolicyVersion], calendars: Mapping[str, Sequence[CalendarVersion]]) -> tuple[PolicyVersion, ...]:
    """A policy holds from its instant on, not before each calendar that it names was published, and never after a higher version."""
    usable = []
    for one in activated:
        if one.policy.named_calendars <= calendars.keys():
            known = [calendars[name][0].effective_at for name in one.policy.named_calendars]
            usable.append(replace(one, effective_at=max(one.effective_at, *known)) if known else one)
    return _rising((one.effective_at, one.policy.version, one) for one in usable)


def _rising(versions: Iterable[tuple[datetime, int, V]]) -> tuple[V, ...]:
    """By instant, then version; one that comes after a higher version has no effect."""
    found: list[V] = []
    highest = 0
    for _, version, one in sorted(versions, key=itemgetter(0, 1)):
        if not found or version > highest:
            found.append(one)
            highest = version
    return tuple(found)
