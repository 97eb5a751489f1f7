"""One function a command: loaded data in, changes and events staged. No I/O."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from appraisal.domain.cycle import Close, Cycle, cycle_refused, span_under
from appraisal.domain.grading import CycleResults, PersonalGrade, nobody_graded
from appraisal.domain.indicators import claim_refused, registry_at
from appraisal.domain.inputs import stored_inputs
from appraisal.domain.outcomes import OutcomeRule
from appraisal.domain.period import Span
from appraisal.domain.rating import Rating, Revision, sheet_refused, sheet_score
from appraisal.domain.result import grade_document
from appraisal.domain.scheme import Scheme
from appraisal.repository import LatestGrade, UnitOfWork
from appraisal.tables import GradeRow
from common.contracts.claims.appraisal import CycleCloseRequested, KpiReported, RatingGiven
from common.contracts.cycles import INDICATORS, LISTED, CycleClaimRejected, CycleClosed, CycleClosePlanned, CycleExceptionsListed
from common.contracts.grades import GradePublished, GradeRecorded, OutcomeProposed, OutcomeReversed
from common.contracts.kpi_facts import KpiRecorded
from common.contracts.ratings import RatingRecorded
from common.kernel.errors import Refused
from common.kernel.staff import Member
from common.kernel.wake_ups import Woken


def record_rating(given: RatingGiven, existing: Rating | None, uow: UnitOfWork) -> None:
    """A rating is kept as it was given; whether its rater counts is judged with the organisation when the cycle is graded (X-18)."""
    match _revised(given, existing, uow.scheme(given.scheme, given.time)):
        case Refused() as refused:
            uow.reject(given, refused)
        case Rating() as rating if existing is None:
            uow.ratings.add(rating)
            uow.publish(_recorded(given))
        case Rating() as rating if rating != existing:
            uow.ratings.save(rating)
            uow.publish(_recorded(given))


def _revised(given: RatingGiven, existing: Rating | None, scheme: Scheme | Refused) -> Rating | Refused:
    if isinstance(scheme, Refused):
        return scheme
    if refused := cycle_refused(scheme, given.cycle) or sheet_refused(scheme, given.sheet):
        return refused
    if given.appraiser == given.appraisee:
        return Refused("no_self_rating", field="appraiser")
    items = {one.item: one.score for one in given.items}
    if len(items) < len(given.items):
        return Refused("an_item_once", field="items")
    score = sheet_score(given.score, items)
    if isinstance(score, Refused):
        return score
    rating = existing or Rating(rating_of(given), given.cycle, given.scheme, given.appraisee, given.appraiser)
    return rating.revised(Revision(given.rating_id, given.revision, score, given.envelope.recorded_at, items, given.remark))


def _recorded(given: RatingGiven) -> RatingRecorded:
    told = given.model_dump(include={"rating_id", "cycle", "scheme", "appraisee", "revision"})
    return RatingRecorded(**told, recorded_at=given.time)


def rating_of(given: RatingGiven) -> str:
    """The id of a rating: one a rater, appraisee, cycle and scheme."""
    return f"{given.cycle}|{given.scheme}|{given.appraisee}|{given.appraiser}"


def record_kpi(reported: KpiReported, uow: UnitOfWork) -> None:
    """A figure that another system measured becomes a fact like our own, where the indicator is registered and that system may say it."""
    if refused := claim_refused(registry_at(uow.documents, reported.time), reported.indicator, reported.envelope.source):
        uow.reject(reported, refused)
        return
    uow.publish(
        KpiRecorded(
            case_id=reported.case_id,
            indicator=reported.indicator,
            subject=reported.subject,
            occurrence=reported.occurrence,
            revision=reported.revision,
            numerator=reported.numerator,
            denominator=reported.denominator,
            dimensions=reported.dimensions,
            source_event_ids=[reported.envelope.id],
        )
    )


def begin_close(asked: CycleCloseRequested, existing: Cycle | None, uow: UnitOfWork) -> None:
    """A cycle begins to close, at once or at the instant asked for: what is known as of then will be graded."""
    # what is published later than it was asked is not known to everybody who decides this
    known_by = min(asked.as_of, asked.time)
    scheme = uow.scheme(asked.scheme, known_by)
    if isinstance(scheme, Refused):
        uow.reject(asked, scheme)
        return
    if asked.cycle_key != cycle_key(asked.cycle, asked.scheme):
        uow.reject(asked, Refused("key_of_cycle_and_scheme", field="cycle_key"))
        return
    span = span_under(scheme, asked.cycle, asked.as_of)
    if isinstance(span, Refused):
        uow.reject(asked, span)
        return
    if refused := _lacking(scheme, known_by, uow):
        uow.reject(asked, refused)
        return
    close = Close(asked.as_of, asked.for_real, asked.envelope.id, asked.envelope.replay_of)
    if asked.as_of > asked.time:
        _plan_close(asked, close, existing, uow)
        return
    if existing is None:
        uow.cycles.add(Cycle.asked(asked.cycle_key, asked.cycle, asked.scheme, close))
        return
    match existing.again(close):
        case Cycle() as cycle:
            uow.cycles.save(cycle)
        case Refused() as refused:
            uow.reject(asked, refused)


def _lacking(scheme: Scheme, known_by: datetime, uow: UnitOfWork) -> Refused | None:
    """What a scheme names and nobody has published: nothing can be graded by an indicator or a calendar that there is not."""
    registered = {one.id for one in registry_at(uow.documents, known_by)}
    if unknown := sorted(scheme.indicators - registered):
        return Refused("unknown_indicator", was=" ".join(unknown)[:256], field="scheme")
    versions = uow.rulebook.calendars.get(scheme.cycle.calendar, ())
    if not any(one.effective_at <= known_by for one in versions):
        return Refused("unknown_calendar", was=scheme.cycle.calendar[:256], field="scheme")
    return None


def _plan_close(asked: CycleCloseRequested, close: Close, existing: Cycle | None, uow: UnitOfWork) -> None:
    """Nothing is known yet of the instant asked for: the cycle is woken when it has come."""
    if existing is None:
        planned: Cycle | Refused = Cycle.planned(asked.cycle_key, asked.cycle, asked.scheme, close, asked.time)
    else:
        planned = existing.planned_again(close, asked.time)
    if isinstance(planned, Refused):
        uow.reject(asked, planned)
        return
    uow.stage(UnitOfWork.cycles, planned, new=existing is None)
    uow.wake(UnitOfWork.cycles, planned.id, "close", close.as_of)
    uow.publish(CycleClosePlanned(cycle_key=planned.id, cycle=asked.cycle, scheme=asked.scheme, as_of=asked.as_of, for_real=asked.for_real))


def begin_planned_close(woken: Woken, cycle: Cycle, uow: UnitOfWork) -> None:
    """The instant has come for which a close was planned: the cycle begins to close."""
    uow.cycles.save(cycle.as_planned(woken.at))


def cycle_key(cycle: str, scheme: str) -> str:
    """How a cycle of a scheme is named everywhere: `2026Q3|department-360@1`."""
    return f"{cycle}|{scheme}"


def publish_grade(
    cycle: Cycle, scheme: Scheme, personal: PersonalGrade, last: LatestGrade | None, recorded_at: datetime, uow: UnitOfWork
) -> GradeRow | None:
    """A new version of one grade, and what follows from it; None when its inputs are those of the last version.

    A version that the same close has made before it was interrupted is not made again.
    """
    if last is not None and (last.digest == personal.digest or last.requested_by == cycle.requested_by):
        return None
    return _publish_grade(cycle, scheme, personal, grade_key(cycle, personal.member), last, recorded_at, uow)


def grade_key(cycle: Cycle, member: Member) -> str:
    """How one person's grade is named everywhere: `2026Q3|department-360@1|employee:E1001`."""
    return f"{cycle.id}|employee:{member.employee_id}"


