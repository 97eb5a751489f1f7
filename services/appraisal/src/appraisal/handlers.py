"""Kafka in, and time: what each event and each wake-up loads, and which use case it is."""

from appraisal import org_use_cases, use_cases
from appraisal.repository import UnitOfWork
from common.contracts.claims import appraisal as claims
from common.runtime.handling import handler_table, on, on_wake

HANDLERS = handler_table(
    on(claims.OrgDescribed, org_use_cases.describe_organisation, loads=UnitOfWork.organisations.maybe("org_id")),
    on(claims.OrgMemberJoined, org_use_cases.join_organisation, loads=UnitOfWork.organisations.by("org_id")),
    on(claims.OrgMemberTransferred, org_use_cases.transfer_member, loads=UnitOfWork.organisations.by("org_id")),
    on(claims.OrgMemberLeft, org_use_cases.leave_organisation, loads=UnitOfWork.organisations.by("org_id")),
    on(claims.RatingGiven, use_cases.record_rating, loads=UnitOfWork.ratings.maybe(use_cases.rating_of)),
    on(claims.KpiReported, use_cases.record_kpi),
    on(claims.CycleCloseRequested, use_cases.begin_close, loads=UnitOfWork.cycles.maybe("cycle_key")),
    on_wake(UnitOfWork.cycles, "close", use_cases.begin_planned_close),
)
