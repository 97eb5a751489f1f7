"""A wrong mapping is an error when it is read, before any row: it names the place, and the nearest word that is known."""

import copy
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.counted import counted
from tests.ops.replay_logs import HEADER

from common.kernel.faults import Fault
from ops.main import main
from ops.replay.mapping import SHIPPED, load, mapping_of, read_mapping

LOW = {"column": "x", "table": {"Low": "low"}}
BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdef", "bcdefg", strict=True)
)
SOURCE = {name: (SHIPPED / f"{name}.yaml").read_text("utf-8") for name in ("volvo", "nyc_complaints")}


def changed(path: str, value: object, name: str = "volvo") -> dict[str, Any]:
    """A shipped mapping with one declaration changed or added."""
    mapping: dict[str, Any] = copy.deepcopy(yaml.safe_load(SOURCE[name]))
    *way, last = (int(step) if step.isdigit() else step for step in path.split("/"))
    place: Any = mapping
    for step in way:
        place = place[step]
    place[last] = value
    return mapping


@pytest.mark.parametrize(
    ("path", "value", "place", "expected"),
    [
        ("colums", {}, "mapping.colums", "columns"),
        ("columns/persn", "x", "columns.persn", "person"),
        ("columns/person", 5, "columns.person", "text"),
        ("columns/person", {"colum": "x"}, "columns.person.colum", "column"),
        ("columns/person", "Involved ST", "columns.person", "columns.team"),
        ("columns/outcome", "x", "columns.outcome", "complaints"),
        ("missing", "?", "missing", "list"),
        ("missing", [5], "missing[0]", "text"),
        ("times/at/fromat", "iso", "times.at.fromat", "format"),
        ("times/start", {"column": "x", "format": "iso"}, "times.start", "at"),
        ("times/at/zone", "Europe/Berln", "times.at.zone", "IANA"),
        ("calendar", "cnn", "calendar", "cn"),
        ("calendar", 5, "calendar", "object"),
        ("calendar", {"time_zone": "UTC", "weekly_hours": {}}, "calendar", "no weekday has hours"),
        ("calendar/weekly_hour", {}, "calendar.weekly_hour", ""),
        ("calendar/time_zone", "Europe/Berln", "calendar.time_zone", ""),
        ("delimiter", "||", "delimiter", "one character"),
        ("delimiter", "", "delimiter", "one character"),
        ("delimiter", "\\t", "delimiter", r'"\t"'),
        ("delimiter", '"', "delimiter", "quotation mark"),
        ("delimiter", "\n", "delimiter", "line"),
        ("encoding", "utf-9", "encoding", "utf-8"),
        ("encoding", "base64", "encoding", "text"),
        ("answers", {"Yes": "yes"}, "answers", "complaints"),
        ("kind", "case", "kind", "cases"),
        ("name", "x" * 100, "name", "64"),
        ("name", "a\nb", "name", "64"),
        ("rows/0/whre", {}, "rows[0].whre", "where"),
        ("rows/0/means", "wating", "rows[0].means", "waiting"),
        ("rows/0/means", "complaint", "rows[0].means", ""),
        ("rows/0/where/Status", [], "rows[0].where.Status", "at least one"),
        ("rows/4", {"means": "working"}, "rows[5]", "rows[4]"),
        ("rows/0", {"skip": "x", "set": {"party": "x"}}, "rows[0].set", "skip"),
        ("claims/0/claim", "service_request.recieved", "claims[0].claim", "service_request.received"),
        ("claims/0/claim", "work_order.created", "claims[0].claim", ""),
        ("claims/0/when", "recieved", "claims[0].when", "received"),
        ("claims/0/fields/regoin", "x", "claims[0].fields.regoin", "region"),
        ("claims/0/fields/region", {"colum": "Country"}, "claims[0].fields.region.colum", "column"),
        ("claims/0/fields/region", {"column": "Country", "as": "wrd"}, "claims[0].fields.region.as", "word"),
        ("claims/0/fields/region", {"column": "Country", "otherwise": "x"}, "claims[0].fields.region.otherwise", "table"),
        ("claims/0/fields/region", {"row": "number", "missing": ["?"]}, "claims[0].fields.region.missing", "column"),
        ("claims/0/fields/region", {"set": "prty"}, "claims[0].fields.region.set", "party"),
        ("claims/0/fields/nature", "-no nature-", "claims[0].fields.nature", "claim"),
        ("claims/0/fields/nature", 5, "claims[0].fields.nature", "claim"),
        ("claims/0/fields/handled_by", "two words", "claims[0].fields.handled_by", "claim"),
        ("claims/0/fields/severity", {"column": "x", "table": {"Low": "lo"}}, "claims[0].fields.severity.table.Low", "claim"),
        ("claims/0/fields/severity", LOW | {"otherwise": 1}, "claims[0].fields.severity.otherwise", "claim"),
        ("claims/0/fields/severity", {"column": "x", "table": {}}, "claims[0].fields.severity.table", "at least one"),
        ("claims/0/fields/region", {"column": "Country", "as": "word", "blank": ["x"]}, "claims[0].fields.region.blank", "claim"),
        ("claims/0/fields/region", {"column": "Country", "as": "number"}, "claims[0].fields.region.as", "number"),
        ("claims/0/fields/region", {"column": "Country", "prefix": 5}, "claims[0].fields.region.prefix", "text"),
    ],
)  # fmt: skip
def test_a_wrong_declaration_is_named_by_its_place_with_the_nearest_known_word(path: str, value: object, place: str, expected: str) -> None:
    with pytest.raises(Fault) as problem:
        read_mapping(changed(path, value))
    assert problem.value.field == place
    assert expected in str(problem.value).removeprefix(place)


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("columns/case", "x", "columns.case"),
        ("columns/person", "x", "columns.person"),
        ("answers/NA", "maybe", "answers.NA"),
        ("answers", {}, "columns.satisfaction"),
        ("times/end/column", "Mediation Start Date", "times.end.column"),
        ("rows/0/means", "working", "rows[0].means"),
        ("claims/0/when", "reopened", "claims[0].when"),
        ("claims/3/fields/justified", "yes", "claims[3].fields.justified"),
    ],
)
def test_a_declaration_of_the_other_kind_is_named_by_its_place(path: str, value: object, place: str) -> None:
    with pytest.raises(Fault) as problem:
        read_mapping(changed(path, value, "nyc_complaints"))
    assert problem.value.field == place


