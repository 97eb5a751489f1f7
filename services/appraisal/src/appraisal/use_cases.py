"""One function a command: loaded data in, changes and events staged. No I/O."""

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any

from appraisal.domain.answer import contributions_document, exact_text
from appraisal.domain.cycle import Cycle, CycleStatus, span_under
from appraisal.domain.grading import CycleGrades, PersonalGrade, Rating
from appraisal.domain.org import Member, OrgSnapshot
from appraisal.domain.outcomes import Trigger, applying
from appraisal.domain.period import Span
from appraisal.domain.reason import reason_en, reason_zh
from appraisal.domain.scheme import Scheme
from appraisal.repository import UnitOfWork
from appraisal.tables import GradeRow
from common.contracts.claims.appraisal import CycleCloseRequested, KpiReported, OrgDescribed, RatingGiven
from common.contracts.cycles import LISTED, CycleClosed, CycleExceptionsListed
from common.contracts.grades import Contribution, GradePublished, GradeRecorded, OutcomeProposed, OutcomeReversed
from common.contracts.kpi_facts import KpiRecorded
from common.contracts.org import OrgSnapshotTaken
from common.contracts.ratings import RatingRecorded
from common.kernel.errors import Refused
from common.kernel.exact import parse_exact


def take_org_snapshot(described: OrgDescribed, existing: OrgSnapshot | None, uow: UnitOfWork) -> None:
    """HR's picture of the organisation counts from its own time on; a second one for the same instant is refused."""
    snapshot = OrgSnapshot(
        id=snapshot_of(described),
        org_id=described.org_id,
        effective_at=described.time,
        members=tuple(Member(one.employee_id, one.post, one.department, one.team, one.superior) for one in described.members),
    )
    if existing is not None:
        uow.reject(described, Refused("one_snapshot_an_instant", field="ce_time"))
    elif (problem := snapshot.problem()) is not None:
        uow.reject(described, Refused(problem, field="members"))
    else:
        uow.org_snapshots.add(snapshot)
        uow.publish(
            OrgSnapshotTaken(
                org_id=snapshot.org_id, effective_at=snapshot.effective_at, members=len(snapshot.members), digest=snapshot.digest
            )
        )


def snapshot_of(described: OrgDescribed) -> str:
    """The id of a snapshot: organisation and instant."""
    return f"{described.org_id}@{described.time.isoformat()}"


def record_rating(given: RatingGiven, existing: Rating | None, uow: UnitOfWork) -> None:
    """A rating is kept as it was given; whether its rater counts is judged with the org snapshot when the cycle is graded (X-18)."""
    if given.appraiser == given.appraisee:
        uow.reject(given, Refused("no_self_rating", field="appraiser"))
    elif existing is not None:
        uow.reject(given, Refused("rated_once", field="rating_id"))
    elif not 0 <= parse_exact(given.score) <= 100:
        uow.reject(given, Refused("score_from_0_to_100", field="score"))
    else:
        uow.ratings.add(Rating(rating_of(given), given.rating_id, given.cycle, given.scheme, given.appraisee, given.appraiser, given.score))
        uow.publish(
            RatingRecorded(
                rating_id=given.rating_id, cycle=given.cycle, scheme=given.scheme, appraisee=given.appraisee, recorded_at=given.time
            )
        )


def rating_of(given: RatingGiven) -> str:
    """The id of a rating: one a rater, appraisee, cycle and scheme."""
    return f"{given.cycle}|{given.scheme}|{given.appraisee}|{given.appraiser}"


def record_kpi(reported: KpiReported, uow: UnitOfWork) -> None:
    """A figure that another system measured becomes a fact like our own."""
    uow.publish(
        KpiRecorded(
            case_id=reported.case_id,
            indicator=reported.indicator,
            subject=reported.subject,
            occurrence=reported.occurrence,
            revision=reported.revision,
            numerator=reported.numerator,
            denominator=reported.denominator,
            source_event_ids=[reported.envelope.id],
        )
    )


def begin_close(asked: CycleCloseRequested, existing: Cycle | None, uow: UnitOfWork) -> None:
    """A cycle begins to close: what is known as of the instant asked for will be graded."""
    scheme = uow.scheme(asked.scheme)
    if scheme is None:
        uow.reject(asked, Refused("unknown_scheme", field="scheme"))
        return
    if asked.cycle_key != cycle_key(asked.cycle, asked.scheme):
        uow.reject(asked, Refused("key_of_cycle_and_scheme", field="cycle_key"))
        return
    span = span_under(scheme, asked.cycle, asked.as_of)
    if isinstance(span, Refused):
        uow.reject(asked, span)
        return
    if existing is None:
        cycle = Cycle(
            id=asked.cycle_key,
            cycle=asked.cycle,
            scheme=asked.scheme,
            status=CycleStatus.CLOSING,
            as_of=asked.as_of,
            for_real=asked.for_real,
            requested_by=asked.envelope.id,
            replay_of=asked.envelope.replay_of,
        )
        uow.cycles.add(cycle)
        return
    match existing.again(asked.as_of, for_real=asked.for_real, requested_by=asked.envelope.id):
        case Cycle() as cycle:
            uow.cycles.save(cycle)
        case Refused() as refused:
            uow.reject(asked, refused)


def cycle_key(cycle: str, scheme: str) -> str:
    """How a cycle of a scheme is named everywhere: `2026Q3|department-360@1`."""
    return f"{cycle}|{scheme}"


