"""Facts that are not clocks: what a case has to say for an indicator, and what has to be published when that changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Observation:
    """One observation for an indicator: whom it is about, the instant for which it counts, and how much of how much.

    Of two about the same subject and occurrence the one with the higher revision counts. The revision has to follow from what is
    known of the case, whatever the order in which it became known, and to rise with it.
    """

    indicator: str
    subject: str
    at: datetime
    numerator: int
    denominator: int
    revision: int
    occurrence: int = 0
    traits: Mapping[str, str] = field(default_factory=dict)
    """How the case stood at that instant: what the fact can be asked by."""
    team: str = ""
    """The subject's team on that day, where it is known."""
    source_event_ids: tuple[str, ...] = ()
    """The events that it rests on, in the order of event time; as the revision, they follow from what is known of the case."""


def changes(was: Sequence[Observation], now: Sequence[Observation]) -> list[Observation]:
    """What has to be published: each observation that is new or differs, then the credit that moved away, taken back as 0 of 0."""
    kept = {_identity(one) for one in now}
    revisions = {(one.indicator, one.occurrence): one.revision for one in now}
    found = [one for one in now if one not in was]
    for one in was:
        if _identity(one) not in kept:
            revision = max(one.revision + 1, revisions.get((one.indicator, one.occurrence), 0))
            found.append(replace(one, numerator=0, denominator=0, revision=revision, traits={}, team=""))
    return found


def _identity(one: Observation) -> tuple[str, str, int]:
    return one.indicator, one.subject, one.occurrence