def test_answers_without_a_column_for_them_are_refused() -> None:
    mapping = yaml.safe_load(SOURCE["nyc_complaints"])
    del mapping["columns"]["satisfaction"]
    with pytest.raises(Fault, match=r"answers: .*columns\.satisfaction"):
        read_mapping(mapping)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: [", "line 2"),
        ("a: 1\na: 2\n", "line 2: the key 'a' stands twice"),
        ("x: {b: 1, b: 2}\n", "line 1: the key 'b' stands twice"),
        ("", "names with values"),
        ("- a\n", "names with values"),
        ("a: 1\n---\nb: 2\n", "line 2"),
        ("name: 2026-13-45\n", "mapping.kind: the declaration is missing"),
        ("name: !!python/object:os.system x\n", "line 1"),
        ("name: !!timestamp x\n", "value"),
        ("name: !!int ''\n", "value"),
        ("? [a]\n: b\n", "line 1"),
        ("name: \x00\n", "YAML"),
        ("a: &a [*a]\n", "stands for nothing before it"),
        ("stages: &s {a: *s}\n", "stands for nothing before it"),
        ("[" * 3000, "nest"),
        ("a: " * 3000, "YAML"),
        (BOMB, "values"),
        ("x" * 2_000_000, "128 KB"),
        ("name: " + "9" * 5000 + "\n", "value"),
    ],
)  # fmt: skip
def test_what_is_no_mapping_is_a_sentence(text: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own, log = tmp_path / "own.yaml", tmp_path / "log.csv"
    own.write_text(text)
    log.write_text(",".join(HEADER) + "\n")
    with pytest.raises(SystemExit) as ended:
        main(["replay", str(log), "--mapping", str(own), "--calculate-only"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert expected in said
    assert "Traceback" not in said


def test_a_wrong_declaration_of_a_file_is_named_by_its_line(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(SOURCE["volvo"].replace("means: working", "means: wrking"))
    line = next(number for number, text in enumerate(own.read_text().splitlines(), 1) if "wrking" in text)
    with pytest.raises(Fault, match=rf"line {line}: rows\[4\]\.means: .*working"):
        load(str(own))


def test_a_mapping_in_another_encoding_is_a_sentence(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_bytes("name: 中文\n".encode("gb18030"))
    with pytest.raises(Fault, match="UTF-8"):
        load(str(own))
    own.write_bytes(b"\xef\xbb\xbf" + SOURCE["volvo"].encode())
    assert load(str(own)).name == "volvo"


def test_an_unknown_mapping_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="volvo"):
        load("vollvo")
    with pytest.raises(Fault, match="folder"):
        load(str(tmp_path))


def test_shared_declarations_may_be_referred_to() -> None:
    by = "by: {column: Resource, as: pseudonym, prefix: E-}"
    first, *others = SOURCE["volvo"].split(by)
    own = first + by.replace("by: ", "by: &by ") + "by: *by".join(others)
    assert len(mapping_of(own).claims) == 9


KEYS = [
    "name",
    "kind",
    "columns",
    "times",
    "at",
    "column",
    "format",
    "zone",
    "rows",
    "claims",
    "where",
    "means",
    "missing",
    "fields",
    "table",
]
VALUES = ("cases", "complaints", "iso", "24x7", "UTC", "%Y", "Status", "received")
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(VALUES),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=5),
    max_leaves=30,
)


def read_or_told(document: object) -> None:
    """The document is a mapping or a sentence says why it is none; any other exception fails the test."""
    with suppress(Fault):
        read_mapping(document)


@counted(100, proof=20_000)
@given(DOCUMENTS)
def test_any_document_is_a_mapping_or_a_sentence(document: object) -> None:
    read_or_told(document)


@counted(100, proof=20_000)
@given(st.data())
def test_a_shipped_mapping_with_one_value_replaced_is_a_mapping_or_a_sentence(data: st.DataObject) -> None:
    mapping: Any = yaml.safe_load(SOURCE[data.draw(st.sampled_from(tuple(SOURCE)))])
    at: Any = mapping
    while True:
        step = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
        if not isinstance(at[step], dict | list) or not at[step] or data.draw(st.booleans()):
            at[step] = data.draw(DOCUMENTS)
            break
        at = at[step]
    read_or_told(mapping)


@counted(100, proof=20_000)
@given(st.text())
def test_any_text_is_a_mapping_or_a_sentence(text: str) -> None:
    with pytest.raises(Fault):
        mapping_of(text)
