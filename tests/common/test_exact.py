"""Numbers, ids and lines as they cross a border: the edges of what is taken, and how it is written."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from common.kernel import json_lines
from common.kernel.clock_json import seconds, write_target
from common.kernel.exact import decimal_text, parse_exact, ratio_text
from common.kernel.faults import Fault
from common.kernel.ids import derived_id
from common.kernel.json_lines import answer_lines
from common.kernel.known_fields import nearest, unknown_field
from common.kernel.money import to_cents
from common.kernel.nesting import DEEPEST, is_too_deep
from common.kernel.strict_json import strict_json
from common.kernel.targets import WorkingDays, WorkingTime

NINES = "9" * 9


@pytest.mark.parametrize(
    ("given", "exact"),
    [
        ("83.025", Fraction(83025, 1000)),
        ("887/10", Fraction(887, 10)),
        ("-3", Fraction(-3)),
        ("+0.5", Fraction(1, 2)),
        (12, Fraction(12)),
        (Fraction(1, 3), Fraction(1, 3)),
        (Decimal("0.10"), Fraction(1, 10)),
        (NINES + "." + NINES, Fraction(int(NINES * 2), 10**9)),
        ("1/" + NINES, Fraction(1, int(NINES))),
        (2**30 - 1, Fraction(2**30 - 1)),
        (Decimal("1e9"), Fraction(10**9)),
        (Decimal("1e-9"), Fraction(1, 10**9)),
        (Decimal(NINES + "." + NINES), Fraction(int(NINES * 2), 10**9)),
    ],
)
def test_a_number_of_nine_digits_before_and_after_the_point_is_taken_exactly(given: object, exact: Fraction) -> None:
    assert parse_exact(given, most_digits=9) == exact


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (1.5, "float given"),
        (True, "bool given"),
        ("1/0", "the denominator is zero"),
        ("1e5", "a decimal string"),
        (" 1", "a decimal string"),
        (None, "a decimal string"),
        (Decimal("NaN"), "a decimal string"),
        (2**30, "at most 9 digits"),
        ("9" * 10, "at most 9 digits"),
        ("0." + "9" * 10, "at most 9 digits"),
        (Decimal("1e10"), "at most 9 digits"),
        (Decimal("1e-10"), "at most 9 digits"),
        (Decimal("1." + "1" * 18), "at most 9 digits"),
    ],
)
def test_what_is_not_exact_or_too_long_is_refused(given: object, said: str) -> None:
    with pytest.raises(Fault, match=said) as refused:
        parse_exact(given, most_digits=9)
    assert (refused.value.rule, refused.value.field) == ("not_exact", "")


def test_without_a_limit_of_its_own_a_number_has_400_digits() -> None:
    assert parse_exact("9" * 400) == int("9" * 400)
    with pytest.raises(Fault, match="at most 400 digits"):
        parse_exact("9" * 401)


@pytest.mark.parametrize(
    ("value", "decimal", "ratio"),
    [
        (Fraction(90), "90", "90"),
        (Fraction(-90), "-90", "-90"),
        (Fraction(83025, 1000), "83.025", "3321/40"),
        (Fraction(1, 8), "0.125", "1/8"),
        (Fraction(-1, 25), "-0.04", "-1/25"),
        (Fraction(1, 3), "1/3", "1/3"),
        (Fraction(1, 6), "1/6", "1/6"),
        (Fraction(0), "0", "0"),
        (Fraction(1, 1000), "0.001", "1/1000"),
    ],
)
def test_a_number_whose_decimals_end_is_written_with_them(value: Fraction, decimal: str, ratio: str) -> None:
    assert (decimal_text(value), ratio_text(value)) == (decimal, ratio)


@pytest.mark.parametrize(
    ("amount", "paid"),
    [
        ("0.005", "0.01"),
        ("0.00499", "0.00"),
        ("-0.005", "-0.01"),
        ("2.345", "2.35"),
        ("1/3", "0.33"),
        ("100", "100.00"),
        ("-2", "-2.00"),
        ("0", "0.00"),
    ],
)
def test_money_is_rounded_once_half_away_from_zero(amount: str, paid: str) -> None:
    assert str(to_cents(Fraction(amount))) == paid


def test_an_id_has_the_milliseconds_of_its_event_in_front_and_is_always_the_same() -> None:
    at = datetime(2026, 7, 6, 9, 0, 0, 1999, tzinfo=UTC)
    assert derived_id(at, "intake", 7) == "019f36a7-e281-857f-9a9f-54f28e0f875c"
    assert derived_id(at - timedelta(microseconds=999), "intake", 7) == derived_id(at, "intake", 7)
    assert derived_id(at.astimezone(timezone(timedelta(hours=8))), "intake", 7) == derived_id(at, "intake", 7)
    others = {derived_id(at, *parts) for parts in (("intake", 7), ("intake", 8), ("intake7",), ("intake", "7", ""))}
    assert len(others) == 4
    assert derived_id(at + timedelta(milliseconds=1), "a") > derived_id(at, "z")


def nested(levels: int) -> Any:
    found: Any = "leaf"
    for level in range(levels):
        found = [found] if level % 2 else {"a": found}
    return found


def test_lists_and_objects_stand_in_each_other_64_levels_deep_at_most() -> None:
    assert DEEPEST == 64
    assert [is_too_deep(nested(levels)) for levels in (0, 1, 64, 65)] == [False, False, False, True]
    assert strict_json(b"[" * 64 + b"]" * 64)
    with pytest.raises(Fault, match="deeper than 64"):
        strict_json(b"[" * 65 + b"]" * 65)
    assert strict_json(b"[" + b"[]," * 99 + b"[]]"), "many beside each other are not deep"


@pytest.mark.parametrize(
    ("raw", "stored", "rule"),
    [
        (b'{"a": 1, "b": 2, "a": 1}', False, "duplicate_key"),
        (b"[NaN]", False, "not_a_number"),
        (b"[1e999]", False, "number_out_of_range"),
        (b"\xff", False, "bad_encoding"),
        (b"[1,]", False, "bad_json"),
        (b'"\\ud800"', False, "unstorable_text"),
        (b'"\\u0000"', True, "unstorable_text"),
        (b'"\x00"', True, "bad_json"),
        (b"[9223372036854775808]", True, "number_out_of_range"),
        (b"[-9223372036854775809]", True, "number_out_of_range"),
        (b"[100000000000000000000]", True, "number_out_of_range"),
        (b"\xef\xbb\xbf1", False, "bad_json"),
    ],
)
def test_what_parsers_disagree_about_is_refused(raw: bytes, stored: bool, rule: str) -> None:
    with pytest.raises(Fault) as refused:
        strict_json(raw, stored=stored)
    assert refused.value.rule == rule
    assert refused.value.where == (("a",) if rule == "duplicate_key" else ())


@pytest.mark.parametrize(
    ("raw", "stored", "value"),
    [
        (b"[9223372036854775807, -9223372036854775808]", True, [2**63 - 1, -(2**63)]),
        (b"[9223372036854775808]", False, [2**63]),
        (b'"\\u0000"', False, "\x00"),
        (b'"\\\\u0000"', True, "\\u0000"),
        (b"\xef\xbb\xbf1", True, 1),
        (b'"\\ud83d\\ude00"', True, "\N{GRINNING FACE}"),
        (b'{"a": 1, "b": 1}', True, {"a": 1, "b": 1}),
    ],
)
def test_what_is_kept_is_read_as_it_was_written(raw: bytes, stored: bool, value: object) -> None:
    assert strict_json(raw, stored=stored) == value


class Pieces:
    """An input that comes in pieces, and all that was answered, with `|` where it was handed on."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = list(pieces)
        self.said = b""

    def read1(self, size: int, /) -> bytes:
        assert size > 0
        return self._pieces.pop(0) if self._pieces else b""

    def write(self, data: bytes, /) -> None:
        self.said += data

    def flush(self) -> None:
        self.said += b"|"


