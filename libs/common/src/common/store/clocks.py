"""The clocks in the database: `clock_events` are their ledgers, `clocks` the folds with what was published."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

import structlog
from pydantic_core import to_json
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.sla.clock import Clock
from common.sla.clock_book import ClockBook
from common.sla.ledger import LEDGER_NAMES, Ledger, fold_ledger
from common.store import documents, parked, timers
from common.store.clock_rows import KEPT, columns_of, earlier_rounds_of, event_of, said

log = structlog.get_logger(__name__)

AT_ONCE = 500
"""So many aggregates take in new rules in one transaction."""

_EVENTS = text("""
SELECT c.id, c.aggregate, c.stage, c.revision, c.kept, e.sequence, e.type, e.at, e.event_id, e.data
FROM clocks c JOIN clock_events e ON e.clock_id = c.id
WHERE c.aggregate = ANY(CAST(:aggregates AS text[])) ORDER BY c.id, e.sequence
""")
_LEDGERS = text("""
SELECT clock_id, sequence, type, at, event_id, data FROM clock_events
WHERE clock_id = ANY(CAST(:ids AS text[])) ORDER BY clock_id, sequence
""")
_APPEND = text("""
INSERT INTO clock_events (clock_id, sequence, type, at, event_id, data)
SELECT c, s, t, a, e, CAST(d AS jsonb)
FROM unnest(CAST(:clocks AS text[]), CAST(:sequences AS int[]), CAST(:types AS text[]), CAST(:ats AS timestamptz[]),
            CAST(:ids AS text[]), CAST(:data AS text[])) AS x (c, s, t, a, e, d)
""")
# Which days closings were taken from or put on is noted for whoever counts months; the rows of this statement are those before it.
_SAVE = text("""
WITH new AS (
    SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:aggregates AS text[]), CAST(:stages AS text[]), CAST(:states AS text[]),
            CAST(:outcomes AS text[]), CAST(:deadlines AS timestamptz[]), CAST(:closed AS timestamptz[]), CAST(:owners AS text[]),
            CAST(:traits AS text[]), CAST(:policies AS text[]), CAST(:provisional AS boolean[]), CAST(:used_shares AS numeric[]),
            CAST(:unexcused AS text[]), CAST(:kept AS text[]), CAST(:begun AS timestamptz[]), CAST(:rounds AS int[]),
            CAST(:ended AS timestamptz[]), CAST(:charged AS text[]))
        AS x (i, a, s, st, o, d, c, ow, tr, po, pv, u, ue, k, b, r, e, ch)),
noted AS (
    INSERT INTO clock_days_changed (stage, day)
    SELECT DISTINCT s, (at AT TIME ZONE 'UTC')::date
    FROM new LEFT JOIN clocks was ON was.id = i CROSS JOIN unnest(ARRAY[was.closed_at, c, CASE WHEN was.id IS NULL THEN b END]) AS at
    WHERE at IS NOT NULL AND (was.outcome, was.closed_at) IS DISTINCT FROM (o, c))
INSERT INTO clocks (id, aggregate, stage, state, outcome, deadline, closed_at, owner, traits, policy, revision,
                    provisional, used_share, unexcused, kept, round, ended_at, charged)
SELECT i, a, s, st, o, d, c, ow, CAST(tr AS jsonb), po, :revision, pv, u, ue, CAST(k AS jsonb), r, e, ch
FROM new
ON CONFLICT (id) DO UPDATE SET round = excluded.round, ended_at = excluded.ended_at, charged = excluded.charged,
    state = excluded.state, outcome = excluded.outcome, deadline = excluded.deadline,
    closed_at = excluded.closed_at, owner = excluded.owner, traits = excluded.traits,
    policy = excluded.policy, revision = excluded.revision, provisional = excluded.provisional, used_share = excluded.used_share,
    unexcused = excluded.unexcused, kept = excluded.kept
