"""Which claim a mapping publishes at a moment, and how its fields are made; what our contracts would refuse of every row is an error."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from common.contracts.event import Event
from common.contracts.topics import BY_NAME, EVENTS
from common.kernel.documents import Node
from common.kernel.faults import Where
from ops.replay.declarations import Columns, meant
from ops.replay.field_values import NOTHING, FieldValue, read_field

CLAIMS = sorted(event.TYPE for topic in BY_NAME.values() if topic.kind == "claims" for event in topic.events)


@dataclass(frozen=True, slots=True)
class ClaimRule:
    """Which claim is published at a moment, and how its fields are made."""

    claim: type[Event]
    moment: str
    fields: tuple[FieldValue, ...]


def read_claim(declaration: Node, columns: Columns, moments: tuple[str, ...], sets: Collection[str], salt: str) -> ClaimRule:
    """The claim that a declaration describes; `sets` are what rules set, `salt` is what pseudonyms are made with."""
    declaration.fields(known=("claim", "when", "fields"), required=("claim", "when", "fields"))
    named, fields = declaration.field("claim"), declaration.field("fields")
    if (type_ := named.text()) not in CLAIMS:
        raise named.fault(f"there is no claim {type_[:64]!r}; {meant(type_, CLAIMS)}")
    moment = declaration.field("when").one_of(moments)
    claim = EVENTS[type_]
    needed = [name for name, found in claim.model_fields.items() if found.is_required()]
    found = []
    for name in fields.fields(known=tuple(claim.model_fields), required=needed):
        field = read_field(fields.field(name), name, columns, sets, salt)
        for where, problem in _never_taken(claim, field):
            raise fields.fault(f"the claim {type_} never takes it: {problem}", "", name, *where)
        found.append(field)
    return ClaimRule(claim, moment, tuple(found))


def _never_taken(claim: type[Event], field: FieldValue) -> Iterator[tuple[Where, str]]:
    """What of a field our contracts refuse whatever a row says: where it stands, and why."""
    if field.source is None:
        yield from _refused(claim, field, field.otherwise, ())
        return
    wrapped = bool(field.prefix or field.suffix)
    fixed: dict[Where, Any] = {("blank",): field.blank} | ({} if wrapped else {("otherwise",): field.otherwise})
    if field.table is not None:
        fixed |= {} if wrapped else {("table", said): value for said, value in field.table.items()}
    for where, value in fixed.items():
        if value is not NOTHING:
            yield from _refused(claim, field, value, where)
    if field.table is None:
        number = field.kind == "number" and not wrapped
        for _, problem in _refused(claim, field, 1 if number else "1", (), of_its_type=True):
            yield (("as",) if number else ()), f"{problem}, not a {'number' if number else 'text'}"


def _refused(
    claim: type[Event], field: FieldValue, value: object, where: Where, *, of_its_type: bool = False
) -> Iterator[tuple[Where, str]]:
    """Why the claim refuses a value, if it does; with `of_its_type` only if it takes nothing of this type."""
    try:
        _taker(claim, field.name).validate_python(value)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        if not of_its_type or all(problem["type"].endswith("_type") for problem in problems):
            yield where, problems[0]["msg"]


@cache
def _taker(claim: type[Event], name: str) -> TypeAdapter[Any]:
    """What checks a value of one field as the claim does."""
    field = claim.model_fields[name]
    kind: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    return TypeAdapter(kind, config=ConfigDict(strict=True))
