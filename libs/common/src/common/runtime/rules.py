"""The rules that a service goes by: its policies by the instant from which they hold, and every version of each calendar.

Which version of a calendar a clock counts on follows from event time alone, so that no order of arrival changes it (ADR 0007):
the newest that was published by its start, then each newer one from its publication on, as long as the clock is still open.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from common.kernel.calendars import BUILT_IN, built_in
from common.kernel.clock_errors import ClockError
from common.kernel.working_time import Calendar
from common.runtime.policies import Policy

EVER = datetime.min.replace(tzinfo=UTC)
"""Since when what ships with the service holds."""


@dataclass(frozen=True, slots=True)
class CalendarVersion:
    """One published version of a calendar; version 0 of a built-in one ships with the kernel."""

    name: str
    version: int
    calendar: Calendar
    published_at: datetime = EVER
    event_id: str = ""

    @property
    def ref(self) -> str:
        """`cn@2027`."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One policy with the instant from which it holds, for new clocks and perhaps for open ones."""

    policy: Policy
    effective_at: datetime = EVER
    applies_to_open: bool = False
    event_id: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that a service goes by at one moment. `revision` counts what was published, so more is newer."""

    policies: tuple[PolicyVersion, ...]
    """By the instant from which they hold; the one that ships comes first."""
    calendars: Mapping[str, tuple[CalendarVersion, ...]]
    revision: int = 0
    brought: Mapping[str, Calendar] = field(default_factory=dict)
    """The calendars that policies bring along."""

    @classmethod
    def of(cls, shipped: Policy, calendars: Iterable[CalendarVersion] = (), policies: Iterable[PolicyVersion] = ()) -> "Rules":
        """The rules of a service whose own policy is `shipped`, after everything that was published."""
        built = {name: (CalendarVersion(name, 0, built_in(name)),) for name in BUILT_IN}
        rules = cls((PolicyVersion(shipped),), built, 0, shipped.calendars)
        published: list[CalendarVersion | PolicyVersion] = [*calendars, *policies]
        for new in published:
            rules = rules.with_one(new)
        return rules

    def with_one(self, new: CalendarVersion | PolicyVersion) -> "Rules":
        """The rules after one more was published."""
        if isinstance(new, CalendarVersion):
            chain = _chain([*self.calendars.get(new.name, ()), new])
            return replace(self, calendars={**self.calendars, new.name: chain}, revision=self.revision + 1)
        policies = sorted([*self.policies, new], key=lambda one: (one.effective_at, one.policy.version))
        return replace(self, policies=tuple(policies), brought={**self.brought, **new.policy.calendars}, revision=self.revision + 1)

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that the service keeps clocks for."""
        return self.policies[0].policy.stages

    @property
    def instants(self) -> list[datetime]:
        """When something was published, or an open clock goes over to another policy."""
        chains = [one.published_at for chain in self.calendars.values() for one in chain if one.version]
        return sorted(chains + [one.effective_at for one in self.policies if one.applies_to_open])

    def in_force(self, at: datetime) -> Policy:
        """The policy under which a clock begins at an instant; one whose calendars are not all known does not hold yet."""
        holding = [one for one in self.policies if one.effective_at <= at and self._is_usable(one.policy)]
        return holding[-1].policy if holding else self.policies[0].policy

    def for_open(self, began_under: str) -> list[PolicyVersion]:
        """The policies that open clocks which began under `began_under` go over to, in order."""
        refs = [one.policy.ref for one in self.policies]
        later = self.policies[refs.index(began_under) + 1 :] if began_under in refs else self.policies
        return [one for one in later if one.applies_to_open and self._is_usable(one.policy)]

    def at_start(self, name: str, start: datetime) -> CalendarVersion:
        """The newest version that was published by then, else the oldest that there is; `ClockError` `unknown_calendar`."""
        if name in self.brought:
            return CalendarVersion(name, 0, self.brought[name])
        if name not in self.calendars:
            raise ClockError("unknown_calendar", "calendar", f"the known calendars are {', '.join(sorted(self.calendars))}")
        chain = self.calendars[name]
        return next((one for one in reversed(chain) if one.published_at <= start), chain[0])

    def later(self, used: CalendarVersion) -> Sequence[CalendarVersion]:
        """The newer versions of a calendar, in the order of their publication."""
        return [one for one in self.calendars.get(used.name, ()) if one.version > used.version]

    def _is_usable(self, policy: Policy) -> bool:
        return policy.named_calendars <= self.calendars.keys()


def _chain(published: Iterable[CalendarVersion]) -> tuple[CalendarVersion, ...]:
    """By publication; one that came after a higher version of its name has no effect."""
    found: list[CalendarVersion] = []
    for one in sorted(published, key=lambda one: (one.published_at, one.version)):
        if not found or one.version > found[-1].version:
            found.append(one)
    return tuple(found)