def publish_grades(
    cycle: Cycle,
    scheme: Scheme,
    span: Span,
    appraised: CycleGrades,
    before: Mapping[str, GradeRow],
    recorded_at: datetime,
    uow: UnitOfWork,
) -> list[GradeRow]:
    """The cycle is closed: a new version of each grade whose inputs have changed, what follows from it, and the close itself."""
    rows = []
    for personal in appraised.grades:
        key = f"{cycle.id}|employee:{personal.member.employee_id}"
        last = before.get(key)
        if last is None or last.digest != personal.digest:
            rows.append(_publish_grade(cycle, scheme, personal, key, last, recorded_at, uow))
    uow.cycles.save(cycle.closed())
    _publish_close(cycle, span, appraised, uow)
    return rows


def _publish_close(cycle: Cycle, span: Span, appraised: CycleGrades, uow: UnitOfWork) -> None:
    """The close, and in events of their own whoever has no room in it: an event has a largest size, an organisation has none."""
    not_graded, unknown = list(appraised.not_graded.items()), list(appraised.unknown_subjects)
    first, *others = [
        (dict(not_graded[start : start + LISTED]), unknown[start : start + LISTED])
        for start in range(0, max(len(not_graded), len(unknown), 1), LISTED)
    ]
    uow.publish(
        CycleClosed(
            cycle_key=cycle.id,
            cycle=cycle.cycle,
            scheme=cycle.scheme,
            as_of=cycle.as_of,
            starts_at=span.start,
            ends_at=span.end,
            cut=dict(cycle.watermarks),
            graded=len(appraised.grades),
            not_graded=first[0],
            not_graded_count=len(not_graded),
            unknown_subjects=first[1],
            unknown_subjects_count=len(unknown),
        )
    )
    for part, (persons, subjects) in enumerate(others, 1):
        uow.publish(
            CycleExceptionsListed(
                cycle_key=cycle.id,
                as_of=cycle.as_of,
                part=part,
                parts=len(others),
                not_graded=persons,
                unknown_subjects=subjects,
            )
        )


def _publish_grade(
    cycle: Cycle, scheme: Scheme, personal: PersonalGrade, key: str, last: GradeRow | None, recorded_at: datetime, uow: UnitOfWork
) -> GradeRow:
    graded, number = personal.graded, 1 if last is None else last.version + 1
    told: dict[str, Any] = {
        "grade_key": key,
        "cycle": cycle.cycle,
        "scheme": scheme.reference,
        "subject": f"employee:{personal.member.employee_id}",
        "version": number,
        "score": graded.score,
        "score_exact": exact_text(graded.score_exact),
        "grade": graded.grade,
        "contributions": [
            Contribution(part=part["part"], weight=part["weight"], value=part["value"], points=part["points"])
            for part in contributions_document(graded)
        ],
        "not_assessable": list(graded.not_assessable),
        "incomplete": list(graded.incomplete),
        "reason_zh": reason_zh(graded, personal.measured),
        "reason_en": reason_en(graded, personal.measured),
        "digest": personal.digest,
        "as_of": cycle.as_of,
    }
    published = GradePublished(**told)
    uow.publish(published)
    uow.publish(GradeRecorded(**told, supersedes=None if last is None else last.version))
    # history pays nobody: what was replayed or simulated has outcomes only when it was closed for real (decisions 5)
    pays = cycle.for_real or not (personal.replay_of or cycle.replay_of)
    standing = list(last.outcomes) if last is not None else []
    outcomes = _publish_outcomes(scheme, published, last, uow) if pays else standing
    return GradeRow(
        grade_key=key,
        version=number,
        cycle_key=cycle.id,
        subject=published.subject,
        score=published.score,
        grade=published.grade,
        digest=published.digest,
        document=published.model_dump(mode="json"),
        inputs=_inputs(personal),
        outcomes=outcomes,
        recorded_at=recorded_at,
    )


def _publish_outcomes(scheme: Scheme, grade: GradePublished, last: GradeRow | None, uow: UnitOfWork) -> list[dict[str, Any]]:
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
    for rule in applying(scheme.outcomes, grade.grade, trigger=Trigger.CYCLE):
        outcome = OutcomeProposed(
            outcome_id=f"{grade.grade_key}|{grade.version}|{rule.outcome}",
            grade_key=grade.grade_key,
            subject=grade.subject,
            version=grade.version,
            outcome=rule.outcome,
            rule=rule.source,
            needs_confirmation=rule.confirm,
        )
        uow.publish(outcome)
        proposed.append(outcome.model_dump(mode="json"))
    return proposed


def _inputs(personal: PersonalGrade) -> dict[str, Any]:
    """What the grade was computed from: for checking its digest later, and for explaining it down to the events."""
    return {
        "indicators": {
            name: {"numerator": exact_text(one.numerator), "denominator": exact_text(one.denominator)}
            for name, one in personal.measured.items()
        },
        "facts": [
            {
                "key": fact.key,
                "id": fact.event_id,
                "indicator": fact.indicator,
                "case_id": fact.case_id,
                "subject": fact.subject,
                "revision": str(fact.revision),
                "numerator": fact.numerator,
                "denominator": fact.denominator,
                "time": fact.time,
                "events": list(fact.source_event_ids),
            }
            for fact in personal.facts
        ],
        "group_means": {group: exact_text(mean) for group, mean in personal.graded.group_means.items()},
        "group_weights": {group: exact_text(weight) for group, weight in personal.graded.weights.items()},
        "attainment": {name: exact_text(Fraction(value)) for name, value in personal.graded.attainment.items()},
        "sections": {
            name: {"weight": exact_text(one.weight), "score": exact_text(one.score)} for name, one in personal.graded.sections.items()
        },
    }
