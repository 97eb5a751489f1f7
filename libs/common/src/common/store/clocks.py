"""The clocks in the database: `clock_events` append-only, `clocks` their fold with what was told, `timers` what is due next."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.kernel.clock_events import OwnerChanged, Paused, Reopened, Resumed, Started, Stopped
from common.kernel.clock_json import write_target
from common.kernel.clock_shares import used_share
from common.kernel.targets import read_target
from common.sla.clock import Clock, Published, TimerMark
from common.sla.clock_book import ClockBook
from common.sla.ledger import Ledger, LedgerEvent, RuleUsed, TraitsChanged, fold_under

log = structlog.get_logger(__name__)

_EVENTS = text("""
SELECT c.id, c.aggregate, c.stage, c.rules, c.told, e.sequence, e.type, e.at, e.event_id, e.data
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
    closed_at = excluded.closed_at, owner = excluded.owner, priority = excluded.priority, region = excluded.region,
    policy = excluded.policy, rules = excluded.rules, provisional = excluded.provisional, used_share = excluded.used_share,
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


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a clock's row keeps beside its columns."""

    told: Published
    as_of: datetime
    timer: TimerMark


_KEPT = TypeAdapter(_Kept)


async def load(connection: AsyncConnection, book: ClockBook, aggregates: Iterable[str]) -> dict[str, str]:
    """Reads the clocks of aggregates that are locked already; returns the aggregates with a clock that cannot be read, and why."""
    wanted = sorted(aggregates)
    if not wanted or book.rules is None:
        return {}
    rows = list(await connection.execute(_EVENTS, {"aggregates": wanted}))
    by_clock: dict[str, list[Any]] = {}
    for row in rows:
        by_clock.setdefault(row.id, []).append(row)
    unreadable: dict[str, str] = {}
    for found in by_clock.values():
        aggregate = found[0].aggregate
        try:
            clock = _clock(found, book)
        except Exception as error:  # whatever the rows hold: one clock must not stop the others
            log.error("clock_unreadable", clock=found[0].id, exc_info=error)
            unreadable[aggregate] = f"its clock {found[0].stage} cannot be read: {type(error).__name__}"
            continue
        book.clocks.setdefault(clock.aggregate, {})[clock.stage] = clock
    return unreadable


async def save(connection: AsyncConnection, book: ClockBook, *, own_rules: int) -> None:
    """Appends the new events of the changed clocks, and writes their folds and timers.

    `own_rules` is how many rules the batch itself publishes: they have no number yet, so the clocks do not claim to know them.
    """
    changed = [clock for clocks in book.clocks.values() for clock in clocks.values() if clock.id in book.changed]
    if not changed:
        return
    assert book.rules is not None
    changed.sort(key=lambda clock: clock.id)
    await _append(connection, changed)
    await connection.execute(_SAVE, [_row(clock, book.rules.revision - own_rules) for clock in changed])
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
    share, now = used_share(state), clock.folded.terms[-1]
    return {
        "id": clock.id,
        "aggregate": clock.aggregate,
        "stage": clock.stage,
        "state": state.state,
        "outcome": state.outcome,
        "deadline": state.deadline,
        "closed_at": clock.closed_at(),
        "owner": state.owner,
        "priority": now.traits.get("priority", ""),
        "region": now.traits.get("region", ""),
        "policy": now.policy,
        "rules": rules,
        "provisional": state.is_provisional,
        "used_share": None if share is None else round(float(share), 6),
        "told": _KEPT.dump_json(_Kept(told, clock.as_of, clock.timer)).decode(),
    }


def _clock(rows: Sequence[Any], book: ClockBook) -> Clock:
    assert book.rules is not None
    first = rows[0]
    began = first.data
    ledger = Ledger(first.stage, began["traits"], tuple(_event(row) for row in rows))
    kept = _KEPT.validate_python(first.told)
    return Clock(
        id=first.id,
        aggregate=first.aggregate,
        ledger=ledger,
        stored=len(rows),
        as_of=kept.as_of,
        told=kept.told,
        timer=kept.timer,
        replay_of=began["replay_of"],
        folded=fold_under(book.rules, ledger, kept.as_of),
        timed_under=first.rules,
    )


def _data(clock: Clock, event: LedgerEvent) -> dict[str, Any]:
    match event:
        case Started(calendar=calendar, target=target, owner=owner):
            began = {"traits": dict(clock.ledger.traits), "replay_of": clock.replay_of}
            return {"calendar": calendar, "target": write_target(target), "owner": owner, **began}
        case Paused(party=party, reason=reason):
            return {"party": party, "reason": reason}
        case OwnerChanged(owner=owner):
            return {"owner": owner}
        case TraitsChanged(traits=traits, reason=reason):
            return {"traits": dict(traits), "reason": reason}
        case RuleUsed(rule=rule):
            return {"rule": rule}
        case _:
            return {}


def _event(row: Any) -> LedgerEvent:
    data = row.data
    common = {"id": row.event_id, "at": row.at, "sequence": row.sequence}
    match row.type:
        case "Started":
            return Started(**common, calendar=data["calendar"], target=read_target(data["target"], "target"), owner=data["owner"])
        case "TraitsChanged":
            return TraitsChanged(**common, **data)
        case "RuleUsed":
            return RuleUsed(**common, **data)
        case "Paused":
            return Paused(**common, **data)
        case "OwnerChanged":
            return OwnerChanged(**common, **data)
        case "Resumed":
            return Resumed(**common)
        case "Stopped":
            return Stopped(**common)
        case "Reopened":
            return Reopened(**common)
        case unknown:
            raise LookupError(f"no clock event is called {unknown}")
