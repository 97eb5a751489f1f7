"""The history of a clock as JSON (interfaces 3b): events read strictly, the state written."""

import json
from collections.abc import Callable
from datetime import datetime
from fractions import Fraction
from typing import Any

from common.kernel.clock_errors import ClockError, refuse_unknown
from common.kernel.exact import decimal_text
from common.kernel.instants import SECOND, parse_instant
from common.kernel.sla_clock import (
    UNASSIGNED,
    Changed,
    ClockEvent,
    ClockState,
    OwnerChanged,
    Paused,
    Reopened,
    Resumed,
    Segment,
    Started,
    Stopped,
)
from common.kernel.targets import Target, WorkingTime, read_target
from common.kernel.working_time import Doubt

_EVERY_EVENT = ("id", "type", "at", "sequence")
EVENT_FIELDS = {
    "started": ("calendar", "target", "owner"),
    "paused": ("party", "reason"),
    "resumed": (),
    "owner_changed": ("owner",),
    "changed": ("target", "calendar", "reason"),
    "stopped": (),
    "reopened": (),
}
"""The fields of each type of event besides those of every event."""


def read_event(document: object, field: str, calendar_key: Callable[[object, str], str]) -> ClockEvent:
    """The event that a JSON object states; raises `ClockError` `bad_event`, `bad_instant`, `bad_target`, `unknown_field` …

    `calendar_key` turns a calendar (a name or a whole one) into the name under which `fold` will find it.
    """
    if not isinstance(document, dict):
        raise ClockError("bad_event", field, "an object is expected")
    event_id = _text(document, "id", field)
    kind = _text(document, "type", field)
    if kind not in EVENT_FIELDS:
        raise ClockError("bad_event", f"{field}.type", f"an event of a clock is one of {', '.join(EVENT_FIELDS)}")
    refuse_unknown(document, (*_EVERY_EVENT, *EVENT_FIELDS[kind]), field)
    at = parse_instant(document.get("at"), f"{field}.at")
    sequence = document.get("sequence")
    if isinstance(sequence, bool) or not isinstance(sequence, int | None):
        raise ClockError("bad_event", f"{field}.sequence", "a whole number is expected")
    match kind:
        case "started":
            target = read_target(document.get("target"), f"{field}.target")
            calendar = calendar_key(document.get("calendar"), f"{field}.calendar")
            owner = _text(document, "owner", field, UNASSIGNED)
            return Started(id=event_id, at=at, sequence=sequence, calendar=calendar, target=target, owner=owner)
        case "paused":
            party, reason = _text(document, "party", field, UNASSIGNED), _text(document, "reason", field, "")
            return Paused(id=event_id, at=at, sequence=sequence, party=party, reason=reason)
        case "resumed":
            return Resumed(id=event_id, at=at, sequence=sequence)
        case "owner_changed":
            return OwnerChanged(id=event_id, at=at, sequence=sequence, owner=_text(document, "owner", field))
        case "changed":
            return _changed(document, event_id, at, sequence, field, calendar_key)
        case "stopped":
            return Stopped(id=event_id, at=at, sequence=sequence)
        case _:
            return Reopened(id=event_id, at=at, sequence=sequence)


def write_state(clock: ClockState, *, explain: bool = False) -> dict[str, Any]:
    """The answer of interfaces 3b, without an id; with `explain` also `steps`, the segments in order."""
    answer: dict[str, Any] = {
        "state": clock.state,
        "outcome": clock.outcome,
        "deadline": _instant(clock.deadline),
        "breached_at": _instant(clock.breached_at),
        "elapsed_working_seconds": seconds(clock.elapsed_micros),
        "overdue_working_seconds": seconds(clock.overdue_micros),
        "working_seconds_by_owner": {owner: seconds(micros) for owner, micros in clock.micros_by_owner.items()},
        "paused_working_seconds_by_party": {party: seconds(micros) for party, micros in clock.paused_micros_by_party.items()},
        "reopenings": clock.reopenings,
        "ignored": list(clock.ignored),
    }
    answer |= write_doubt(clock.doubt)
    if explain:
        answer["steps"] = [_step(segment) for segment in clock.segments]
    return answer


def write_doubt(doubt: Doubt | None) -> dict[str, Any]:
    """What an answer says of days that are not known for certain; nothing when all are."""
    if doubt is None:
        return {}
    day = {"provisional_from": str(doubt.since)} if doubt.since else {"provisional_before": str(doubt.before)}
    return {"provisional": True, **day, "provisional_reason": doubt.reason}


def write_target(target: Target) -> dict[str, Any]:
    """What `read_target` makes an equal target from."""
    if isinstance(target, WorkingTime):
        return {"working_seconds": seconds(target.micros)}
    return {"working_days": target.number, "meaning": target.meaning} | ({"pauses_count": True} if target.pauses_count else {})


def seconds(micros: int) -> int | str:
    """Microseconds as seconds: an integer when whole, else an exact decimal string."""
    whole, rest = divmod(micros, SECOND)
    return decimal_text(Fraction(micros, SECOND)) if rest else whole


def inline_key(document: object) -> str:
    """A name for an inline calendar: equal documents have equal names."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False)


def _changed(
    document: dict[str, Any],
    event_id: str,
    at: datetime,
    sequence: int | None,
    field: str,
    calendar_key: Callable[[object, str], str],
) -> Changed:
    target, calendar = document.get("target"), document.get("calendar")
    if target is None and calendar is None:
        raise ClockError("bad_event", field, "a change states a target, a calendar or both")
    return Changed(
        id=event_id,
        at=at,
        sequence=sequence,
        target=None if target is None else read_target(target, f"{field}.target"),
        calendar=None if calendar is None else calendar_key(calendar, f"{field}.calendar"),
        reason=_text(document, "reason", field, ""),
    )


def _step(segment: Segment) -> dict[str, Any]:
    step: dict[str, Any] = {
        "from": segment.calendar.instant(segment.start).isoformat(),
        "to": segment.calendar.instant(segment.end).isoformat(),
        "state": segment.state,
        "owner" if segment.state == "running" else "party": segment.who,
        "working_seconds": seconds(segment.micros),
    }
    if segment.reason:
        step["reason"] = segment.reason
    return step


def _instant(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()


def _text(document: dict[str, Any], name: str, field: str, default: str | None = None) -> str:
    value = document.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or (not value and default is None):
        raise ClockError("bad_event", f"{field}.{name}", "a text is expected")
    return value
