"""The clocks in the database: `clock_events` append-only, `clocks` their fold with what was told, `timers` what is due next."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.kernel.clock_events import Changed, OwnerChanged, Paused, Reopened, Resumed, Started, Stopped
from common.kernel.clock_shares import used_share
from common.kernel.targets import Target, WorkingTime, read_target
from common.runtime.kept_clock import CalendarUsed, Clock, LedgerEvent, TimerMark, WasTold, fold_under
from common.runtime.ledger import ClockBook
from common.runtime.policies import Threshold

_EVENTS = text("""
SELECT c.id, c.aggregate, c.stage, c.policy, c.told, e.sequence, e.type, e.at, e.event_id, e.data
FROM clocks c JOIN clock_events e ON e.clock_id = c.id
WHERE c.aggregate = ANY(CAST(:aggregates AS text[])) ORDER BY c.id, e.sequence
""")
_APPEND = text("""
INSERT INTO clock_events (clock_id, sequence, type, at, event_id, data)
SELECT c, s, t, a, e, CAST(d AS jsonb)
FROM unnest(CAST(:clocks AS text[]), CAST(:sequences AS int[]), CAST(:types AS text[]), CAST(:ats AS timestamptz[]),
            CAST(:ids AS text[]), CAST(:data AS text[])) AS x (c, s, t, a, e, d)
""")
_SAVE = text("""
INSERT INTO clocks (id, aggregate, stage, state, outcome, deadline, closed_at, owner, priority, region, policy, rules,
                    provisional, used_share, told)
VALUES (:id, :aggregate, :stage, :state, :outcome, :deadline, :closed_at, :owner, :priority, :region, :policy, :rules,
        :provisional, :used_share, CAST(:told AS jsonb))
ON CONFLICT (id) DO UPDATE SET state = excluded.state, outcome = excluded.outcome, deadline = excluded.deadline,
    closed_at = excluded.closed_at, owner = excluded.owner, rules = excluded.rules,
    provisional = excluded.provisional, used_share = excluded.used_share,
    told = excluded.told
""")
_TIMERS = text("""
INSERT INTO timers (id, aggregate, kind, due_at, state, version, replayed)
SELECT i, a, 'clock', coalesce(d, 'infinity'), CASE WHEN d IS NULL THEN 'cancelled' ELSE 'armed' END, v, r
FROM unnest(CAST(:ids AS text[]), CAST(:aggregates AS text[]), CAST(:dues AS timestamptz[]), CAST(:versions AS int[]),
            CAST(:replayed AS boolean[])) AS x (i, a, d, v, r)