def answered(*pieces: bytes) -> str:
    both = Pieces(pieces)
    answer_lines(both, both, lambda question: {"seen": question.get("n")})
    return both.said.decode()


def test_each_line_is_answered_when_it_is_whole_and_the_last_one_without_its_end() -> None:
    assert answered(b'{"n": 1}\n{"id": "b", "n', b'": 2}', b'\n{"n": 3}') == (
        '{"id": null, "seen": 1}\n|{"id": "b", "seen": 2}\n|{"id": null, "seen": 3}\n|'
    )
    assert answered() == ""
    assert answered('{"id": "工单"}'.encode()) == '{"id": "工单", "seen": null}\n|'


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"[]", "the line is no JSON object"),
        (b'{"a": 1, "a": 1}', "a key occurs twice in one object"),
        (b'{"a": ' + b"[" * 64 + b"]" * 64 + b"}", "the line is nested deeper than 64 levels"),
        (b"\xff", "the line is not Unicode text in UTF-8"),
        (b'"\\ud800"', "the line is not Unicode text in UTF-8"),
        (b'{"a": 1e999}', "the line is not JSON (a number is out of range)"),
        (b"[NaN]", "the line is not JSON (NaN is no JSON)"),
    ],
)
def test_a_line_that_is_no_object_is_an_error_without_id(line: bytes, said: str) -> None:
    assert answered(line) == f'{{"id": null, "error": {{"code": "bad_json", "field": "", "message": "{said}"}}}}\n|'


def test_what_a_parser_says_is_cut_and_a_fault_is_told_by_code_field_and_message() -> None:
    said = "Exceeds the limit (4300 digits) for integer string conversion: value has 5000 digits; use sys"
    assert f'"the line is not JSON ({said[:80]})"' in answered(b"9" * 5000)
    assert json_lines.error(Fault(("a", 0), "bad_value", "a text is expected")) == {
        "error": {"code": "bad_value", "field": "a[0]", "message": "a text is expected"}
    }


def test_an_unknown_field_is_shown_up_to_64_characters_with_the_nearest_known_one() -> None:
    assert unknown_field(["name"], ("name",)) is None
    assert unknown_field(["name", "colour"], ("name", "color")) == (
        "colour", "there is no such field; the nearest is color; the known fields are name, color"
    )  # fmt: skip
    assert unknown_field(["x" * 65], ()) == ("x" * 64, "there is no such field")
    assert nearest("NUMERATOR", ("numerator", "denominator")) == "numerator"
    assert nearest("zzz", ("numerator",)) == ""


def test_targets_and_seconds_are_written_as_they_are_read() -> None:
    assert write_target(WorkingTime(1_500_000)) == {"working_seconds": "1.5"}
    assert write_target(WorkingTime(2_000_000)) == {"working_seconds": 2}
    assert write_target(WorkingDays(2, "end_of_day", False)) == {"working_days": 2, "meaning": "end_of_day"}
    assert write_target(WorkingDays(0, "working_hours", True)) == {"working_days": 0, "meaning": "working_hours", "pauses_count": True}
    assert [seconds(micros) for micros in (0, 1, 1_000_000, -1)] == [0, "0.000001", 1, "-0.000001"]
