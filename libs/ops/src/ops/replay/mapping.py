"""A mapping: declarations, not code, that turn the rows of a foreign log or table into our events (P18)."""

from collections.abc import Iterator
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from common.contracts.event import Event
from common.contracts.topics import BY_NAME, EVENTS
from common.kernel.calendars import BUILT_IN, built_in
from common.kernel.clock_errors import ClockError
from common.kernel.instants import ordinal_on
from common.kernel.working_time import Calendar
from ops.replay.declarations import Columns, MappingError, entries, items, one_of, read_yaml, text, words
from ops.replay.field_values import FieldValue, read_field
from ops.replay.missing import Part
from ops.replay.times import TimeColumn, read_time

SHIPPED = Path(__file__).parents[1] / "mappings"

MEANINGS = ("working", "waiting", "queued", "completed", "closed", "noted")
"""What one row of a log of cases can tell; `closed` is a completion, too, and `noted` counts but does nothing."""
CASE_MOMENTS = ("received", "reopened", "resumed", "assigned", "accepted", "answered", "paused", "completed", "closed")
"""What can happen to a case in a row, in this order (`case_moments`)."""
COMPLAINT_MOMENTS = ("received", "closed")
"""What can happen to a complaint (`complaint_table`)."""
CASE_COLUMNS = ("case", "team", "person", "priority", "product")
COMPLAINT_COLUMNS = ("outcome", "satisfaction", "compensation", "unit")

_KNOWN = ("name", "about", "kind", "delimiter", "missing", "columns", "times", "calendar", "answers", "rows", "claims")


