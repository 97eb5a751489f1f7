"""A mapping: declarations, not code, that turn the rows of a foreign log or table into our events (P18)."""

import codecs
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path

from common.kernel.calendars import BUILT_IN, built_in
from common.kernel.clock_errors import ClockError
from common.kernel.instants import ordinal_on
from common.kernel.working_time import Calendar
from ops.replay.claim_rules import ClaimRule, read_claim
from ops.replay.declarations import Columns, MappingError, entries, items, meant, one_of, text, words
from ops.replay.mapping_text import LARGEST, Declared
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

ENCODINGS = ("utf-8", "utf-16", "gb18030", "gbk", "big5", "shift_jis", "latin-1", "cp1252")
"""Some that logs are often in; Python knows more."""

_KNOWN = ("name", "about", "kind", "delimiter", "encoding", "missing", "columns", "times", "calendar", "answers", "rows", "claims")


@dataclass(frozen=True, slots=True)
class Rule:
    """What rows with certain values mean; `skip` is the reason when they mean nothing to us."""

    tests: tuple[tuple[int, frozenset[str]], ...]
    means: str = ""
    skip: str = ""
    sets: Table[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Mapping:
    """A mapping that was read and found consistent; columns are given by their place in `columns`."""

    name: str
    kind: str
    delimiter: str
    encoding: str
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
            for place, wanted in rule.tests:
                if values[place] not in wanted:
                    break
            else:
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
    if path.is_dir():
        raise MappingError("", f"{name} is a folder; a mapping is a file")
    if not path.exists():
        raise MappingError(
            "", f"there is no file {name!r} and no such mapping; {meant(name, sorted(path.stem for path in SHIPPED.glob('*.yaml')))}"
        )
    with path.open("rb") as file:
        raw = file.read(4 * LARGEST + 1)  # no character has more bytes than four
    try:
        return mapping_of(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise MappingError("", f"{name} is not in UTF-8") from None


def mapping_of(text: str) -> Mapping:
    """The mapping that a YAML text declares; raises `MappingError` naming the line and the place that is wrong."""
    declared = Declared(text)
    try:
        return read_mapping(declared.document)
    except MappingError as problem:
        line = declared.line_of(problem.place.removeprefix("mapping."))
        raise MappingError(f"line {line}: {problem.place}", problem.expected) from None


def read_mapping(document: object) -> Mapping:
    """The mapping that a document declares; raises `MappingError` naming the first place that is wrong."""
    declared = entries(document, "mapping", known=_KNOWN, required=("name", "kind", "columns", "times", "calendar", "rows", "claims"))
    name = _name(declared["name"])
    kind = one_of(declared["kind"], "kind", ("cases", "complaints"))
    cases = kind == "cases"
    columns = Columns(words(declared.get("missing", []), "missing"))
    answers = _answers(declared["answers"], cases=cases) if "answers" in declared else {}
    roles = _roles(declared["columns"], columns, answers, cases=cases)
    times = _times(declared["times"], ("at",) if cases else ("start", "end"), columns)
    rules = _rules(declared["rows"], columns, MEANINGS if cases else ("complaint",))
    sets = sorted({key for rule in rules for key in rule.sets})
    moments = CASE_MOMENTS if cases else COMPLAINT_MOMENTS
    claims = tuple(read_claim(item, place, columns, moments, sets, name) for item, place in items(declared["claims"], "claims"))
    return Mapping(
        name=name,
        kind=kind,
        delimiter=_delimiter(declared.get("delimiter", ",")),
        encoding=_encoding(declared.get("encoding", "utf-8")),
        columns=columns.names,
        explained=columns.explained,
        roles=roles,
        times=times,
        calendar=_calendar(declared["calendar"]),
        answers=answers,
        rules=rules,
        claims=claims,
    )


def _name(document: object) -> str:
    name = text(document, "name")
    if len(name) > 64 or not name.isprintable():
        raise MappingError("name", "a name of at most 64 characters in one line is expected")
    return name


def _delimiter(document: object) -> str:
    if not isinstance(document, str) or len(document) != 1 or document in '"\r\n\0':
        hint = r', written "\t" for a tab' if document == r"\t" else ""
        raise MappingError("delimiter", f"one character is expected{hint}, and no quotation mark or end of a line")
    return document


def _encoding(document: object) -> str:
    name = text(document, "encoding")
    try:
        found = codecs.lookup(name)
        "".encode(name)  # refuses codecs that are none of text
    except (LookupError, ValueError):  # a ValueError for a NUL in the name
        raise MappingError("encoding", f"there is no such encoding of text; {meant(name, ENCODINGS)}") from None
    return "utf-8-sig" if found.name == "utf-8" else found.name


def _roles(document: object, columns: Columns, answers: Table[str, str], *, cases: bool) -> dict[str, Part]:
    known, others = (CASE_COLUMNS, COMPLAINT_COLUMNS) if cases else (COMPLAINT_COLUMNS, CASE_COLUMNS)
    declared = entries(document, "columns")
    found: dict[str, Part] = {}
    for role, column in declared.items():
        place = f"columns.{role}"
        if role in others:
            raise MappingError(place, f"it belongs to the kind {'complaints' if cases else 'cases'}; this one has {', '.join(known)}")
        one = (
            entries(column, place, known=("column", "missing"), required=("column",))
            if isinstance(column, dict)
            else {"column": text(column, place)}
        )
        part = columns.part(one, place, answers if role == "satisfaction" else ())
        for other, earlier in found.items():
            if earlier.column == part.column:
                raise MappingError(place, f"columns.{other} names the same column")
        found[role] = part
    entries(declared, "columns", known=known, required=("case",) if cases else ())
    if ("satisfaction" in found) != bool(answers):
        place = "columns.satisfaction" if "satisfaction" in found else "answers"
        raise MappingError(place, "columns.satisfaction and answers belong together: which word means yes, no or not_answered")
    return found


def _times(document: object, names: tuple[str, ...], columns: Columns) -> dict[str, TimeColumn]:
    declared = entries(document, "times", known=names, required=names)
    found = {name: read_time(declared[name], f"times.{name}", columns) for name in names}
    if len({time.part.column for time in found.values()}) < len(names):
        raise MappingError(f"times.{names[-1]}.column", f"times.{names[0]} names the same column")
    return found


def _calendar(document: object) -> Calendar:
    if isinstance(document, str) and document not in BUILT_IN:
        raise MappingError("calendar", f"there is no calendar {document[:64]!r}; {meant(document, BUILT_IN)}")
    try:
        calendar = built_in(document) if isinstance(document, str) else Calendar.from_json(document)
        calendar.ordinary_day  # noqa: B018 - raises for a calendar without working time
    except ClockError as problem:
        raise MappingError(problem.field, problem.message) from None
    return calendar


def _answers(document: object, *, cases: bool) -> dict[str, str]:
    if cases:
        raise MappingError("answers", "they belong to the kind complaints")
    declared = entries(document, "answers")
    return {said: one_of(means, f"answers.{said}", ("yes", "no", "not_answered")) for said, means in declared.items()}


def _rules(document: object, columns: Columns, meanings: tuple[str, ...]) -> tuple[Rule, ...]:
    found: list[Rule] = []
    for item, place in items(document, "rows"):
        if found and not found[-1].tests:
            raise MappingError(place, f"it is never reached: rows[{len(found) - 1}] fits every row")
        found.append(_rule(item, place, columns, meanings))
    return tuple(found)


def _rule(document: object, place: str, columns: Columns, meanings: tuple[str, ...]) -> Rule:
    declared = entries(document, place, known=("where", "means", "skip", "set"))
    if ("means" in declared) == ("skip" in declared):
        raise MappingError(place, "exactly one of means and skip is expected")
    if "skip" in declared and "set" in declared:
        raise MappingError(f"{place}.set", "rows that skip set nothing")
    where = entries(declared.get("where", {}), f"{place}.where")
    tests = tuple((columns.index(column, f"{place}.where"), _wanted(wanted, f"{place}.where.{column}")) for column, wanted in where.items())
    sets = entries(declared.get("set", {}), f"{place}.set")
    return Rule(
        tests,
        means=one_of(declared["means"], f"{place}.means", meanings) if "means" in declared else "",
        skip=text(declared["skip"], f"{place}.skip") if "skip" in declared else "",
        sets={key: text(value, f"{place}.set.{key}") for key, value in sets.items()},
    )


def _wanted(document: object, place: str) -> frozenset[str]:
    wanted = document if isinstance(document, list) else [document]
    if not wanted:
        raise MappingError(place, "a text, or a list with at least one, is expected")
    for value in wanted:
        if not isinstance(value, str):
            raise MappingError(place, f"{str(value)[:64]!r} is no text: YAML reads it so unless it stands in quotes")
    return frozenset(wanted)
