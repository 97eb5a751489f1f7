"""The facts that grades are computed from; topic `kpi-facts`, kept for ever, since grades replay from it."""

from collections.abc import Mapping
from typing import Annotated, cast, get_args

from pydantic import Field

from common.contracts.claims.appraisal import Subject
from common.contracts.event import ClaimRejected, Event
from common.contracts.fields import DecimalString, Dimension, Dimensions, Name, Word
from common.kernel.observations import Observation

DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
_CALLED: Mapping[str, Dimension] = {"category": "problem_type"}
"""What a trait of a case is called as a dimension, where that is another word."""


def dimensions_of(traits: Mapping[str, str], team: str = "") -> dict[Dimension, str]:
    """What a fact about a case with these traits can be asked by, for somebody who was in that team on that day."""
    known = {_CALLED.get(name, name): value for name, value in traits.items()} | ({"team": team} if team else {})
    return cast("dict[Dimension, str]", {name: known[name] for name in DIMENSIONS if known.get(name)})


class KpiRecorded(Event, type="kpi.recorded", topic="kpi-facts"):
    """One observation of an indicator: identity is (indicator, case, subject, occurrence), the highest revision wins.

    The envelope's `time` is the indicator's attributing instant (an SLA counts for its stop or deadline). Consumers must
    not depend on the order of revisions.
    """

    case_id: Name
    indicator: Word
    subject: Subject
    occurrence: int = Field(default=0, ge=0, lt=2**31)
    revision: int = Field(ge=1, lt=2**31)
    numerator: DecimalString
    denominator: DecimalString
    dimensions: Dimensions = Field(default_factory=dict)
    """How the case stood at that instant, and the team of the person of that day: it is no part of the identity."""
    source_event_ids: Annotated[list[Name], Field(max_length=50)]


class KpiClaimRejected(ClaimRejected, type="kpi.claim_rejected", topic="kpi-fact-answers", answers="kpi-fact-claims"):
    """A rule refused a figure that another system reported; apart from the facts, of which each record is one."""

    case_id: Word


def fact_of(case_id: str, observed: Observation) -> KpiRecorded:
    """The fact that says what was observed; its envelope's time is the observation's instant."""
    return KpiRecorded(
        case_id=case_id,
        indicator=observed.indicator,
        subject=observed.subject,
        occurrence=observed.occurrence,
        revision=observed.revision,
        numerator=str(observed.numerator),
        denominator=str(observed.denominator),
        dimensions=dimensions_of(observed.traits, observed.team),
        source_event_ids=list(observed.source_event_ids),
    )
