"""Kafka in: what each event loads, and which use case it is."""

from appraisal import use_cases
from appraisal.domain.appraising import Rating
from appraisal.domain.closing import Closing
from appraisal.domain.org import OrgSnapshot
from appraisal.presets import find_scheme
from appraisal.repository import UnitOfWork
from common.contracts.claims.appraisal import CycleCloseRequested, KpiReported, OrgDescribed, RatingGiven
from common.runtime.handling import on


@on(OrgDescribed, loads=UnitOfWork.org_snapshots.maybe(use_cases.snapshot_of))
def on_org_described(event: OrgDescribed, existing: OrgSnapshot | None, uow: UnitOfWork) -> None:
    use_cases.take_org_snapshot(event, existing, uow)


@on(RatingGiven, loads=UnitOfWork.ratings.maybe(use_cases.rating_of))
def on_rating_given(event: RatingGiven, existing: Rating | None, uow: UnitOfWork) -> None:
    use_cases.record_rating(event, existing, uow)


@on(KpiReported)
def on_kpi_reported(event: KpiReported, uow: UnitOfWork) -> None:
    use_cases.record_kpi(event, uow)


@on(CycleCloseRequested, loads=UnitOfWork.cycles.maybe("cycle_key"))
def on_cycle_close_requested(event: CycleCloseRequested, existing: Closing | None, uow: UnitOfWork) -> None:
    use_cases.begin_close(event, existing, find_scheme(event.scheme), uow)
