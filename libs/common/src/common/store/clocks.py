"""The clocks in the database: `clock_events` are their ledgers, `clocks` the folds with what was published."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import date, datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, Literal, NamedTuple

import structlog
from pydantic_core import to_json
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.sla.clock import Clock
from common.sla.clock_book import ClockBook
from common.sla.ledger import LEDGER_NAMES, Ledger, fold_ledger
from common.sla.months import Counts, Span
from common.store import documents, parked, timers
from common.store.clock_rows import KEPT, columns_of, event_of, said

log = structlog.get_logger(__name__)

AT_ONCE = 500
"""So many aggregates take in new rules in one transaction."""

_EVENTS = text("""
SELECT c.id, c.aggregate, c.stage, c.revision, c.kept, e.sequence, e.type, e.at, e.event_id, e.data
FROM clocks c JOIN clock_events e ON e.clock_id = c.id
WHERE c.aggregate = ANY(CAST(:aggregates AS text[])) ORDER BY c.id, e.sequence
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
            CAST(:unexcused AS text[]), CAST(:kept AS text[]), CAST(:begun AS timestamptz[]))
        AS x (i, a, s, st, o, d, c, ow, tr, po, pv, u, ue, k, b)),
noted AS (
    INSERT INTO clock_days_changed (stage, day)
    SELECT DISTINCT s, (at AT TIME ZONE 'UTC')::date
    FROM new LEFT JOIN clocks was ON was.id = i CROSS JOIN unnest(ARRAY[was.closed_at, c, CASE WHEN was.id IS NULL THEN b END]) AS at
    WHERE at IS NOT NULL AND (was.outcome, was.closed_at) IS DISTINCT FROM (o, c))
INSERT INTO clocks (id, aggregate, stage, state, outcome, deadline, closed_at, owner, traits, policy, revision,
                    provisional, used_share, unexcused, kept)
SELECT i, a, s, st, o, d, c, ow, CAST(tr AS jsonb), po, :revision, pv, u, ue, CAST(k AS jsonb)
FROM new
ON CONFLICT (id) DO UPDATE SET state = excluded.state, outcome = excluded.outcome, deadline = excluded.deadline,
    closed_at = excluded.closed_at, owner = excluded.owner, traits = excluded.traits,
    policy = excluded.policy, revision = excluded.revision, provisional = excluded.provisional, used_share = excluded.used_share,
    unexcused = excluded.unexcused, kept = excluded.kept
""")
# Open clocks, those for which nothing is promised yet,
# and those that were closed no earlier than the instant of a rule that became known later still.
_STALE = text(f"""
SELECT aggregate FROM clocks c
WHERE outcome IN ('open', 'none') AND state NOT IN ('stopped', 'void') AND revision < :revision
  AND {parked.not_parked("c.aggregate")}