ON CONFLICT (id) DO UPDATE SET due_at = excluded.due_at, state = excluded.state, version = excluded.version
WHERE timers.version < excluded.version
""")


async def load(connection: AsyncConnection, book: ClockBook, aggregates: Iterable[str]) -> None:
    """Reads the clocks of aggregates that are locked already."""
    wanted = sorted(aggregates)
    if not wanted or book.rules is None:
        return
    rows = list(await connection.execute(_EVENTS, {"aggregates": wanted}))
    by_clock: dict[str, list[Any]] = {}
    for row in rows:
        by_clock.setdefault(row.id, []).append(row)
    for found in by_clock.values():
        clock = _clock(found, book)
        book.clocks.setdefault(clock.aggregate, {})[clock.stage] = clock


async def save(connection: AsyncConnection, book: ClockBook) -> None:
    """Appends the new events of the changed clocks, and writes their folds and timers."""
    changed = [clock for clocks in book.clocks.values() for clock in clocks.values() if clock.id in book.changed]
    if not changed:
        return
    assert book.rules is not None
    changed.sort(key=lambda clock: clock.id)
    await _append(connection, changed)
    await connection.execute(_SAVE, [_row(clock, book.rules.revision) for clock in changed])
    await connection.execute(
        _TIMERS,
        {
            "ids": [clock.id for clock in changed],
            "aggregates": [clock.aggregate for clock in changed],
            "dues": [clock.timer.due_at for clock in changed],
            "versions": [clock.timer.version for clock in changed],
            "replayed": [bool(clock.replay_of) for clock in changed],
        },
    )


async def _append(connection: AsyncConnection, changed: Sequence[Clock]) -> None:
    new = [(clock, number, event) for clock in changed for number, event in enumerate(clock.events, 1) if number > clock.stored]
    if new:
        await connection.execute(
            _APPEND,
            {
                "clocks": [clock.id for clock, _, _ in new],
                "sequences": [number for _, number, _ in new],
                "types": [type(event).__name__ for _, _, event in new],
                "ats": [event.at for _, _, event in new],
                "ids": [event.id for _, _, event in new],
                "data": [json.dumps(_data(clock, event)) for clock, _, event in new],
            },
        )


def _row(clock: Clock, rules: int) -> dict[str, Any]:
    state, told = clock.state, clock.told
    share = used_share(state)
    return {
        "id": clock.id,
        "aggregate": clock.aggregate,
        "stage": clock.stage,
        "state": state.state,
        "outcome": state.outcome,
        "deadline": state.deadline,
        "closed_at": clock.closed_at(),
        "owner": state.owner,
        "priority": clock.traits.get("priority", ""),
        "region": clock.traits.get("region", ""),
        "policy": clock.policy,
        "rules": rules,
        "provisional": state.is_provisional,
        "used_share": None if share is None else round(float(share), 6),
        "told": json.dumps(
            {
                "outcome": told.outcome,
                "event_id": told.event_id,
                "thresholds": told.thresholds,
                "subject": told.subject,
                "numerator": told.numerator,
                "revision": told.revision,
                "credited_at": None if told.credited_at is None else told.credited_at.isoformat(),
                "facts": told.facts,
                "deadline": None if told.deadline is None else told.deadline.isoformat(),
                "provisional": told.provisional,
                "calendars": dict(told.calendars),
                "known_to": clock.known_to.isoformat(),
                "timer": [None if clock.timer.due_at is None else clock.timer.due_at.isoformat(), clock.timer.version],
            }
        ),
    }


def _clock(rows: Sequence[Any], book: ClockBook) -> Clock:
    assert book.rules is not None
    first = rows[0]
    told, started = _json(first.told), _json(first.data)
    events = tuple(_event(row) for row in rows)
    due, version = told["timer"]
    known_to = datetime.fromisoformat(told["known_to"])
    pauses = None if started["pauses"] is None else tuple(started["pauses"])
    return Clock(
        id=first.id,
        aggregate=first.aggregate,
        stage=first.stage,
        policy=first.policy,
        thresholds=tuple(Threshold.read(threshold) for threshold in started["thresholds"]),
        indicators=tuple(started["indicators"]),
        pauses=pauses,
        traits=started["traits"],
        events=events,
        stored=len(events),
        known_to=known_to,
        told=WasTold(
            outcome=told["outcome"],
            event_id=told["event_id"],
            thresholds=tuple(told["thresholds"]),
            subject=told["subject"],
            numerator=told["numerator"],
            revision=told["revision"],
            credited_at=_instant(told["credited_at"]),
            facts=told["facts"],
            deadline=_instant(told["deadline"]),
            provisional=told["provisional"],
            calendars=told["calendars"],
        ),
        timer=TimerMark(_instant(due), version),
        replay_of=started["replay_of"],
        folded=fold_under(book.rules, events, known_to, stage=first.stage, policy=first.policy, traits=started["traits"], pauses=pauses),
    )


def _data(clock: Clock, event: LedgerEvent) -> dict[str, Any]:
    match event:
        case Started(calendar=calendar, target=target, owner=owner):
            return {
                "calendar": calendar,
                "target": _target(target),
                "owner": owner,
                "thresholds": [threshold.written() for threshold in clock.thresholds],
                "indicators": list(clock.indicators),
                "pauses": None if clock.pauses is None else list(clock.pauses),
                "traits": dict(clock.traits),
                "replay_of": clock.replay_of,
            }
        case Paused(party=party, reason=reason):
            return {"party": party, "reason": reason}
        case OwnerChanged(owner=owner):
            return {"owner": owner}
        case Changed(target=target, calendar=calendar):
            return {"target": None if target is None else _target(target), "calendar": calendar}
        case CalendarUsed(calendar=calendar, version=version):
            return {"calendar": calendar, "version": version}
        case _:
            return {}


def _target(target: Target) -> dict[str, Any]:
    if isinstance(target, WorkingTime):
        return {"working_seconds": str(Fraction(target.micros, 10**6))}
    return {"working_days": target.number, "meaning": target.meaning, "pauses_count": target.pauses_count}


def _event(row: Any) -> LedgerEvent:
    data = _json(row.data)
    common = {"id": row.event_id, "at": row.at, "sequence": row.sequence}
    match row.type:
        case "Started":
            return Started(**common, calendar=data["calendar"], target=read_target(data["target"], "target"), owner=data["owner"])
        case "Changed":
            target = None if data["target"] is None else read_target(data["target"], "target")
            return Changed(**common, target=target, calendar=data["calendar"])
        case "CalendarUsed":
            return CalendarUsed(**common, **data)
        case "Paused":
            return Paused(**common, **data)
        case "OwnerChanged":
            return OwnerChanged(**common, **data)
        case "Resumed":
            return Resumed(**common)
        case "Stopped":
            return Stopped(**common)
        case _:
            return Reopened(**common)


def _json(stored: Any) -> Any:
    return json.loads(stored) if isinstance(stored, str) else stored


def _instant(stored: str | None) -> datetime | None:
    return None if stored is None else datetime.fromisoformat(stored)