""")
# The rounds before the last one of clocks that were restarted: all of them anew.
_FORGET_ROUNDS = text("""
WITH gone AS (DELETE FROM clock_rounds WHERE clock_id = ANY(CAST(:ids AS text[])) RETURNING stage, closed_at)
INSERT INTO clock_days_changed (stage, day)
SELECT DISTINCT stage, (closed_at AT TIME ZONE 'UTC')::date FROM gone WHERE closed_at IS NOT NULL
""")
_SAVE_ROUNDS = text("""
WITH new AS (
    SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:rounds AS int[]), CAST(:stages AS text[]), CAST(:outcomes AS text[]),
            CAST(:closed AS timestamptz[]), CAST(:charged AS text[]), CAST(:traits AS text[]), CAST(:policies AS text[]),
            CAST(:used_shares AS numeric[]), CAST(:unexcused AS text[]))
        AS x (i, r, s, o, c, ch, tr, po, u, ue)),
noted AS (
    INSERT INTO clock_days_changed (stage, day) SELECT DISTINCT s, (c AT TIME ZONE 'UTC')::date FROM new WHERE c IS NOT NULL)
INSERT INTO clock_rounds (clock_id, round, stage, outcome, closed_at, charged, traits, policy, used_share, unexcused)
SELECT i, r, s, o, c, ch, CAST(tr AS jsonb), po, u, ue FROM new
""")
# Open clocks, those for which nothing is promised yet,
# and those that were closed or made void no earlier than the instant of a rule that became known later still.
_STALE = text(f"""
SELECT aggregate FROM clocks c
WHERE outcome IN ('open', 'none') AND state NOT IN ('stopped', 'void') AND revision < :revision
  AND {parked.not_parked("c.aggregate")}
UNION ALL
SELECT c.aggregate FROM ({documents.UNKNOWN_SINCE}) AS unknown CROSS JOIN LATERAL (
    SELECT aggregate FROM clocks c WHERE revision = known AND ended_at >= unknown.effective_at
      AND {parked.not_parked("c.aggregate")}
    ORDER BY ended_at LIMIT :at_once
) AS c
LIMIT :at_once
""")  # noqa: S608 - the parts that are put in are constants of ours
ANY_DAY_CHANGED = "EXISTS (SELECT FROM clock_days_changed)"
"""SQL for another table's statement: a clock has begun or ended on some day, or does so no more, and nobody has taken note of it."""
_TAKE_DAYS = text("""
WITH taken AS (DELETE FROM clock_days_changed RETURNING stage, day) SELECT DISTINCT stage, day FROM taken
""")
_FIND = text("SELECT aggregate, stage, now() AS now FROM clocks WHERE id = :id")
_OPEN = text("SELECT stage, count(*) AS n FROM clocks WHERE outcome = 'open' AND state <> 'stopped' GROUP BY stage")
# A window leaves its trail on each clock that it touches; who approved its newest version answers for it.
_COMPENSATIONS = text(f"""
SELECT e.at, e.type AS what, c.id AS clock, c.stage, c.charged AS owner,
       coalesce(e.data ->> 'by', '') AS by, e.data ->> 'reason' AS reason, c.unexcused, c.outcome
FROM clock_events e JOIN clocks c ON c.id = e.clock_id
WHERE e.type IN ('voided', 'extended', 'restarted') AND e.at >= :begin AND e.at < :end
UNION ALL
SELECT e.at, 'excused', c.id, c.stage, c.charged,
       'employee:' || w.approver, w.reason, c.unexcused, c.outcome
FROM clock_events e JOIN clocks c ON c.id = e.clock_id JOIN ({documents.EXCUSED}) w ON e.data ->> 'rule' = 'excused ' || w.ref
WHERE e.type = 'rule_used' AND e.at >= :begin AND e.at < :end
ORDER BY at, clock, what
""")  # noqa: S608 - the part that is put in is a constant of ours


async def load(connection: AsyncConnection, book: ClockBook, aggregates: Iterable[str]) -> dict[str, str]:
    """Reads the clocks of aggregates that are locked already; returns the aggregates with a clock that cannot be read, and why."""
    wanted = list(aggregates)
    if not wanted:
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


