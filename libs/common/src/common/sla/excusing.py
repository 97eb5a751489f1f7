"""Which excused windows are about one clock: it follows from its ledger and from what was published, whatever became known first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from common.kernel.clock_events import Changed, Excused, Started
from common.kernel.sla_clock import ClockState
from common.sla.excuses import ExcusedVersion
from common.sla.rulebook import Rulebook


@dataclass(frozen=True, slots=True)
class Excuse:
    """The newest version of a window of which some version is about the clock: since when, and as which event, if it counts."""

    version: ExcusedVersion
    since: datetime
    event: Excused | None


def excuses_of(rulebook: Rulebook, stage: str, started: Started, changes: Sequence[Changed]) -> list[Excuse]:
    """The windows that are about a clock, as far as its start and its traits tell, by their names."""
    found = []
    for versions in rulebook.excused.values():
        about = [(one, since) for one in versions if (since := _since(rulebook, one, stage, started, changes)) is not None]
        if about:
            newest = versions[-1]
            counts = about[-1][0] is newest and newest.content is not None and not newest.content.withdrawn
            found.append(Excuse(newest, min(since for _, since in about), _window(newest, started) if counts else None))
    return found


def windows_in(excuses: Sequence[Excuse]) -> tuple[Excused, ...]:
    """The windows that count, as events of the clock."""
    return tuple(one.event for one in excuses if one.event is not None)


def touching(excuses: Sequence[Excuse], state: ClockState) -> list[Excuse]:
    """The windows that began before the clock was closed or voided: a later one is none of its business."""
    closed = state.breached_at or state.ended_at
    return [one for one in excuses if closed is None or one.since < closed]


def _since(rulebook: Rulebook, one: ExcusedVersion, stage: str, started: Started, changes: Sequence[Changed]) -> datetime | None:
    """Since when a version of a window is about the clock; None where it is not."""
    window = one.content
    if window is None or window.until <= started.at or not window.covers(rulebook.service, stage):
        return None
    return window.since if window.where.items() <= _traits_at(window.since, started, changes).items() else None


def _traits_at(instant: datetime, started: Started, changes: Sequence[Changed]) -> dict[str, str]:
    """The traits of the case at an instant, of all that is known of them by now; those of its start before that."""
    traits = dict(started.traits)
    for change in sorted(changes, key=lambda one: (one.at, one.sequence or 0)):
        if change.at <= instant:
            traits |= change.traits
    return traits


def _window(one: ExcusedVersion, started: Started) -> Excused:
    window = one.content
    assert window is not None  # asked before
    return Excused(id=one.ref, at=started.at, sequence=0, since=window.since, until=window.until, reason=window.reason)
