"""The kinds of field that events are made of."""

from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints

from common.kernel.faults import Fault
from common.kernel.instants import instant_of
from common.kernel.targets import NoPromise, read_target

_ID = r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,95}$"


def _instant(value: object) -> object:
    # pydantic's own reader would take seconds since 1970 as text, any separator, and no leap second
    return instant_of(value) if isinstance(value, str) else value


Instant = Annotated[AwareDatetime, BeforeValidator(_instant)]
"""RFC 3339: date and time with an offset."""

RequestId = Annotated[str, StringConstraints(pattern=_ID.replace("95", "91"))]
"""Four characters shorter than other ids, which leaves room for what is derived from it: `<request>-w1`, `<request>-c1`."""
WorkOrderId = Annotated[str, StringConstraints(pattern=_ID)]
ComplaintId = Annotated[str, StringConstraints(pattern=_ID)]
CustomerId = Annotated[str, StringConstraints(pattern=_ID)]
"""A pseudonym of the enterprise's own; names, phone numbers and addresses never travel."""
AssetId = Annotated[str, StringConstraints(pattern=_ID)]
EmployeeId = Annotated[str, StringConstraints(pattern=_ID)]
"""The number that HR uses, a pseudonym."""
TeamId = Annotated[str, StringConstraints(pattern=_ID)]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9\u4e00-\u9fff][A-Za-z0-9\u4e00-\u9fff ._:/()+-]{0,63}$")]
"""A short name from a list that the enterprise keeps: a product line, a region, a reason."""
Dimension = Literal["product", "region", "problem_type", "nature", "priority", "channel", "customer_class", "outlet", "team"]
"""What a figure can be broken down by: traits of its case, and the team of that day."""
DimensionValue = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9\u4e00-\u9fff][A-Za-z0-9\u4e00-\u9fff ._:@/()+-]{0,95}$")]
"""A word or an id of a team."""
Dimensions = Annotated[dict[Dimension, DimensionValue], Field(max_length=len(get_args(Dimension)))]
"""What a fact can be asked by; whatever is not known is left out."""
Priority = Literal["low", "normal", "high", "urgent"]
"""How soon a case must be dealt with; triage gives it, and whoever handles the work may judge it anew (X-39)."""
Name = Annotated[str, StringConstraints(max_length=256)]
"""An id or a reference that we have made ourselves. Everything in a decision is bounded, so that each of them fits into a record."""
Sentence = Annotated[str, StringConstraints(max_length=2000)]
"""Words for people."""
DecimalString = Annotated[str, StringConstraints(pattern=r"^-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,12})?$")]
"""An exact decimal as text: `"83.025"`."""
ExactString = Annotated[str, StringConstraints(max_length=900, pattern=r"^-?(0|[1-9][0-9]*)((\.[0-9]+)|(/[1-9][0-9]*))?$")]
"""An exact number as text: a decimal or a fraction in lowest terms, `"347/4"`."""


def _target(document: dict[str, str | int | bool]) -> dict[str, str | int | bool]:
    try:
        target = read_target(document, ())
    except Fault as fault:
        raise ValueError(fault.what) from None
    if isinstance(target, NoPromise):
        raise ValueError("something has to be promised")
    return document


TargetDocument = Annotated[dict[str, str | int | bool], Field(max_length=8), AfterValidator(_target)]
"""A target as `aftersales clock calculate` takes it: `{"working_seconds": 28800}`, `{"working_days": 3, "meaning": "end_of_day"}`."""


def pattern_of(kind: Any) -> str:
    """The regular expression of one of these kinds of text, for readers that are not pydantic's."""
    return next(str(pattern) for note in get_args(kind) if (pattern := getattr(note, "pattern", None)) is not None)