async def save(connection: AsyncConnection, book: ClockBook, *, unnumbered_rules: int) -> None:
    """Appends the new events of the changed clocks, and writes their folds and timers.

    `unnumbered_rules`: rules inserted by this transaction. Clocks saved with it record the revision before them and are derived
    again later.
    """
    changed = [clock for clocks in book.clocks.values() for clock in clocks.values() if clock.id in book.changed]
    if not changed:
        return
    changed.sort(key=lambda clock: clock.id)
    await _append(connection, changed)
    await connection.execute(_SAVE, {**columns_of(changed), "revision": book.rulebook.revision - unnumbered_rules})
    if restarted := [clock for clock in changed if len(clock.published.rounds) > 1]:
        await connection.execute(_FORGET_ROUNDS, {"ids": [clock.id for clock in restarted]})
        await connection.execute(_SAVE_ROUNDS, earlier_rounds_of(restarted))
    await timers.arm(connection, changed)


async def stale(connection: AsyncConnection, revision: int) -> list[str]:
    """Some aggregates, in order, with a clock that was last folded under fewer rules than `revision` and may owe the others something."""
    rows = await connection.execute(_STALE, {"revision": revision, "at_once": AT_ONCE})
    return sorted({row.aggregate for row in rows})


async def find(connection: AsyncConnection, id: str) -> tuple[str, str, datetime] | None:
    """The aggregate and the stage of one clock, and the database's time; None when there is none of that id."""
    row = (await connection.execute(_FIND, {"id": id})).one_or_none()
    return None if row is None else (row.aggregate, row.stage, row.now)


async def take_changed_days(connection: AsyncConnection) -> list[tuple[str, date]]:
    """The stages and days, as UTC counts them, on which clocks have begun or ended since the last time, or do so no more."""
    return [(row.stage, row.day) for row in await connection.execute(_TAKE_DAYS)]


async def open_by_stage(connection: AsyncConnection) -> dict[str, int]:
    """How many clocks are open, by stage."""
    return {row.stage: row.n for row in await connection.execute(_OPEN)}


async def compensations(connection: AsyncConnection, begin: datetime, end: datetime) -> list[dict[str, Any]]:
    """Who voided, extended and excused which clock from `begin` to before `end`, why, and what came of it without and with windows."""
    return [dict(row) for row in (await connection.execute(_COMPENSATIONS, {"begin": begin, "end": end})).mappings()]


async def ledgers(connection: AsyncConnection, ids: Iterable[str]) -> dict[str, list[Any]]:
    """The events of clocks in their order, as rows for `event_of`, by clock."""
    found: dict[str, list[Any]] = {}
    for row in await connection.execute(_LEDGERS, {"ids": sorted(ids)}):
        found.setdefault(row.clock_id, []).append(row)
    return found


async def _append(connection: AsyncConnection, changed: Sequence[Clock]) -> None:
    new = [(clock, number, event) for clock in changed for number, event in enumerate(clock.events, 1) if number > clock.stored]
    if new:
        await connection.execute(
            _APPEND,
            {
                "clocks": [clock.id for clock, _, _ in new],
                "sequences": [number for _, number, _ in new],
                "types": [LEDGER_NAMES[type(event)] for _, _, event in new],
                "ats": [event.at for _, _, event in new],
                "ids": [event.id for _, _, event in new],
                "data": [to_json(said(event)).decode() for _, _, event in new],
            },
        )


def _clock(rows: Sequence[Any], book: ClockBook) -> Clock:
    first = rows[0]
    ledger = Ledger(first.stage, tuple(event_of(row) for row in rows))
    kept = KEPT.validate_python(first.kept)
    return Clock(
        id=first.id,
        aggregate=first.aggregate,
        ledger=ledger,
        stored=len(rows),
        as_of=kept.as_of,
        published=kept.published,
        timer=kept.timer,
        replay_of=kept.replay_of,
        folded=fold_ledger(book.rulebook, ledger, kept.as_of),
        timed_under=first.revision,
    )
