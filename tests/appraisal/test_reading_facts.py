"""A fact is read in one step where it is plainly ours and with all care where it is not: the two readers never differ."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.counted import counted
from tests.faults.kit import Wire, fact, record_of
from tests.faults.poison_kinds import FACTS, Kind
from tests.harness import as_aiokafka

from appraisal import ingest
from appraisal.fact_store import FactRow
from common.contracts.envelope import MAX_BYTES, Unreadable, decode

APPENDED = datetime.fromisoformat("2026-07-01T10:00:00+00:00")
"""When Kafka appended the records of these tests."""


def read(wire: Wire) -> tuple[Any, Any]:
    """What the fast and the careful reader make of one record."""
    found = as_aiokafka(replace(record_of(wire), appended_at=APPENDED))
    return ingest.read_fast(found), ingest.read_strict(found)


def good(**data: Any) -> Wire:
    return fact("c1", at=APPENDED - timedelta(minutes=1), **data)


def with_header(name: str, value: bytes) -> Callable[[Wire], Wire]:
    """One header has another value, in its place."""
    return lambda wire: replace(wire, headers=tuple((one, value if one == name else was) for one, was in wire.headers))


def with_attribute(name: str, value: bytes) -> Callable[[Wire], Wire]:
    """One more header, where we write it ourselves: before the content type."""
    return lambda wire: replace(wire, headers=(*wire.headers[:-1], (f"ce_{name}", value), wire.headers[-1]))


def with_data(**data: object) -> Callable[[Wire], Wire]:
    return lambda _: good(**data)


def sized(size: int) -> Callable[[Wire], Wire]:
    """Spaces at the end of the value until it has so many bytes."""
    return lambda wire: replace(wire, value=(wire.value or b"").ljust(size))


def at(text: str) -> Callable[[Wire], Wire]:
    return with_header("ce_time", text.encode())


# whether a revision jumps is told from what is stored, not from the record alone
@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.name) for kind in FACTS if kind.rule != "revision_jump"])
def test_the_fast_reader_of_facts_takes_nothing_that_the_careful_one_refuses(kind: Kind) -> None:
    bad = kind.spoil(fact("c1"))
    assert isinstance(decode(record_of(bad)), Unreadable)
    assert ingest.read_fast(as_aiokafka(record_of(bad))) is None


OURS: dict[str, Callable[[Wire], Wire]] = {
    "no dimensions": with_data(dimensions={}),
    "one dimension": with_data(dimensions={"team": "t 7"}),
    "three dimensions": with_data(dimensions={"product": "洗衣机", "region": "north", "problem_type": "no water"}),
    "no event that it came from": with_data(source_event_ids=[]),
    "fifty events that it came from": with_data(source_event_ids=[f"e{number}" for number in range(50)]),
    "an event with the longest id": with_data(source_event_ids=["e" * 256]),
    "the least numbers": with_data(occurrence=0, revision=1, numerator="0", denominator="0"),
    "the largest numbers": with_data(occurrence=2**31 - 1, revision=2**31 - 1, numerator="-" + "9" * 18 + ".5"),
    "a history": with_attribute("replayof", b"volvo-2014"),
    "a case that was taken up before": with_attribute("correlationid", b"c-9"),
    "the largest event": sized(MAX_BYTES),
    "the beginning of 1970": at("1970-01-01T00:00:00Z"),
    "five minutes after it was appended": at((APPENDED + timedelta(minutes=5)).isoformat()),
    "another offset": at("2026-07-01T17:59:00.123456+08:00"),
    "known since the beginning of 1970": with_header("ce_recordedtime", b"1970-01-01T00:00:00Z"),
    "a long name": with_header("ce_dataschema", b"s" * 150),
}


@pytest.mark.parametrize("written", OURS)
def test_a_fact_that_we_write_is_read_in_one_step_and_as_the_careful_reader_reads_it(written: str) -> None:
    fast, strict = read(OURS[written](good()))
    assert isinstance(fast, FactRow)
    assert fast == strict


def test_a_row_says_what_the_record_says() -> None:
    dimensions = {"region": "north", "product": "洗衣机"}
    wire = good(revision=7, numerator="0.5", source_event_ids=["e1", "e2"], dimensions=dimensions)
    wire = with_attribute("replayof", b"volvo-2014")(wire)
    row, _ = read(wire)
    assert row._asdict() | {"key": b""} == {
        "key": b"",
        "indicator": "in_time_solution",
        "case_id": "c1",
        "subject": "employee:E1",
        "occurrence": 0,
        "revision": 7,
        "numerator": "0.5",
        "denominator": "1",
        "time": (int(APPENDED.timestamp()) - 60) * 10**6,
        "recorded_at": (int(APPENDED.timestamp()) - 60) * 10**6,
        "event_id": "c1-fact",
        "source_event_ids": "e1\ne2",
        "replay_of": "volvo-2014",
        "dimensions": '{"product":"洗衣机","region":"north"}',
    }, "dimensions are canonical JSON, which a digest is made of"


REFUSED: dict[str, tuple[Callable[[Wire], Wire], str]] = {
    "an indicator that is no word": (with_data(indicator="-"), "bad_value"),
    "a subject of no kind": (with_data(subject="E1"), "bad_value"),
    "a numerator that is no decimal": (with_data(numerator="1/3"), "bad_value"),
    "a denominator that is no decimal": (with_data(denominator="1e3"), "bad_value"),
    "an occurrence below 0": (with_data(occurrence=-1), "bad_value"),
    "fifty-one events that it came from": (with_data(source_event_ids=["e"] * 51), "bad_value"),
    "an event with too long an id": (with_data(source_event_ids=["e" * 257]), "bad_value"),
    "one dimension that is none": (with_data(dimensions={"region": "north", "colour": "red"}), "bad_value"),
    "one dimension without a value": (with_data(dimensions={"region": "north", "team": ""}), "bad_value"),
    "a byte too large": (sized(MAX_BYTES + 1), "too_large"),
    "no id": (with_header("ce_id", b""), "missing"),
    "a microsecond before 1970": (at("1969-12-31T23:59:59.999999Z"), "time_too_early"),
    "more than five minutes ahead": (at((APPENDED + timedelta(minutes=5, microseconds=1)).isoformat()), "time_ahead"),
    "the source of nobody": (with_header("ce_source", b"/aftersales/nobody"), "foreign_source"),
    "another version of the envelope": (with_header("ce_specversion", b"1.1"), "bad_version"),
    "the subject of another case": (with_header("ce_subject", b"c2"), "subject_mismatch"),
    "the key of another case": (lambda wire: replace(wire, key=b"c2"), "key_mismatch"),
    "a subject and key of another case": (lambda wire: replace(with_header("ce_subject", b"c2")(wire), key=b"c2"), "key_mismatch"),
    "a content type of no event": (with_header("content-type", b"application/cloudevents+avro"), "unsupported_format"),
    "a history with a line break": (with_attribute("replayof", b"volvo\n2014"), "bad_attribute"),
    "too long an id": (with_header("ce_id", b"i" * 257), "bad_attribute"),
}


@pytest.mark.parametrize("written", REFUSED)
def test_a_fact_that_breaks_a_rule_is_not_read_in_one_step_and_is_a_dead_letter(written: str) -> None:
    spoil, rule = REFUSED[written]
    fast, strict = read(spoil(good()))
    assert fast is None
    assert strict.problem.rule == rule


@pytest.mark.parametrize(("size", "at_once"), [(366, True), (367, False)])
def test_headers_that_are_so_long_together_that_one_might_be_too_long_are_read_with_care(size: int, at_once: bool) -> None:
    wire = good()
    others = len(b" ".join(value or b"" for name, value in wire.headers if name != "ce_dataschema")) + 1
    fast, strict = read(with_header("ce_dataschema", b"s" * (size - others))(wire))
    assert (fast == strict) is at_once
    assert isinstance(strict, FactRow)


def test_a_fact_that_was_known_before_1970_is_left_to_the_careful_reader() -> None:
    fast, strict = read(with_header("ce_recordedtime", b"1969-12-31T23:59:59Z")(good()))
    assert fast is None
    assert strict.recorded_at == -(10**6)


def test_a_type_that_is_not_known_here_is_a_dead_letter_on_this_topic() -> None:
    fast, strict = read(with_header("ce_type", b"kpi.recorded.v2")(good()))
    assert fast is None
    assert (strict.problem.rule, strict.problem.field) == ("unknown_type", "ce_type")


def test_a_member_that_white_space_or_an_escape_hides_from_the_fast_reader_is_read_with_care() -> None:
    for hidden in (b'"region" :', b'"region"\n:', b'"region"\t:', b'"region"\r:', b'"regio\\u006e":'):
        wire = good()
        twice = replace(wire, value=(wire.value or b"").replace(b'"region":', hidden + b'"south","region":'))
        fast, strict = read(twice)
        assert fast is None
        assert strict.problem.rule == "duplicate_key"


_VALUES = st.sampled_from(
    ["", "c1", "1", "-1", "0.5", "01", "employee:E1", "nobody:E1", "in time", "é", "a\nb", "a\\b", "x" * 300, 0, -1, 2**31]
)
_CHANGES = st.one_of(
    st.tuples(
        st.sampled_from(["case_id", "indicator", "subject", "numerator", "denominator", "occurrence", "revision", "remark"]), _VALUES
    ),
    st.tuples(st.just("dimensions"), st.dictionaries(st.sampled_from(["region", "team", "colour"]), _VALUES, max_size=2)),
    st.tuples(st.just("source_event_ids"), st.lists(_VALUES, max_size=2)),
)
_BODIES = st.lists(_CHANGES, max_size=2).map(dict)
_TEXTS = ["", "1.0", "c1", "kpi.recorded", "/aftersales/dispatch", "2026-07-01T10:00:00Z", "2026-07-01T10:05:00.000001Z", "é", "x" * 257]
_HEADERS = st.lists(st.tuples(st.integers(0, 12), st.sampled_from([text.encode() for text in _TEXTS]), st.booleans()), max_size=2)
_MORE = st.lists(st.sampled_from(["correlationid", "causationid", "replayof", "sequence"]), max_size=4, unique=True)


@given(_BODIES, _HEADERS, _MORE, st.sampled_from([None, (",", ":"), (", ", ": ")]))
@counted(500, proof=5_000)
def test_whatever_the_fast_reader_takes_the_careful_one_reads_alike(
    data: dict[str, Any], changes: list[tuple[int, bytes, bool]], more: list[str], separators: tuple[str, str] | None
) -> None:
    wire = good(**data)
    if separators is not None:
        wire = replace(wire, value=json.dumps(json.loads(wire.value or b""), ensure_ascii=False, separators=separators).encode())
    for name in more:
        wire = with_attribute(name, b"7")(wire)
    for number, value, is_gone in changes:
        name = wire.headers[number % len(wire.headers)][0]
        wire = wire.without_header(name) if is_gone and len(wire.headers) > 1 else with_header(name, value)(wire)
    fast, strict = read(wire)
    assert fast is None or fast == strict