UNION ALL
SELECT c.aggregate FROM ({documents.UNKNOWN_SINCE}) AS unknown CROSS JOIN LATERAL (
    SELECT aggregate FROM clocks c WHERE revision = known AND closed_at >= unknown.effective_at
      AND {parked.not_parked("c.aggregate")}
    ORDER BY closed_at LIMIT :at_once
) AS c
LIMIT :at_once
""")  # noqa: S608 - the parts that are put in are constants of ours
ANY_DAY_CHANGED = "EXISTS (SELECT FROM clock_days_changed)"
"""SQL for another table's statement: a clock has begun or ended on some day, or does so no more, and nobody has taken note of it."""
_TAKE_DAYS = text("""
WITH taken AS (DELETE FROM clock_days_changed RETURNING stage, day) SELECT DISTINCT stage, day FROM taken
""")
_FIND = text("SELECT aggregate, stage, now() AS now FROM clocks WHERE id = :id")
_HAS_OUTCOME = "outcome IN ('met', 'breached')"
"""Which clocks count where promises are counted, by their `closed_at`: no other outcome was kept or broken."""
_COMPLIANCE = text(f"""
SELECT w.name AS window, stage, (count(*) FILTER (WHERE outcome = 'met'))::float / count(*) AS ratio
FROM clocks JOIN (VALUES ('1d', interval '1 day'), ('7d', interval '7 days'), ('30d', interval '30 days')) AS w (name, length)
     ON closed_at > now() - w.length AND closed_at <= now()
WHERE {_HAS_OUTCOME}
GROUP BY 1, 2
""")  # noqa: S608 - the part that is put in is a constant of ours
_COUNTS = text(f"""
SELECT w.stage, w.begin, count(c.id) FILTER (WHERE outcome = 'met') AS met, count(c.id) FILTER (WHERE outcome = 'breached') AS breached
FROM unnest(CAST(:stages AS text[]), CAST(:begins AS timestamptz[]), CAST(:ends AS timestamptz[])) AS w (stage, begin, until)
     LEFT JOIN clocks c ON c.stage = w.stage AND closed_at >= w.begin AND closed_at < w.until AND {_HAS_OUTCOME}
GROUP BY 1, 2
""")  # noqa: S608 - the part that is put in is a constant of ours
_OPEN = text("SELECT stage, count(*) AS n FROM clocks WHERE outcome = 'open' AND state <> 'stopped' GROUP BY stage")
_REPORT = """
SELECT stage, {group} AS value, count(*) FILTER (WHERE outcome = 'met' AND {closed}) AS met,
       count(*) FILTER (WHERE outcome = 'breached' AND {closed}) AS breached,
       count(*) FILTER (WHERE outcome = 'met' AND unexcused = 'breached' AND {closed}) AS excused,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY used_share) FILTER (WHERE {closed}) AS used_p50,
       percentile_disc(0.9) WITHIN GROUP (ORDER BY used_share) FILTER (WHERE {closed}) AS used_p90,
       count(*) FILTER (WHERE outcome = 'open' AND state <> 'stopped') AS open,
       min(deadline) FILTER (WHERE outcome = 'open' AND state = 'running') AS next_deadline
FROM clocks GROUP BY 1, 2 ORDER BY 1, 2
"""
# Who is charged is whoever a fact credits; a clock that feeds no indicator is charged to whose time it was at last.
_GROUPS = {
    "stage": "''",
    "priority": "coalesce(traits ->> 'priority', '')",
    "region": "coalesce(traits ->> 'region', '')",
    "person": "coalesce(nullif(kept -> 'published' ->> 'subject', ''), owner)",
    "policy": "policy",
}
_CLOSED_IN = f"{_HAS_OUTCOME} AND closed_at >= :begin AND closed_at < :end"
_REPORTS = {by: text(_REPORT.format(group=group, closed=_CLOSED_IN)) for by, group in _GROUPS.items()}
# A page begins after the last clock of the one before it, in the order of the index on stage and closing.
_CLOSED = """
SELECT c.*, e.sequence, e.type, e.at, e.event_id, e.data, now() AS now
FROM (SELECT id, stage, closed_at, kept ->> 'as_of' AS as_of, {group} AS value FROM clocks
      WHERE closed_at >= :begin AND closed_at < :end AND (stage, closed_at, id) > (:stage, :closed_at, :id)
      ORDER BY stage, closed_at, id LIMIT :at_once) AS c
LEFT JOIN clock_events e ON e.clock_id = c.id ORDER BY c.stage, c.closed_at, c.id, e.sequence
"""
_CLOSED_BY = {by: text(_CLOSED.format(group=group)) for by, group in _GROUPS.items()}
By = Literal["stage", "priority", "region", "person", "policy"]
"""What the clocks of a stage are told apart by."""


