"""Time in: cycles that were asked to close are graded once everything before their watermarks was handled (decisions 27)."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from appraisal import close_store, fact_store, repository, use_cases
from appraisal.documents import scheme_at
from appraisal.domain.cycle import Cycle, CycleStatus, posts_of, span_under
from appraisal.domain.grading import CycleInputs, CycleResults, Grading, PersonalGrade
from appraisal.domain.indicators import registry_at, registry_document
from appraisal.domain.inputs import CloseInputs
from appraisal.domain.period import Span
from appraisal.domain.scheme import Scheme
from appraisal.domain.year_end import cycles_in_a_row, cycles_of_year
from appraisal.repository import LatestGrade, UnitOfWork
from appraisal.tables import GradeRow
from common.contracts.cause import Cause
from common.kernel.documents import Plain
from common.kernel.wall_clock import now
from common.kernel.zones import data_version
from common.runtime.chassis import Chassis
from common.runtime.jobs import every
from common.runtime.transaction import Transaction
from common.sla.rulebook import CalendarVersion
from common.store import holes, parked
from common.store.database import kind_of

log = structlog.get_logger(__name__)

_CLAIMS = ("org-claims", "rating-claims", "kpi-fact-claims")
_FACTS = ("kpi-facts",)
_LOT = 250
"""So many grades are computed at once and written in one transaction."""


@every(0.5)
async def close_cycles(chassis: Chassis) -> None:
    """Brings each closing cycle one step further: its watermarks are taken, then it is graded.

    A large cycle holds up no other one: while it is graded, the others go on step by step.
    """
    running: dict[str, asyncio.Task[None]] = {}
    try:
        while True:
            async with chassis.database.reading() as connection:
                closing = await repository.closing_cycles(connection)
            running |= {id: asyncio.create_task(_one_step_or_park(chassis, id)) for id in closing if id not in running}
            if not running:
                return
            done, _ = await asyncio.wait(running.values(), timeout=0.5)
            for task in done:
                task.result()
            running = {id: task for id, task in running.items() if task not in done}
            if not running:
                return
    finally:
        for task in running.values():
            task.cancel()
        await asyncio.gather(*running.values(), return_exceptions=True)


async def _one_step_or_park(chassis: Chassis, id: str) -> None:
    """A cycle that cannot be read or graded is parked with its reason, as a case is in which an event meets a defect; others go on."""
    try:
        await _one_step(chassis, id)
    except Exception as error:
        if kind_of(error) == "transient":
            log.warning("cycle_waits", cycle=id, for_=type(error).__name__)
            return
        ref = UnitOfWork.cycles.ref(id)
        log.error("aggregate_parked", aggregate=ref, exc_info=error)
        async with chassis.database.transaction() as connection:
            await parked.park(connection, (), {ref: type(error).__name__})


async def _one_step(chassis: Chassis, id: str) -> None:
    """The watermarks are taken in two: first the claims, whose facts then have to reach `kpi-facts`, then the facts.

    Over a hole in the logs none is taken and nothing is graded; those that were taken before it was found are taken anew when it has ended.
    """
    async with chassis.database.transaction() as connection:
        cycle = await repository.cycle_of(connection, id)
        if cycle.status is not CycleStatus.CLOSING:  # another replica was faster
            return
        if (hole := await holes.open_hole(connection)) is not None:
            await repository.set_watermarks(connection, cycle, {})
            if not await repository.has_published(connection, cycle):
                await close_store.forget(connection, cycle)
            _waits(chassis, cycle, f"{hole}: see aftersales holes list")
            return
        if not cycle.watermarks:
            await _take_watermarks(chassis, connection, cycle, _CLAIMS)
            return
        if not await repository.has_passed(connection, cycle.watermarks) or await repository.has_unsent_facts(connection):
            return
        if not any(place.startswith("kpi-facts/") for place in cycle.watermarks):
            await _take_watermarks(chassis, connection, cycle, _FACTS)
            return
    await _grade(chassis, cycle)


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


async def _grade(chassis: Chassis, cycle: Cycle) -> None:
    """Grades everybody outside of any transaction, in a thread, and writes the grades lot by lot, each as long as the close is this one."""
    async with chassis.database.transaction() as connection:
        scheme = scheme_at((await chassis.consumer.documents.now(connection)).documents, cycle.scheme, cycle.as_of)
    assert isinstance(scheme, Scheme)  # a close under an unknown scheme was refused
    span = span_under(scheme, cycle.cycle, cycle.as_of)
    assert isinstance(span, Span)  # so was one before the end
    close = _Close(chassis, cycle, scheme, now())
    if (found := await close.inputs(span)) is None:
        return
    posts = posts_of(scheme, cycle.cycle)
    known = found.staff, posts, found.lots, found.ratings, cycle.as_of, found.calendar, found.registry
    inputs = CycleInputs(cycle.cycle, scheme, *known, before=found.before, earlier=found.earlier)
    grading = await asyncio.to_thread(Grading, inputs)
    await _keep(chassis, grading)
    graded, versions, not_graded, uncounted = 0, 0, dict[str, str](), Counter(grading.uncounted_ratings())
    for start in range(0, len(grading.appraisees), _LOT):
        grades, without = await asyncio.to_thread(grading.grade, grading.appraisees[start : start + _LOT])
        not_graded |= without
        uncounted.update({one.member.employee_id: one.late for one in grades if one.late})
        if (written := await close.publish(grades)) is None:
            return
        graded, versions = graded + len(grades), versions + written
    results = CycleResults(graded, not_graded, grading.unknown_subjects, uncounted, grading.unknown_indicators)
    if await close.end(span, results):
        chassis.logged.pop(cycle.id, None)
        log.info("cycle_closed", cycle=cycle.id, graded=graded, new_versions=versions, not_graded=len(not_graded))


async def _gathered(chassis: Chassis, cycle: Cycle, scheme: Scheme, span: Span) -> CloseInputs | None:
    """All that was known by the instant as of which the cycle is closed; None where it has to wait for some of it."""
    looked_at = (*cycles_of_year(scheme, cycle.cycle), *cycles_in_a_row(scheme, cycle.cycle))
    async with chassis.database.transaction() as connection:
        await repository.freeze(connection)
        if (open_close := await repository.close_before(connection, scheme.id, looked_at, cycle.as_of)) is not None:
            _waits(chassis, cycle, f"the close of {open_close}, whose grades it looks at")
            return None
        earlier = await repository.earlier_grades(connection, scheme.id, looked_at, cycle.as_of)
        ratings = await repository.ratings_of(connection, cycle.cycle, cycle.scheme)
        before = await repository.disclosed(connection, cycle)
    async with chassis.database.transaction() as connection:
        known = await chassis.consumer.documents.now(connection)
        if not known.is_complete:
            _waits(chassis, cycle, "the end of the reference documents")
            return None
        staff = known.organisation.as_of(cycle.as_of).before(span.end)
        if not staff.members:
            _waits(chassis, cycle, "an organisation described from before its end")
            return None
        calendar = known.rulebook.at_start(scheme.cycle.calendar, span.end)
        registry = registry_document(registry_at(known.documents, cycle.as_of))
    async with chassis.database.transaction() as connection:
        lots = await fact_store.gather_lots(connection, span.start, span.end, cycle.as_of)
    people = staff.members, tuple(staff.former())
    return CloseInputs(*people, tuple(lots), tuple(ratings), _digested(calendar), registry, before, earlier)


def _digested(calendar: CalendarVersion) -> Mapping[str, Plain]:
    """A calendar as it is digested: which version of which, what it says, and by which time zone data its days are counted."""
    content: dict[str, Plain] = calendar.calendar.to_json()
    return {"name": calendar.name, "version": str(calendar.version), "content": content, "tzdata": data_version()}


async def _keep(chassis: Chassis, grading: Grading) -> None:
    """Stores what the digests of the grades are made of, before any of them is published."""
    names = list(grading.documents)
    for start in range(0, len(names), _LOT):
        contents = {name: json.dumps(grading.documents[name], ensure_ascii=False) for name in names[start : start + _LOT]}
        async with chassis.database.transaction() as connection:
            await repository.add_inputs(connection, contents)


@dataclass(frozen=True, slots=True)
class _Close:
    """One close of a cycle, for the transactions that write it: each locks the cycle and stops where another close has taken its place."""

    chassis: Chassis
    cycle: Cycle
    scheme: Scheme
    recorded_at: datetime

    async def inputs(self, span: Span) -> CloseInputs | None:
        """What the close has found when it first came here; None where it has to wait for some of it, or is over.

        What becomes known between two lots counts for nobody, also when the process is killed in between.
        """
        async with self.chassis.database.transaction() as connection:
            if (frozen := await close_store.find(connection, self.cycle)) is not None:
                return frozen
        if (found := await _gathered(self.chassis, self.cycle, self.scheme, span)) is None:
            return None
        async with self.chassis.database.transaction() as connection:
            if await self._fenced(connection) is None:
                return None
            return await close_store.freeze(connection, self.cycle, found)

    async def publish(self, grades: Sequence[PersonalGrade]) -> int | None:
        """Publishes the grades that are new or changed and returns how many; None when this close is over."""
        async with self.chassis.database.transaction() as connection:
            if (transaction := await self._fenced(connection)) is None:
                return None
            before = await repository.latest_grades(connection, [use_cases.grade_key(self.cycle, one.member) for one in grades])
            columns = await asyncio.to_thread(self._staged, transaction, grades, before)
            await repository.add_grades(connection, columns)
            await transaction.save(connection)
        self.chassis.relay.wake()
        return len(columns["version"])

    async def end(self, span: Span, results: CycleResults) -> bool:
        """Publishes that the cycle is closed, or why it cannot be; False when this close is over."""
        async with self.chassis.database.transaction() as connection:
            if (transaction := await self._fenced(connection)) is None:
                return False
            cycle = transaction.held((UnitOfWork.cycles.name, self.cycle.id)).value
            transaction.run(self._cause(""), partial(use_cases.publish_close, cycle, self.scheme, span, results))
            await transaction.save(connection)
            await close_store.forget(connection, self.cycle)
        self.chassis.relay.wake()
        return True

    async def _fenced(self, connection: AsyncConnection) -> Transaction | None:
        """A transaction that holds the cycle; None when another replica has closed it meanwhile, or its close is another one now."""
        transaction = Transaction(self.chassis.name, UnitOfWork, self.chassis.consumer.documents)
        await transaction.load(connection, [(UnitOfWork.cycles, self.cycle.id)])
        found = transaction.held((UnitOfWork.cycles.name, self.cycle.id)).value
        return transaction if found is not None and _is_same_close(found, self.cycle) else None

    def _staged(self, transaction: Transaction, grades: Sequence[PersonalGrade], before: Mapping[str, LatestGrade]) -> dict[str, list[Any]]:
        rows: list[GradeRow] = []
        for one in grades:
            key = use_cases.grade_key(self.cycle, one.member)
            publish = partial(use_cases.publish_grade, self.cycle, self.scheme, one, before.get(key), self.recorded_at)
            transaction.run(self._cause(key), partial(_collect, rows, publish))
        return repository.grade_columns(rows)

    def _cause(self, key: str) -> Cause:
        """Of each grade and of the close itself: which lot a grade is written in, and how often, changes no id."""
        cycle = self.cycle
        id = f"cycle:{cycle.id}:{cycle.requested_by}:{key}"
        return Cause(id, cycle.as_of, self.recorded_at, cycle.requested_by, replay_of=cycle.replay_of)


def _is_same_close(found: Cycle, cycle: Cycle) -> bool:
    """Whether a cycle still closes as it did; further closes may have been asked for or planned behind this one."""
    return (found.status, found.requested_by, found.watermarks) == (cycle.status, cycle.requested_by, cycle.watermarks)


def _collect(rows: list[GradeRow], publish: Callable[[UnitOfWork], GradeRow | None], uow: UnitOfWork) -> None:
    if (row := publish(uow)) is not None:
        rows.append(row)


@every(2)
async def count_grades(chassis: Chassis) -> None:
    """Shows the published grades on `/metrics`."""
    async with chassis.database.reading() as connection:
        chassis.own_metrics.show(await repository.grade_counts(connection))
