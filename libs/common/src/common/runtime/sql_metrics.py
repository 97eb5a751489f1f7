"""Gauges from the database, read at each scrape; only who holds the service's lease shows them, so that sums over replicas are right."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.runtime.metrics import ChassisMetrics

_COMPLIANCE = text("""
SELECT w.name AS window, stage, (count(*) FILTER (WHERE outcome = 'met'))::float / count(*) AS ratio
FROM clocks JOIN (VALUES ('1d', interval '1 day'), ('7d', interval '7 days'), ('30d', interval '30 days')) AS w (name, length)
     ON closed_at > now() - w.length AND closed_at <= now()
WHERE outcome IN ('met', 'breached')
GROUP BY 1, 2
""")
_OPEN = text("SELECT stage, count(*) AS n FROM clocks WHERE outcome = 'open' AND state <> 'stopped' GROUP BY stage")
_DEAD = text("""
SELECT topic, rule, count(*) AS n FROM dead_letters WHERE closed_at IS NULL GROUP BY 1, 2
UNION ALL SELECT record->>'topic', 'waiting', count(*) FROM waiting GROUP BY 1
UNION ALL SELECT record->>'topic', 'parked', count(*) FROM parked GROUP BY 1
""")
_HOLES = text("SELECT topic, kind, count(*) AS n FROM log_holes WHERE ended_at IS NULL GROUP BY 1, 2")
_AGES = text("""
SELECT coalesce(extract(epoch FROM clock_timestamp() - (SELECT min(created_at) FROM unsent)), 0)::float
       AS outbox,
       coalesce(extract(epoch FROM clock_timestamp() - (SELECT min(due_at) FROM timers WHERE state = 'armed' AND due_at < now())), 0)::float
       AS timer,
       (SELECT count(*) FROM outbox WHERE refused IS NOT NULL) AS refused,
       (SELECT count(*) FROM consumer_progress WHERE halted) AS halted
""")


async def refresh(connection: AsyncConnection, metrics: ChassisMetrics) -> None:
    """Reads the gauges anew."""
    service = metrics.service
    clear(metrics)
    for row in await connection.execute(_COMPLIANCE):
        metrics.compliance.labels(service, row.stage, row.window).set(row.ratio)
    for row in await connection.execute(_OPEN):
        metrics.clocks_open.labels(service, row.stage).set(row.n)
    for row in await connection.execute(_DEAD):
        metrics.dead_letters.labels(service, row.topic, row.rule).set(row.n)
    for row in await connection.execute(_HOLES):
        metrics.holes.labels(service, row.topic, row.kind).set(row.n)
    ages = (await connection.execute(_AGES)).one()
    metrics.outbox_oldest.labels(service).set(ages.outbox)
    metrics.outbox_refused.labels(service).set(ages.refused)
    metrics.timer_oldest.labels(service).set(ages.timer)
    metrics.halted.labels(service).set(ages.halted)


def clear(metrics: ChassisMetrics) -> None:
    """Shows none of them: another replica does."""
    for gauge in (
        metrics.compliance,
        metrics.clocks_open,
        metrics.dead_letters,
        metrics.holes,
        metrics.outbox_oldest,
        metrics.outbox_refused,
        metrics.timer_oldest,
        metrics.halted,
    ):
        gauge.clear()