# A window leaves its trail on each clock that it touches; who approved its newest version answers for it.
_COMPENSATIONS = text(f"""
SELECT e.at, e.type AS what, c.id AS clock, c.stage, coalesce(nullif(c.kept -> 'published' ->> 'subject', ''), c.owner) AS owner,
       coalesce(e.data ->> 'by', '') AS by, e.data ->> 'reason' AS reason, c.unexcused, c.outcome
FROM clock_events e JOIN clocks c ON c.id = e.clock_id
WHERE e.type IN ('voided', 'extended') AND e.at >= :begin AND e.at < :end
UNION ALL
SELECT e.at, 'excused', c.id, c.stage, coalesce(nullif(c.kept -> 'published' ->> 'subject', ''), c.owner),
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
    await timers.arm(connection, changed)


async def stale(connection: AsyncConnection, revision: int) -> list[str]:
    """Some aggregates, in order, with a clock that was last folded under fewer rules than `revision` and may owe the others something."""
    rows = await connection.execute(_STALE, {"revision": revision, "at_once": AT_ONCE})
    return sorted({row.aggregate for row in rows})


async def find(connection: AsyncConnection, id: str) -> tuple[str, str, datetime] | None:
    """The aggregate and the stage of one clock, and the database's time; None when there is none of that id."""
    row = (await connection.execute(_FIND, {"id": id})).one_or_none()
    return None if row is None else (row.aggregate, row.stage, row.now)


async def compliance(connection: AsyncConnection) -> dict[tuple[str, str], float]:
    """The share of clocks that were met, of those that were closed lately, by stage and window (`1d`, `7d`, `30d`)."""
    return {(row.stage, row.window): row.ratio for row in await connection.execute(_COMPLIANCE)}


async def take_changed_days(connection: AsyncConnection) -> list[tuple[str, date]]:
    """The stages and days, as UTC counts them, on which clocks have begun or ended since the last time, or do so no more."""
    return [(row.stage, row.day) for row in await connection.execute(_TAKE_DAYS)]


async def counts_in(connection: AsyncConnection, spans: Iterable[tuple[str, Span]]) -> dict[tuple[str, datetime], Counts]:
    """For each stage and span how many clocks were met and breached in it, by event time; by stage and where the span begins."""
    wanted = list(spans)
    values = {
        "stages": [stage for stage, _ in wanted],
        "begins": [span.begin for _, span in wanted],
        "ends": [span.end for _, span in wanted],
    }
    return {(row.stage, row.begin): Counts(row.met, row.breached) for row in await connection.execute(_COUNTS, values)}


async def open_by_stage(connection: AsyncConnection) -> dict[str, int]:
    """How many clocks are open, by stage."""
    return {row.stage: row.n for row in await connection.execute(_OPEN)}


async def report(connection: AsyncConnection, by: By, begin: datetime, end: datetime) -> list[dict[str, Any]]:
    """By stage and `by` (as `value`): what was met and breached from `begin` to before `end`, and what is open now."""
    return [dict(row) for row in (await connection.execute(_REPORTS[by], {"begin": begin, "end": end})).mappings()]


async def compensations(connection: AsyncConnection, begin: datetime, end: datetime) -> list[dict[str, Any]]:
    """Who voided, extended and excused which clock from `begin` to before `end`, why, and what came of it without and with windows."""
    return [dict(row) for row in (await connection.execute(_COMPENSATIONS, {"begin": begin, "end": end})).mappings()]


class Closed(NamedTuple):
    """A clock that was met or breached, as it can be folded again."""

    id: str
    stage: str
    value: str
    """What it is told apart by."""
    ledger: Ledger | None
    """None where it cannot be read."""
    as_of: datetime
    """Up to when what is stored was said: the database's now, or later where an event is from later."""


async def closed(connection: AsyncConnection, by: By, begin: datetime, end: datetime) -> AsyncIterator[Closed]:
    """Every clock that was closed from `begin` to before `end`, by stage and instant, a page at a time.

    Each once, where the transaction sees one snapshot.
    """
    after = {"stage": "", "closed_at": begin, "id": ""}
    while rows := list(await connection.execute(_CLOSED_BY[by], {"begin": begin, "end": end, "at_once": AT_ONCE, **after})):
        for _, of_one in groupby(rows, attrgetter("id")):
            yield _closed(list(of_one))
        after = {name: getattr(rows[-1], name) for name in after}


def _closed(rows: Sequence[Any]) -> Closed:
    first = rows[0]
    try:
        ledger, as_of = Ledger(first.stage, tuple(map(event_of, rows))), datetime.fromisoformat(first.as_of)
    except Exception:  # noqa: BLE001 - whatever the rows hold: the others are told, and this one is named
        return Closed(first.id, first.stage, first.value, None, first.now)
    return Closed(first.id, first.stage, first.value, ledger, max(as_of, first.now))


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
