"""The rulebook of a service: its policies by the instant from which they are effective, and every version of each calendar.

Which version of a calendar a clock counts on follows from event time alone, so that no order of arrival changes it (ADR 0007):
the newest that was published by its start, then each newer one from its publication on, as long as the clock is still open.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from common.kernel.calendars import BUILT_IN, built_in
from common.kernel.faults import Fault
from common.kernel.reference import EVER, Document, Documents, Kind, Version, rising
from common.kernel.working_time import Calendar
from common.sla.excuses import EXCUSES, ExcusedVersion
from common.sla.policy import Policy, parse_policy


def _parse_calendar(body: Mapping[str, Any]) -> Calendar:
    calendar = Calendar.from_json(body)
    try:
        _ = calendar.ordinary_day
    except Fault as fault:  # one that never opens could not answer anything
        raise Fault(("weekly_hours",), fault.rule, fault.what) from None
    return calendar


CALENDARS = Kind("calendar", _parse_calendar)
"""Working time as it is known, by the names that policies use."""
POLICIES = Kind("sla-policy", parse_policy, named_by="policy")
"""What each service promises; a policy's name is the service's."""
KINDS: tuple[Kind[Any], ...] = (CALENDARS, POLICIES, EXCUSES)
"""The kinds of document by which every service decides, since each keeps clocks or may."""


def is_rule(kind: str, name: str, service: str) -> bool:
    """Whether the clocks of a service depend on a document: each calendar and excused window, and the policies of its own."""
    return kind in (CALENDARS.name, EXCUSES.name) or (kind, name) == (POLICIES.name, service)


def counts_from(document: Document) -> datetime:
    """The first instant at which a document may change what a clock says: an excused window counts for the past as well."""
    if document.kind != EXCUSES.name:
        return document.effective_at
    try:
        return min(document.effective_at, EXCUSES.parse(document.body).since)
    except Fault:
        return document.effective_at


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
    """All rules of a service's clocks at one moment. `revision` is greater whenever it knows more."""

    activated: tuple[PolicyVersion, ...]
    policies: tuple[PolicyVersion, ...]
    """Those that hold at some time, in the order of the instants from which they do."""
    calendars: Mapping[str, tuple[CalendarVersion, ...]]
    revision: int = 0
    brought: Mapping[str, Calendar] = field(default_factory=dict)
    """The calendars that policies bring along."""
    instants: tuple[datetime, ...] = ()
    """From when on each policy and calendar counts, in order."""
    excused: Mapping[str, tuple[ExcusedVersion, ...]] = field(default_factory=dict)
    """Every version of each excused window that was approved, by its name, the newest last."""
    service: str = ""
    """Whose rulebook it is."""

    @classmethod
    def of(cls, published: Iterable[CalendarVersion | PolicyVersion]) -> "Rulebook":
        """The built-in calendars and everything that was published."""
        rulebook = cls((), (), {name: (CalendarVersion(name, 0, built_in(name)),) for name in BUILT_IN})
        for new in published:
            rulebook = rulebook.with_one(new)
        return rulebook

    @classmethod
    def in_documents(cls, documents: Documents, service: str, revision: int) -> "Rulebook":
        """The rulebook of a service that knows these documents; `revision` is greater whenever it knows more."""
        calendars = [_calendar(one) for name in documents.names(CALENDARS) for one in documents.versions(CALENDARS, name)]
        book = cls.of([*map(_policy, documents.versions(POLICIES, service)), *calendars])
        return replace(book, revision=revision, excused=_excused(documents), service=service)

    def with_one(self, new: CalendarVersion | PolicyVersion) -> "Rulebook":
        """The rulebook after one more version was published."""
        calendars, activated, brought = self.calendars, self.activated, self.brought
        if isinstance(new, CalendarVersion):
            chain = rising((one.effective_at, one.version, one) for one in (*calendars.get(new.name, ()), new))
            calendars, effective_at = {**calendars, new.name: chain}, new.effective_at
        else:
            activated, brought, effective_at = (*activated, new), {**brought, **new.policy.calendars}, new.effective_at
        instants = tuple(sorted([*self.instants, effective_at]))
        return replace(
            self,
            activated=activated,
            policies=_holding(activated, calendars),
            calendars=calendars,
            revision=self.revision + 1,
            brought=brought,
            instants=instants,
        )

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that the service keeps clocks for; none before it has a policy."""
        return self.activated[0].policy.stages if self.activated else ()

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
    return rising((one.effective_at, one.policy.version, one) for one in usable)


def _excused(documents: Documents) -> dict[str, tuple[ExcusedVersion, ...]]:
    found = {}
    for name in documents.names(EXCUSES):
        versions = [(one.document, one.content) for one in documents.versions(EXCUSES, name)]
        found[name] = tuple(ExcusedVersion(name, one.version, content, one.effective_at, one.event_id) for one, content in versions)
    return found


def _calendar(version: Version[Calendar]) -> CalendarVersion:
    one = version.document
    return CalendarVersion(one.name, one.version, version.content, one.effective_at, one.event_id)


def _policy(version: Version[Policy]) -> PolicyVersion:
    """The policy, or one that nothing can be counted by: what needs it is parked, and no clock runs under another by mistake."""
    one = version.document
    policy = Policy(f"unreadable@{one.version}", ()) if version.content is None else version.content
    return PolicyVersion(policy, one.effective_at, one.applies_to_open, one.event_id)
