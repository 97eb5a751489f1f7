"""The history of a clock as JSON (interfaces 3b): events read strictly, the state written."""

import json
from collections.abc import Callable
from datetime import datetime
from fractions import Fraction
from typing import Any

from common.kernel.calendar_json import time_text
from common.kernel.clock_events import KINDS
from common.kernel.documents import Node, by_rule
from common.kernel.exact import decimal_text
from common.kernel.faults import Where
from common.kernel.instants import SECOND
from common.kernel.sla_clock import UNASSIGNED, ClockEvent, ClockState, Segment
from common.kernel.targets import NoPromise, Target, WorkingTime, read_target
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
    "voided": ("reason", "owed"),
    "restarted": ("target", "calendar", "reason"),
    "extended": ("target", "reason"),
    "excused": ("from", "to", "reason"),
}
"""The fields of each type of event besides those of every event."""

_EVENT = by_rule("bad_event")


def read_event(document: object, where: Where, calendar_key: Callable[[object, Where], str]) -> ClockEvent:
    """The event that a JSON object states; raises a `Fault` `bad_event`, `bad_instant`, `bad_target`, `unknown_field` …

    `calendar_key` turns a calendar (a name or a whole one) into the name under which `fold` will find it.
    """
    event = Node(document, where, _EVENT)
    event.fields()
    event_id, kind = event.field("id").text(), event.field("type").text()
    if kind not in EVENT_FIELDS:
        raise event.field("type").fault(f"an event of a clock is one of {', '.join(EVENT_FIELDS)}")
    event.fields(known=(*_EVERY_EVENT, *EVENT_FIELDS[kind]))
    at, sequence = event.field("at").instant(), event.field("sequence")
    if isinstance(sequence.value, bool) or not isinstance(sequence.value, int | None):
        raise sequence.fault("a whole number is expected")
    own = _fields_of(kind, event, calendar_key)
    return KINDS[kind](id=event_id, at=at, sequence=sequence.value, **own)


def _fields_of(kind: str, event: Node, calendar_key: Callable[[object, Where], str]) -> dict[str, Any]:
    """What an event of this type states besides what every event does."""
    match kind:
        case "started":
            target, calendar = event.field("target"), event.field("calendar")
            return {
                "target": read_target(target.value, target.where),
                "calendar": calendar_key(calendar.value, calendar.where),
                "owner": event.field("owner").text(UNASSIGNED),
            }
        case "paused":
            return {"party": event.field("party").text(UNASSIGNED), "reason": event.field("reason").text("")}
        case "owner_changed":
            return {"owner": event.field("owner").text()}
        case "changed" | "restarted":
            target, calendar = event.field("target"), event.field("calendar")
            if kind == "changed" and target.value is None and calendar.value is None:
                raise event.fault("a change states a target, a calendar or both")
            return {
                "target": None if target.value is None else read_target(target.value, target.where),
                "calendar": None if calendar.value is None else calendar_key(calendar.value, calendar.where),
                "reason": event.field("reason").text(""),
            }
        case "voided":
            return {"reason": event.field("reason").text(""), "owed": event.field("owed", True).flag()}
        case "extended":
            return {"target": _extension(event.field("target")), "reason": event.field("reason").text("")}
        case "excused":
            since, until = event.field("from").instant(), event.field("to").instant()
            if until <= since:
                raise event.field("to").fault("the window ends before or as it begins", "bad_instant")
            return {"since": since, "until": until, "reason": event.field("reason").text("")}
        case _:
            return {}


def _extension(given: Node) -> Target:
    target = read_target(given.value, given.where)
    if isinstance(target, NoPromise):
        raise given.fault("an extension promises something", "bad_target")
    return target


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
        "rounds": [_round(one) for one in clock.rounds],
        "extensions": clock.extensions,
        "excused_working_seconds": seconds(clock.excused_micros),
        "ignored": list(clock.ignored),
    }
    answer |= write_doubt(clock.doubt)
    if explain:
        answer["steps"] = [_step(segment) for segment in (*clock.earlier_segments, *clock.segments)]
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
    if isinstance(target, NoPromise):
        return {"none": True, "reason": target.reason}
    times = {name: time_text(at) for name, at in (("cut_off", target.cut_off), ("by", target.by)) if at is not None}
    return {"working_days": target.number, "meaning": target.meaning, **({"pauses_count": True} if target.pauses_count else {}), **times}


def seconds(micros: int) -> int | str:
    """Microseconds as seconds: an integer when whole, else an exact decimal string."""
    whole, rest = divmod(micros, SECOND)
    return decimal_text(Fraction(micros, SECOND)) if rest else whole


def inline_key(document: object) -> str:
    """A name for an inline calendar: equal documents have equal names."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False)


def _round(one: ClockState) -> dict[str, Any]:
    return {
        "started_at": one.started_at.isoformat(),
        "ended_at": (one.ended_at or one.as_of).isoformat(),
        "outcome": one.outcome,
        "deadline": _instant(one.deadline),
        "elapsed_working_seconds": seconds(one.elapsed_micros),
    }


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
