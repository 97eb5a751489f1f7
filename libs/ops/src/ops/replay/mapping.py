"""A mapping: declarations, not code, that turn the rows of a foreign log or table into our events (P18)."""

import codecs
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path

from common.contracts.yaml_files import read_yaml
from common.kernel.calendars import BUILT_IN, built_in
from common.kernel.documents import Node
from common.kernel.faults import Fault
from common.kernel.instants import ordinal_on
from common.kernel.working_time import Calendar
from ops.replay.claim_rules import ClaimRule, read_claim
from ops.replay.declarations import RULE, Columns, declared, meant, some, words
from ops.replay.missing import Part
from ops.replay.times import TimeColumn, read_time

LARGEST = 128 * 1024
"""The most characters that a mapping may have."""
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
class LogMapping:
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


def load(name: str) -> LogMapping:
    """The mapping of this name among those that are shipped, else of this file; raises a `Fault`."""
    shipped = SHIPPED / f"{name}.yaml"
    path = shipped if name.replace("_", "").isalnum() and shipped.is_file() else Path(name)
    if path.is_dir():
        raise Fault((), RULE, f"{name} is a folder; a mapping is a file")
    if not path.exists():
        known = sorted(path.stem for path in SHIPPED.glob("*.yaml"))
        raise Fault((), RULE, f"there is no file {name!r} and no such mapping; {meant(name, known)}")
    with path.open("rb") as file:
        raw = file.read(4 * LARGEST + 1)  # no character has more bytes than four
    try:
        return mapping_of(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Fault((), RULE, f"{name} is not in UTF-8") from None


def mapping_of(text: str) -> LogMapping:
    """The mapping that a YAML text declares; raises a `Fault` with the line and the place that is wrong."""
    if len(text) > LARGEST:
        raise Fault((), RULE, f"a mapping may have {LARGEST // 1024} KB; this one is larger")
    try:
        file = read_yaml(text.encode("utf-8", "surrogatepass"))
    except Fault as fault:
        raise Fault((), RULE, f"not YAML: {fault}") from None
    for where, _ in file.twice():
        raise Fault((), RULE, f"the key {str(where[-1])[:64]!r} stands twice", line=file.line_of(where))
    try:
        return read_mapping(file.value)
    except Fault as fault:
        where = fault.where[1:] if fault.where[:1] == ("mapping",) else fault.where
        raise Fault(fault.where, fault.rule, fault.what, line=file.line_of(where)) from None


def read_mapping(document: object) -> LogMapping:
    """The mapping that a document declares; raises a `Fault` for the first place that is wrong."""
    declared(document, "mapping").fields(known=_KNOWN, required=("name", "kind", "columns", "times", "calendar", "rows", "claims"))
    whole = declared(document)
    name = _name(whole.field("name"))
    kind = whole.field("kind").one_of(("cases", "complaints"))
    cases = kind == "cases"
    columns = Columns(words(whole.field("missing", [])))
    answers = _answers(whole.field("answers"), cases=cases) if "answers" in whole else {}
    roles = _roles(whole.field("columns"), columns, answers, cases=cases)
    times = _times(whole.field("times"), ("at",) if cases else ("start", "end"), columns)
    rules = _rules(whole.field("rows"), columns, MEANINGS if cases else ("complaint",))
    sets = sorted({key for rule in rules for key in rule.sets})
    moments = CASE_MOMENTS if cases else COMPLAINT_MOMENTS
    claims = tuple(read_claim(item, columns, moments, sets, name) for item in some(whole.field("claims")))
    return LogMapping(
        name=name,
        kind=kind,
        delimiter=_delimiter(whole.field("delimiter", ",")),
        encoding=_encoding(whole.field("encoding", "utf-8")),
        columns=columns.names,
        explained=columns.explained,
        roles=roles,
        times=times,
        calendar=_calendar(whole.field("calendar")),
        answers=answers,
        rules=rules,
        claims=claims,
    )


def _name(declaration: Node) -> str:
    name = declaration.text()
    if len(name) > 64 or not name.isprintable():
        raise declaration.fault("a name of at most 64 characters in one line is expected")
    return name


def _delimiter(declaration: Node) -> str:
    found = declaration.value
    if not isinstance(found, str) or len(found) != 1 or found in '"\r\n\0':
        hint = r', written "\t" for a tab' if found == r"\t" else ""
        raise declaration.fault(f"one character is expected{hint}, and no quotation mark or end of a line")
    return found


def _encoding(declaration: Node) -> str:
    name = declaration.text()
    try:
        found = codecs.lookup(name)
        "".encode(name)  # refuses codecs that are none of text
    except (LookupError, ValueError):  # a ValueError for a NUL in the name
        raise declaration.fault(f"there is no such encoding of text; {meant(name, ENCODINGS)}") from None
    return "utf-8-sig" if found.name == "utf-8" else found.name


def _roles(columns_of: Node, columns: Columns, answers: Table[str, str], *, cases: bool) -> dict[str, Part]:
    known, others = (CASE_COLUMNS, COMPLAINT_COLUMNS) if cases else (COMPLAINT_COLUMNS, CASE_COLUMNS)
    found: dict[str, Part] = {}
    for role in columns_of.fields():
        one = columns_of.field(role)
        if role in others:
            raise one.fault(f"it belongs to the kind {'complaints' if cases else 'cases'}; this one has {', '.join(known)}")
        if isinstance(one.value, dict):
            one.fields(known=("column", "missing"), required=("column",))
        else:
            one = declared({"column": one.text()}, *one.where)
        part = columns.part(one, answers if role == "satisfaction" else ())
        for other, earlier in found.items():
            if earlier.column == part.column:
                raise one.fault(f"columns.{other} names the same column")
        found[role] = part
    columns_of.fields(known=known, required=("case",) if cases else ())
    if ("satisfaction" in found) != bool(answers):
        where = ("columns", "satisfaction") if "satisfaction" in found else ("answers",)
        raise Fault(where, RULE, "columns.satisfaction and answers belong together: which word means yes, no or not_answered")
    return found


def _times(times: Node, names: tuple[str, ...], columns: Columns) -> dict[str, TimeColumn]:
    times.fields(known=names, required=names)
    found = {name: read_time(times.field(name), columns) for name in names}
    if len({time.part.column for time in found.values()}) < len(names):
        raise times.fault(f"times.{names[0]} names the same column", "", names[-1], "column")
    return found


def _calendar(declaration: Node) -> Calendar:
    name = declaration.value
    if isinstance(name, str) and name not in BUILT_IN:
        raise declaration.fault(f"there is no calendar {name[:64]!r}; {meant(name, BUILT_IN)}")
    calendar = built_in(name) if isinstance(name, str) else Calendar.from_json(name)
    calendar.ordinary_day  # noqa: B018 - raises for a calendar without working time
    return calendar


def _answers(answers: Node, *, cases: bool) -> dict[str, str]:
    if cases:
        raise answers.fault("they belong to the kind complaints")
    return {said: answers.field(said).one_of(("yes", "no", "not_answered")) for said in answers.fields()}


def _rules(rows: Node, columns: Columns, meanings: tuple[str, ...]) -> tuple[Rule, ...]:
    found: list[Rule] = []
    for item in some(rows):
        if found and not found[-1].tests:
            raise item.fault(f"it is never reached: rows[{len(found) - 1}] fits every row")
        found.append(_rule(item, columns, meanings))
    return tuple(found)


def _rule(row: Node, columns: Columns, meanings: tuple[str, ...]) -> Rule:
    row.fields(known=("where", "means", "skip", "set"))
    if ("means" in row) == ("skip" in row):
        raise row.fault("exactly one of means and skip is expected")
    if "skip" in row and "set" in row:
        raise row.field("set").fault("rows that skip set nothing")
    where, sets = row.field("where", {}), row.field("set", {})
    tests = tuple((_column(column, where, columns), _wanted(where.field(column))) for column in where.fields())
    sets.fields()
    return Rule(
        tests,
        means=row.field("means").one_of(meanings) if "means" in row else "",
        skip=row.field("skip").text() if "skip" in row else "",
        sets={key: sets.field(key).text() for key in sets.fields()},
    )


def _column(name: str, where: Node, columns: Columns) -> int:
    return columns.index(declared(name, *where.where).text())


def _wanted(declaration: Node) -> frozenset[str]:
    wanted = declaration.value if isinstance(declaration.value, list) else [declaration.value]
    if not wanted:
        raise declaration.fault("a text, or a list with at least one, is expected")
    for value in wanted:
        if not isinstance(value, str):
            raise declaration.fault(f"{str(value)[:64]!r} is no text: YAML reads it so unless it stands in quotes")
    return frozenset(wanted)