def publish_close(cycle: Cycle, scheme: Scheme, span: Span, results: CycleResults, uow: UnitOfWork) -> None:
    """The cycle is closed; every grade of it was published before.

    Where nobody could be graded it is not closed: whoever asked is told why, and may ask again when it is mended.
    """
    if not results.graded:
        uow.cycles.save(cycle.left_open())
        uow.publish(_refusal(cycle, nobody_graded(scheme, results)))
        _publish_exceptions(cycle, _listed(results), uow)
        return
    uow.cycles.save(cycle.closed())
    _publish_close(cycle, span, results, uow)


def _refusal(cycle: Cycle, refused: Refused) -> CycleClaimRejected:
    return CycleClaimRejected(
        cycle_key=cycle.id,
        claim_id=cycle.requested_by,
        claim_type=CycleCloseRequested.TYPE,
        rule=refused.rule,
        field=refused.field,
        was=refused.was,
    )


def _publish_close(cycle: Cycle, span: Span, results: CycleResults, uow: UnitOfWork) -> None:
    """The close, and in events of their own whoever has no room in it: an event has a largest size, an organisation has none."""
    first, *others = _listed(results)
    uow.publish(
        CycleClosed(
            cycle_key=cycle.id,
            cycle=cycle.cycle,
            scheme=cycle.scheme,
            as_of=cycle.as_of,
            starts_at=span.start,
            ends_at=span.end,
            watermarks=dict(cycle.watermarks),
            graded=results.graded,
            not_graded_count=len(results.not_graded),
            unknown_subjects_count=len(results.unknown_subjects),
            uncounted_ratings_count=len(results.uncounted_ratings),
            unknown_indicators=dict(list(results.unknown_indicators.items())[:INDICATORS]),
            **first,
        )
    )
    _publish_exceptions(cycle, others, uow)


