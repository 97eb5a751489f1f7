"""Kafka in: what each event loads, and which use case it is."""

from appraisal import use_cases
from appraisal.repository import UnitOfWork
from common.contracts.claims import appraisal as claims
from common.runtime.handling import handler_table, on

HANDLERS = handler_table(
    on(claims.OrgDescribed, use_cases.take_org_snapshot, loads=UnitOfWork.org_snapshots.maybe(use_cases.snapshot_of)),
    on(claims.RatingGiven, use_cases.record_rating, loads=UnitOfWork.ratings.maybe(use_cases.rating_of)),
    on(claims.KpiReported, use_cases.record_kpi),
    on(claims.CycleCloseRequested, use_cases.begin_close, loads=UnitOfWork.cycles.maybe("cycle_key")),
)
