"""The facts that grades are computed from; topic `kpi-facts`, kept for ever, since grades replay from it."""

from typing import Annotated

from pydantic import Field

from common.contracts.claims.appraisal import Subject
from common.contracts.event import Event
from common.contracts.fields import DecimalString, Name, Word


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
    source_event_ids: Annotated[list[Name], Field(max_length=50)]
