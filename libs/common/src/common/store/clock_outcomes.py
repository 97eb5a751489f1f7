"""How promises were kept and broken, from the view `clock_outcomes`: one row for each round of each clock."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.sla.ledger import Ledger
from common.sla.months import Counts, Span
from common.store import clocks
from common.store.clock_rows import event_of

AT_ONCE = 500
"""So many rounds are read in one page."""

_HAS_OUTCOME = "outcome IN ('met', 'breached')"
"""Which clocks count where promises are counted, by their `closed_at`: no other outcome was kept or broken."""
_COMPLIANCE = text(f"""
SELECT w.name AS window, stage, (count(*) FILTER (WHERE outcome = 'met'))::float / count(*) AS ratio
FROM clock_outcomes JOIN (VALUES ('1d', interval '1 day'), ('7d', interval '7 days'), ('30d', interval '30 days')) AS w (name, length)
     ON closed_at > now() - w.length AND closed_at <= now()
WHERE {_HAS_OUTCOME}
GROUP BY 1, 2
""")  # noqa: S608 - the part that is put in is a constant of ours
_COUNTS = text(f"""
SELECT w.stage, w.begin, count(clock_id) FILTER (WHERE outcome = 'met') AS met,
       count(clock_id) FILTER (WHERE outcome = 'breached') AS breached
FROM unnest(CAST(:stages AS text[]), CAST(:begins AS timestamptz[]), CAST(:ends AS timestamptz[])) AS w (stage, begin, until)
     LEFT JOIN clock_outcomes c ON c.stage = w.stage AND closed_at >= w.begin AND closed_at < w.until AND {_HAS_OUTCOME}
GROUP BY 1, 2
""")  # noqa: S608 - the part that is put in is a constant of ours
_REPORT = """
SELECT stage, {group} AS value, count(*) FILTER (WHERE outcome = 'met' AND {closed}) AS met,
       count(*) FILTER (WHERE outcome = 'breached' AND {closed}) AS breached,
       count(*) FILTER (WHERE outcome = 'met' AND unexcused = 'breached' AND {closed}) AS excused,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY used_share) FILTER (WHERE {closed}) AS used_p50,
       percentile_disc(0.9) WITHIN GROUP (ORDER BY used_share) FILTER (WHERE {closed}) AS used_p90,
       count(*) FILTER (WHERE outcome = 'open' AND state <> 'stopped') AS open,
       min(deadline) FILTER (WHERE outcome = 'open' AND state = 'running') AS next_deadline
FROM clock_outcomes GROUP BY 1, 2 ORDER BY 1, 2
"""
_GROUPS = {
    "stage": "''",
    "priority": "coalesce(traits ->> 'priority', '')",
    "region": "coalesce(traits ->> 'region', '')",
    "person": "charged",
    "policy": "policy",
}
_CLOSED_IN = f"{_HAS_OUTCOME} AND closed_at >= :begin AND closed_at < :end"
_REPORTS = {by: text(_REPORT.format(group=group, closed=_CLOSED_IN)) for by, group in _GROUPS.items()}
# A page begins after the last clock of the one before it, in the order of the index on stage and closing.
_CLOSED = """
SELECT clock_id AS id, round, stage, closed_at, as_of, {group} AS value, now() AS now FROM clock_outcomes
WHERE closed_at >= :begin AND closed_at < :end AND (stage, closed_at, clock_id, round) > (:stage, :closed_at, :id, :round)
ORDER BY stage, closed_at, clock_id, round LIMIT :at_once
"""
_CLOSED_BY = {by: text(_CLOSED.format(group=group)) for by, group in _GROUPS.items()}
By = Literal["stage", "priority", "region", "person", "policy"]
"""What the clocks of a stage are told apart by."""


async def compliance(connection: AsyncConnection) -> dict[tuple[str, str], float]:
    """The share of clocks that were met, of those that were closed lately, by stage and window (`1d`, `7d`, `30d`)."""
    return {(row.stage, row.window): row.ratio for row in await connection.execute(_COMPLIANCE)}


async def counts_in(connection: AsyncConnection, spans: Iterable[tuple[str, Span]]) -> dict[tuple[str, datetime], Counts]:
    """For each stage and span how many clocks were met and breached in it, by event time; by stage and where the span begins."""
    wanted = list(spans)
    values = {
        "stages": [stage for stage, _ in wanted],
        "begins": [span.begin for _, span in wanted],
        "ends": [span.end for _, span in wanted],
    }
    return {(row.stage, row.begin): Counts(row.met, row.breached) for row in await connection.execute(_COUNTS, values)}


async def report(connection: AsyncConnection, by: By, begin: datetime, end: datetime) -> list[dict[str, Any]]:
    """By stage and `by` (as `value`): what was met and breached from `begin` to before `end`, and what is open now."""
    return [dict(row) for row in (await connection.execute(_REPORTS[by], {"begin": begin, "end": end})).mappings()]


class Closed(NamedTuple):
    """A round of a clock that was met or breached, as it can be folded again."""

    id: str
    round: int
    """0 for the first."""
    stage: str
    value: str
    """What it is told apart by."""
    ledger: Ledger | None
    """None where it cannot be read."""
    as_of: datetime
    """Up to when what is stored was said: the database's now, or later where an event is from later."""


async def closed(connection: AsyncConnection, by: By, begin: datetime, end: datetime) -> AsyncIterator[Closed]:
    """Every round of a clock that was closed from `begin` to before `end`, by stage and instant, a page at a time.

    Each once, where the transaction sees one snapshot.
    """
    after = {"stage": "", "closed_at": begin, "id": "", "round": -1}
    while rows := list(await connection.execute(_CLOSED_BY[by], {"begin": begin, "end": end, "at_once": AT_ONCE, **after})):
        ledgers = await clocks.ledgers(connection, {row.id for row in rows})
        for row in rows:
            yield _closed(row, ledgers.get(row.id, ()))
        after = {name: getattr(rows[-1], name) for name in after}


def _closed(row: Any, events: Sequence[Any]) -> Closed:
    try:
        ledger, as_of = Ledger(row.stage, tuple(map(event_of, events))), datetime.fromisoformat(row.as_of)
    except Exception:  # noqa: BLE001 - whatever the rows hold: the others are told, and this one is named
        return Closed(row.id, row.round, row.stage, row.value, None, row.now)
    return Closed(row.id, row.round, row.stage, row.value, ledger, max(as_of, row.now))
