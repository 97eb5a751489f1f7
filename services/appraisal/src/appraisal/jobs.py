"""Time in: cycles that were asked to close are graded once everything before their watermarks was handled (decisions 27)."""

from collections.abc import Collection
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from appraisal import fact_store, repository, use_cases
from appraisal.domain.cycle import Cycle, CycleStatus, posts_of, span_under
from appraisal.domain.grading import GradingInputs, grade_cycle
from appraisal.domain.period import Span
from appraisal.presets import find_scheme
from appraisal.repository import UnitOfWork
from common.contracts.cause import Cause
from common.kernel.wall_clock import now
from common.kernel.zones import data_version
from common.runtime.chassis import Chassis
from common.runtime.jobs import every
from common.runtime.transaction import Transaction
from common.store import holes, parked
from common.store.database import kind_of

log = structlog.get_logger(__name__)

_CLAIMS = ("org-claims", "rating-claims", "kpi-fact-claims")
_FACTS = ("kpi-facts",)


@every(0.5)
async def close_cycles(chassis: Chassis) -> None:
    """Brings each closing cycle one step further: its watermarks are taken, then it is graded."""
    async with chassis.database.transaction() as connection:
        closing = await repository.closing_cycles(connection)
    for id in closing:
        await _one_step_or_park(chassis, id)


async def _one_step_or_park(chassis: Chassis, id: str) -> None:
    """A cycle that cannot be read or graded is parked with its reason, as a case is in which an event meets a defect; others go on."""
    try:
        async with chassis.database.transaction() as connection:
            await _one_step(chassis, connection, id)
    except Exception as error:
        if kind_of(error) == "transient":
            raise
        ref = UnitOfWork.cycles.ref(id)
        log.error("aggregate_parked", aggregate=ref, exc_info=error)
        async with chassis.database.transaction() as connection:
            await parked.park(connection, (), {ref: type(error).__name__})


async def _one_step(chassis: Chassis, connection: AsyncConnection, id: str) -> None:
    """The watermarks are taken in two: first the claims, whose facts then have to reach `kpi-facts`, then the facts.

    Over a hole in the logs none is taken and nothing is graded; those that were taken before it was found are taken anew when it has ended.
    """
    cycle = await repository.cycle_of(connection, id)
    if cycle.status is not CycleStatus.CLOSING:  # another replica was faster
        return
    if (hole := await holes.open_hole(connection)) is not None:
        await repository.set_watermarks(connection, cycle, {})
        _waits(chassis, cycle, f"{hole}: see aftersales holes list")
    elif not cycle.watermarks:
        await _take_watermarks(chassis, connection, cycle, _CLAIMS)
    elif not await repository.has_passed(connection, cycle.watermarks) or await repository.has_unsent_facts(connection):
        return
    elif not any(place.startswith("kpi-facts/") for place in cycle.watermarks):
        await _take_watermarks(chassis, connection, cycle, _FACTS)
    else:
        await _grade(chassis, connection, cycle)


async def _take_watermarks(chassis: Chassis, connection: AsyncConnection, cycle: Cycle, topics: Collection[str]) -> None:
    """Adds the ends of topics to the watermarks, unless the look at them has found a hole just now."""
    ends = await chassis.ends_of(topics)
    if await holes.open_hole(connection) is None:
        await repository.set_watermarks(connection, cycle, {**cycle.watermarks, **ends})


def _waits(chassis: Chassis, cycle: Cycle, for_: str) -> None:
    """Says once for what a cycle waits."""
    if chassis.logged.get(cycle.id) != for_:
        chassis.logged[cycle.id] = for_
        log.warning("cycle_waits", cycle=cycle.id, for_=for_)


async def _grade(chassis: Chassis, connection: AsyncConnection, cycle: Cycle) -> None:
    transaction = Transaction(chassis.name, UnitOfWork, chassis.consumer.rulebook)
    await transaction.load(connection, [(UnitOfWork.cycles, cycle.id)])
    if cycle != transaction.held((UnitOfWork.cycles.name, cycle.id)).value:
        return  # before the lock was ours another replica graded it, or it was asked for again: its cut is not the one that was looked at
    scheme = find_scheme(cycle.scheme)
    assert scheme is not None  # a close under an unknown scheme was refused
    span = span_under(scheme, cycle.cycle, cycle.as_of)
    assert isinstance(span, Span)  # so was one before the end
    org = await repository.org_as_of(connection, span.end)
    if org is None:
        _waits(chassis, cycle, "an org snapshot from before its end")
        return
    appraised = grade_cycle(
        GradingInputs(
            scheme=scheme,
            org=org,
            posts=posts_of(scheme, cycle.cycle),
            facts=await fact_store.facts_between(connection, span.start, span.end, cycle.as_of),
            ratings=await repository.ratings_of(connection, cycle.cycle, cycle.scheme),
            tzdata=data_version(),
        )
    )
    before = await repository.latest_grades(connection, cycle.id)
    moment = now()
    cause = Cause(f"cycle:{cycle.id}:{cycle.requested_by}", cycle.as_of, moment, cycle.requested_by, replay_of=cycle.replay_of)
    rows: list[Any] = []
    transaction.run(cause, lambda uow: rows.extend(use_cases.publish_grades(cycle, scheme, span, appraised, before, moment, uow)))
    await repository.add_grades(connection, rows)
    await transaction.save(connection)
    chassis.relay.wake()
    chassis.logged.pop(cycle.id, None)
    log.info("cycle_closed", cycle=cycle.id, graded=len(appraised.grades), new_versions=len(rows), not_graded=len(appraised.not_graded))


@every(2)
async def count_grades(chassis: Chassis) -> None:
    """Shows the published grades on `/metrics`."""
    async with chassis.database.transaction() as connection:
        chassis.own_metrics.show(await repository.grade_counts(connection))
