"""The course of a clock on the calendars that count in each of its rounds, and when a rule may take hold of it."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from common.kernel import sla_clock
from common.kernel.clock_events import Changed, ClockEvent, Excused, Reopened, Restarted, Started
from common.kernel.clock_state import ENDED
from common.kernel.sla_clock import ClockState, Course
from common.sla.rulebook import CalendarVersion, Rulebook


def is_open(state: ClockState) -> bool:
    """Whether a clock still waits for its outcome, or for something to be promised."""
    return state.outcome == "open" or (state.outcome == "none" and state.state not in ENDED)


def chances(instant: datetime, history: Sequence[ClockEvent]) -> list[datetime]:
    """When a rule may take hold of a clock: when it becomes effective, or when the clock is reopened or begins anew later."""
    return [instant, *sorted(event.at for event in history if isinstance(event, Reopened | Restarted) and event.at > instant)]


def on_calendars(
    rulebook: Rulebook, history: Sequence[ClockEvent], started: Started, as_of: datetime
) -> tuple[Course, Sequence[Mapping[str, CalendarVersion]], Sequence[CalendarVersion]]:
    """The course, with the calendar versions that count in each round, and all that are newer than those at the start.

    Where none is newer, all rounds have the same versions, which are told once.
    """
    names = {event.calendar for event in history if isinstance(event, Started | Changed) and event.calendar is not None}
    using = {name: rulebook.at_start(name, started.at) for name in sorted(names)}
    newer = sorted((one for used in using.values() for one in rulebook.later(used)), key=lambda one: (one.effective_at, one.ref))
    restarts = sorted(event.at for event in history if isinstance(event, Restarted)) if newer else []
    rounds = [using.copy() for _ in (None, *restarts)]
    for version in newer:
        for at in (at for at in chances(version.effective_at, history) if at <= as_of):
            if is_open(_course(history, at, rounds).state_at(at)):
                for one in rounds[bisect_right(restarts, at) :]:
                    one[version.name] = version
                break
    rounds = rounds[: bisect_right(restarts, as_of) + 1]
    return _course(history, as_of, rounds), rounds, newer


def without_windows(history: Sequence[ClockEvent], as_of: datetime, rounds: Sequence[Mapping[str, CalendarVersion]]) -> tuple[str, ...]:
    """The outcome that each round would have without excused windows, on the same calendars."""
    state = _course([event for event in history if not isinstance(event, Excused)], as_of, rounds).state_at(as_of)
    return tuple(one.outcome for one in (*state.rounds, state))


def _course(history: Sequence[ClockEvent], as_of: datetime, rounds: Sequence[Mapping[str, CalendarVersion]]) -> Course:
    """The course where each round counts on its own versions of the calendars: what a round has counted stays."""
    if len(rounds) == 1:
        return sla_clock.course(history, as_of, {name: used.calendar for name, used in rounds[0].items()})
    calendars = {f"{name} {number}": used.calendar for number, using in enumerate(rounds) for name, used in using.items()}
    named: list[ClockEvent] = []
    number, calendar = 0, ""
    for event in sorted(history, key=sla_clock.place_of):
        if isinstance(event, Restarted):
            number += 1
            named.append(replace(event, calendar=f"{calendar} {number}"))
        elif isinstance(event, Started | Changed) and event.calendar is not None:
            calendar = event.calendar
            named.append(replace(event, calendar=f"{calendar} {number}"))
        else:
            named.append(event)
    return sla_clock.course(named, as_of, calendars)
