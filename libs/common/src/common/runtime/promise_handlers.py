"""What can be said of the promises of any case (`contracts.claims.promises`): the same use cases in each service that keeps clocks."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from common.contracts.claims.promises import PromiseExtended, PromiseRestarted, PromisesVoided
from common.kernel.clocks import Clocks
from common.kernel.errors import Refused, TooEarly
from common.kernel.process import Case
from common.kernel.targets import read_target
from common.runtime.handling import Handler
from common.runtime.unit_of_work import UnitOfWork
from common.store.aggregates import Load, Staged

About = PromisesVoided | PromiseExtended | PromiseRestarted


def promise_handlers(
    by_id: Load[Any], voided: type[PromisesVoided], extended: type[PromiseExtended], restarted: type[PromiseRestarted]
) -> tuple[Handler, ...]:
    """The lines of a service's table of handlers for its claims about promises; `by_id` loads the case that they name."""
    cases = by_id.aggregates

    def answer(claim: About, case: Case[Any, Any], uow: UnitOfWork, clocks: Clocks, *stages: str) -> None:
        refused = _clocked(uow, cases.ref(case.id), stages, claim)
        Staged(cases, uow).answer(claim, refused or replace(case, clocks=clocks))

    def void_promises(claim: PromisesVoided, case: Case[Any, Any], uow: UnitOfWork) -> None:
        clocks = case.clocks
        for stage in claim.stages:
            clocks = clocks.voided(stage, claim.time, claim.reason, owed=claim.owed, by=_who(claim))
        answer(claim, case, uow, clocks, *claim.stages)

    def extend_promise(claim: PromiseExtended, case: Case[Any, Any], uow: UnitOfWork) -> None:
        target = read_target(claim.target, ("target",))
        answer(claim, case, uow, case.clocks.extended(claim.stage, claim.time, target, claim.reason, by=_who(claim)), claim.stage)

    def restart_promise(claim: PromiseRestarted, case: Case[Any, Any], uow: UnitOfWork) -> None:
        target = None if claim.target is None else read_target(claim.target, ("target",))
        answer(claim, case, uow, case.clocks.restarted(claim.stage, claim.time, target, claim.reason, by=_who(claim)), claim.stage)

    return (
        Handler(voided, (by_id,), void_promises),
        Handler(extended, (by_id,), extend_promise),
        Handler(restarted, (by_id,), restart_promise),
    )


def _who(claim: About) -> str:
    return f"employee:{claim.by}" if claim.by else ""


def _clocked(uow: UnitOfWork, ref: str, stages: Sequence[str], claim: About) -> Refused | TooEarly | None:
    """Why nothing can be said of these promises; None where each of them had begun by then."""
    known, begun = uow.rulebook.stages, uow.clocks_of(ref)
    for stage in stages:
        if stage not in known:
            return Refused("unknown_stage", was=", ".join(known), field="stages" if isinstance(claim, PromisesVoided) else "stage")
        if stage not in begun:
            return TooEarly(stage)
        if claim.time < begun[stage]:
            return Refused("not_before_start", was=begun[stage].isoformat(), field="ce_time")
    return None