def _listed(results: CycleResults) -> list[dict[str, Any]]:
    """Who is not graded, whom nobody knows, and whose ratings do not count, in as many lists as it takes; at least one."""
    persons, subjects = list(results.not_graded.items()), list(results.unknown_subjects)
    ratings = list(results.uncounted_ratings.items())
    parts = [slice(start, start + LISTED) for start in range(0, max(len(persons), len(subjects), len(ratings), 1), LISTED)]
    return [
        {"not_graded": dict(persons[part]), "unknown_subjects": subjects[part], "uncounted_ratings": dict(ratings[part])} for part in parts
    ]


def _publish_exceptions(cycle: Cycle, lists: Sequence[dict[str, Any]], uow: UnitOfWork) -> None:
    for part, named in enumerate(lists, 1):
        uow.publish(CycleExceptionsListed(cycle_key=cycle.id, as_of=cycle.as_of, part=part, parts=len(lists), **named))


def _publish_grade(
    cycle: Cycle, scheme: Scheme, personal: PersonalGrade, key: str, last: LatestGrade | None, recorded_at: datetime, uow: UnitOfWork
) -> GradeRow:
    number = 1 if last is None else last.version + 1
    told = {
        "grade_key": key,
        "cycle": cycle.cycle,
        "scheme": scheme.reference,
        "subject": f"employee:{personal.member.employee_id}",
        "version": number,
        "digest": personal.digest,
        "as_of": cycle.as_of,
        **grade_document(personal),
    }
    published = GradePublished(**told)
    uow.publish(published)
    uow.publish(GradeRecorded(**told, supersedes=None if last is None else last.version))
    # history pays nobody: what was replayed or simulated has outcomes only when it was closed for real (decisions 5)
    pays = cycle.for_real or not (personal.replay_of or cycle.replay_of)
    standing = list(last.outcomes) if last is not None else []
    outcomes = _publish_outcomes(personal.outcomes, published, last, uow) if pays else standing
    return GradeRow(
        grade_key=key,
        version=number,
        cycle_key=cycle.id,
        subject=published.subject,
        score=personal.graded.score,
        grade=published.grade,
        digest=published.digest,
        requested_by=cycle.requested_by,
        document=published.model_dump(mode="json"),
        inputs={**stored_inputs(personal), "replay_of": personal.replay_of or cycle.replay_of},
        outcomes=outcomes,
        recorded_at=recorded_at,
    )


def _publish_outcomes(
    rules: Sequence[OutcomeRule], grade: GradePublished, last: LatestGrade | None, uow: UnitOfWork
) -> list[dict[str, Any]]:
    """Takes back what followed from the version before, and proposes what follows from this one: the sum is always right."""
    for old in last.outcomes if last is not None else ():
        uow.publish(
            OutcomeReversed(
                outcome_id=f"{old['outcome_id']}|reversed",
                grade_key=grade.grade_key,
                subject=grade.subject,
                version=grade.version,
                reverses=old["outcome_id"],
            )
        )
    proposed = []
    for rule in rules:
        outcome = OutcomeProposed(
            outcome_id=f"{grade.grade_key}|{grade.version}|{rule.outcome}",
            grade_key=grade.grade_key,
            subject=grade.subject,
            version=grade.version,
            outcome=rule.outcome,
            rule=rule.source,
            needs_confirmation=rule.confirm or grade.to_confirm,
        )
        uow.publish(outcome)
        proposed.append(outcome.model_dump())
    return proposed
