"""Gauges from the database, read at each scrape; only who holds the service's lease shows them, so that sums over replicas are right."""

from sqlalchemy.ext.asyncio import AsyncConnection

from common.runtime.metrics import ChassisMetrics
from common.sla.rulebook import Rulebook
from common.store import clock_outcomes, clocks, dead_letters, holes, outbox, parked, positions, sla_months, timers, waiting


async def refresh(connection: AsyncConnection, metrics: ChassisMetrics, rulebook: Rulebook) -> None:
    """Reads the gauges anew; `rulebook` are the rules of the service's clocks."""
    service = metrics.service
    clear(metrics)
    for (stage, window), ratio in (await clock_outcomes.compliance(connection)).items():
        metrics.compliance.labels(service, stage, window).set(ratio)
    for kept in await sla_months.month_so_far(connection, rulebook):
        if kept.objective is not None:
            metrics.objective.labels(service, kept.stage).set(float(kept.objective))
        if kept.counts.closed:
            metrics.month_closed.labels(service, kept.stage, "met").set(kept.counts.met)
            metrics.month_closed.labels(service, kept.stage, "breached").set(kept.counts.breached)
        if kept.budget is not None:
            metrics.budget_remaining.labels(service, kept.stage).set(kept.budget.remaining)
    for stage, number in (await clocks.open_by_stage(connection)).items():
        metrics.clocks_open.labels(service, stage).set(number)
    held = await dead_letters.open_by_rule(connection)
    held |= {(topic, "waiting"): number for topic, number in (await waiting.count_by_topic(connection)).items()}
    held |= {(topic, "parked"): number for topic, number in (await parked.count_by_topic(connection)).items()}
    for (topic, rule), number in held.items():
        metrics.dead_letters.labels(service, topic, rule).set(number)
    for (topic, kind), number in (await holes.open_by_kind(connection)).items():
        metrics.holes.labels(service, topic, kind).set(number)
    backlog = await outbox.backlog(connection)
    metrics.outbox_oldest.labels(service).set(backlog.oldest_seconds)
    metrics.outbox_refused.labels(service).set(backlog.refused)
    metrics.timer_oldest.labels(service).set((await timers.overdue(connection)).oldest_seconds)
    metrics.halted.labels(service).set(len(await positions.halted(connection)))


def clear(metrics: ChassisMetrics) -> None:
    """Shows none of them: another replica does."""
    for gauge in (
        metrics.compliance,
        metrics.objective,
        metrics.month_closed,
        metrics.budget_remaining,
        metrics.clocks_open,
        metrics.dead_letters,
        metrics.holes,
        metrics.outbox_oldest,
        metrics.outbox_refused,
        metrics.timer_oldest,
        metrics.halted,
    ):
        gauge.clear()