@dataclass(frozen=True, slots=True)
class Rule:
    """What rows with certain values mean; `skip` is the reason when they mean nothing to us."""

    tests: tuple[tuple[int, frozenset[str]], ...]
    means: str = ""
    skip: str = ""
    sets: Table[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClaimRule:
    """Which claim is published at a moment, and how its fields are made."""

    claim: type[Event]
    moment: str
    fields: tuple[FieldValue, ...]


@dataclass(frozen=True)
class Mapping:
    """A mapping that was read and found consistent; columns are given by their place in `columns`."""

    name: str
    kind: str
    delimiter: str
    columns: tuple[str, ...]
    explained: Table[int, frozenset[str]]
    """Columns whose values are read, and the words in them that the mapping gives a meaning to."""
    roles: Table[str, Part]
    times: Table[str, TimeColumn]
    calendar: Calendar
    answers: Table[str, str]
    rules: tuple[Rule, ...]
    claims: tuple[ClaimRule, ...]

    def rule_of(self, values: tuple[str, ...]) -> int | None:
        """The index of the first rule that a row fits; None when it fits none."""
        for index, rule in enumerate(self.rules):
            if all(values[place] in wanted for place, wanted in rule.tests):
                return index
        return None

    def claims_at(self, moment: str) -> tuple[ClaimRule, ...]:
        """The claims that are published at the moment."""
        return self._claims_at.get(moment, ())

    @cached_property
    def _claims_at(self) -> Table[str, tuple[ClaimRule, ...]]:
        return {moment: tuple(rule for rule in self.claims if rule.moment == moment) for moment in {rule.moment for rule in self.claims}}

    def role(self, name: str, values: tuple[str, ...]) -> str:
        """The row's value in the column that plays this part; empty when no column does, and for a word for "missing"."""
        part = self.roles.get(name)
        return "" if part is None else part.of(values)

    def date_of(self, name: str, micros: int) -> date:
        """The date of an instant that this time column told: in its own zone where it has one, else the calendar's."""
        zone = self.times[name].zone
        return self.calendar.date_of(micros) if zone is None else date.fromordinal(ordinal_on(micros, zone))

    def written(self, name: str, values: tuple[str, ...]) -> str:
        """The same as it is written, words for "missing" too."""
        part = self.roles.get(name)
        return "" if part is None else values[part.column]


def load(name: str) -> Mapping:
    """The mapping of this name among those that are shipped, else of this file; raises `MappingError`."""
    shipped = SHIPPED / f"{name}.yaml"
    path = shipped if name.replace("_", "").isalnum() and shipped.is_file() else Path(name)
    if not path.is_file():
        names = ", ".join(sorted(path.stem for path in SHIPPED.glob("*.yaml")))
        raise MappingError("", f"there is no mapping {name!r}: give a file or one of {names}")
    return read_mapping(read_yaml(path))


def read_mapping(document: object) -> Mapping:
    """The mapping that a document declares; raises `MappingError` naming the first place that is wrong."""
    declared = entries(document, "mapping", known=_KNOWN, required=("name", "kind", "columns", "times", "calendar", "rows", "claims"))
    columns = Columns(words(declared.get("missing", []), "missing"))
    name = text(declared["name"], "name")
    kind = one_of(declared["kind"], "kind", ("cases", "complaints"))
    cases = kind == "cases"
    answers = _answers(declared.get("answers", {}))
    roles = _roles(declared["columns"], CASE_COLUMNS if cases else COMPLAINT_COLUMNS, columns, answers)
    if cases and "case" not in roles:
        raise MappingError("columns.case", "the declaration is missing")
    times = _times(declared["times"], ("at",) if cases else ("start", "end"), columns)
    rules = tuple(_rule(item, place, columns, MEANINGS if cases else ("complaint",)) for item, place in items(declared["rows"], "rows"))
    moments = CASE_MOMENTS if cases else COMPLAINT_MOMENTS
    claims = tuple(_claim(item, place, columns, moments, name) for item, place in items(declared["claims"], "claims"))
    return Mapping(
        name=name,
        kind=kind,
        delimiter=text(declared.get("delimiter", ","), "delimiter"),
        columns=columns.names,
        explained=columns.explained,
        roles=roles,
        times=times,
        calendar=_calendar(declared["calendar"]),
        answers=answers,
        rules=rules,
        claims=claims,
    )


def _roles(document: object, known: tuple[str, ...], columns: Columns, answers: Table[str, str]) -> dict[str, Part]:
    found = {}
    for role, column in entries(document, "columns", known=known).items():
        place = f"columns.{role}"
        declared = (
            entries(column, place, known=("column", "missing"), required=("column",))
            if isinstance(column, dict)
            else {"column": text(column, place)}
        )
        found[role] = columns.part(declared, place, answers if role == "satisfaction" else ())
    return found


def _times(document: object, names: tuple[str, ...], columns: Columns) -> dict[str, TimeColumn]:
    declared = entries(document, "times", known=names, required=names)
    return {name: read_time(declared[name], f"times.{name}", columns) for name in names}


def _calendar(document: object) -> Calendar:
    try:
        if isinstance(document, str) and document in BUILT_IN:
            return built_in(document)
        return Calendar.from_json(document)
    except ClockError as problem:
        raise MappingError(problem.field, problem.message) from None


def _answers(document: object) -> dict[str, str]:
    declared = entries(document, "answers")
    return {said: one_of(means, f"answers.{said}", ("yes", "no", "not_answered")) for said, means in declared.items()}


def _rule(document: object, place: str, columns: Columns, meanings: tuple[str, ...]) -> Rule:
    declared = entries(document, place, known=("where", "means", "skip", "set"))
    if ("means" in declared) == ("skip" in declared):
        raise MappingError(place, "exactly one of means and skip is expected")
    where = entries(declared.get("where", {}), f"{place}.where")
    tests = tuple(
        (columns.index(column, f"{place}.where"), frozenset(_wanted(wanted, f"{place}.where.{column}"))) for column, wanted in where.items()
    )
    sets = entries(declared.get("set", {}), f"{place}.set")
    return Rule(
        tests,
        means=one_of(declared["means"], f"{place}.means", meanings) if "means" in declared else "",
        skip=text(declared["skip"], f"{place}.skip") if "skip" in declared else "",
        sets={key: text(value, f"{place}.set.{key}") for key, value in sets.items()},
    )


def _wanted(document: object, place: str) -> Iterator[str]:
    for value in document if isinstance(document, list) else [document]:
        if not isinstance(value, str):
            raise MappingError(place, f"{value!r} is no text: YAML reads it so unless it stands in quotes")
        yield value


def _claim(document: object, place: str, columns: Columns, moments: tuple[str, ...], salt: str) -> ClaimRule:
    declared = entries(document, place, known=("claim", "when", "fields"), required=("claim", "when", "fields"))
    type_ = text(declared["claim"], f"{place}.claim")
    claim = EVENTS.get(type_)
    if claim is None or not any(claim in topic.events for topic in BY_NAME.values() if topic.kind == "claims"):
        raise MappingError(f"{place}.claim", f"there is no claim {type_!r}")
    needed = [name for name, found in claim.model_fields.items() if found.is_required()]
    fields: dict[str, Any] = entries(declared["fields"], f"{place}.fields", known=tuple(claim.model_fields), required=needed)
    return ClaimRule(
        claim,
        one_of(declared["when"], f"{place}.when", moments),
        tuple(read_field(value, f"{place}.fields.{name}", name, columns, salt) for name, value in fields.items()),
    )
