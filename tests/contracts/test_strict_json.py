"""What parsers disagree about, or a database cannot hold, is refused before any handler, each time by the same rule's name."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.contracts.envelope import MAX_BYTES, Record, Unreadable, decode
from common.contracts.strict_json import canonical, strict_json
from common.kernel.errors import Malformed

REFUSED = [
    ("duplicate_key", b'{"a": 1, "a": 2}'),
    ("duplicate_key", b'{"a": [{"b": 1, "c": 2, "b": 1}]}'),
    ("duplicate_key", b'{"a": 1, "\\u0061": 2}'),
    ("not_a_number", b'{"a": NaN}'),
    ("not_a_number", b'{"a": Infinity}'),
    ("not_a_number", b"[-Infinity]"),
    ("number_out_of_range", b'{"a": 1e999}'),
    ("number_out_of_range", b'{"a": -1e400}'),
    ("number_out_of_range", str(2**64).encode()),
    ("number_out_of_range", str(2**63).encode()),
    ("number_out_of_range", str(-(2**63) - 1).encode()),
    ("number_out_of_range", b"1" * 5000),
    ("unstorable_text", b'{"a": "x\\u0000y"}'),
    ("unstorable_text", b'{"\\u0000": 1}'),
    ("unstorable_text", b'{"a": "\\ud800"}'),
    ("unstorable_text", b'{"a": "\\udc00\\ud800"}'),
    ("bad_json", b'{"a": "x\x00y"}'),
    ("bad_encoding", b'{"a": "\xff"}'),
    ("bad_encoding", b'{"a": "\xed\xa0\x80"}'),
    ("bad_encoding", '{"a": 1}'.encode("utf-16")),
    ("too_deep", b"[" * 100_000 + b"]" * 100_000),
    ("too_deep", b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    ("bad_json", b""),
    ("bad_json", b"{'a': 1}"),
    ("bad_json", b'{"a": 1,}'),
    ("bad_json", b'{"a": 1} {"b": 2}'),
    ("bad_json", b"nan"),
    ("bad_json", b"\xef\xbb\xbf\xef\xbb\xbf{}"),
    ("too_deep", b"[" * 65 + b"]" * 65),
    ("too_deep", b'{"a":[' * 33 + b"1" + b"]}" * 33),
]


@pytest.mark.parametrize(("rule", "raw"), REFUSED, ids=lambda value: repr(value[:24]))
def test_what_cannot_be_trusted_is_refused_by_its_rule(rule: str, raw: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        strict_json(raw)
    assert refused.value.rule == rule


@pytest.mark.parametrize(("rule", "raw"), REFUSED, ids=lambda value: repr(value[:24]))
@pytest.mark.parametrize("structured", [False, True], ids=["binary", "structured"])
def test_a_record_that_holds_it_becomes_unreadable_and_nothing_raises(rule: str, raw: bytes, structured: bool) -> None:
    head = {"specversion": "1.0", "id": "1", "source": "/crm", "type": "complaint.complainant_told", "time": "2026-01-01T00:00:00Z"}
    if structured:
        headers: tuple[tuple[str, bytes], ...] = (("content-type", b"application/cloudevents+json"),)
        value = json.dumps(head).encode()[:-1] + b', "data": ' + raw + b"}"
    else:
        headers = tuple((f"ce_{name}", text.encode()) for name, text in head.items())
        value = raw
    found = decode(Record("complaint-claims", 0, 1, b"C1", value, headers, datetime(2026, 1, 2, tzinfo=UTC)))
    assert isinstance(found, Unreadable)
    if len(value) > MAX_BYTES:
        rule = "too_large"
    if structured and rule in ("bad_json", "bad_encoding"):
        assert found.problem.rule in ("bad_json", "bad_encoding")
    else:
        assert found.problem.rule == rule


def test_a_duplicate_is_told_with_its_name_unless_the_name_could_be_anybodys() -> None:
    with pytest.raises(Malformed) as plain:
        strict_json(b'{"status": 1, "status": 2}')
    assert plain.value.field == "data.status"
    with pytest.raises(Malformed) as second:
        strict_json(b'{"region": 1, "status": 2, "status": 3}')
    assert second.value.field == "data.status", "the name that stands once is not to blame"
    with pytest.raises(Malformed) as personal:
        strict_json('{"王小明 13800000000": 1, "王小明 13800000000": 2}'.encode())
    assert personal.value.field == "data"


def test_a_byte_order_mark_is_passed_over() -> None:
    assert strict_json(b'\xef\xbb\xbf{"a": [1]}') == {"a": [1]}
    assert strict_json(b"[" * 64 + b"]" * 64) == json.loads("[" * 64 + "]" * 64)


@pytest.mark.parametrize("raw", [str(2**63 - 1), str(-(2**63)), "1e308", "0.1", '"\\ud83d\\ude00"', '"\\\\u0000"', '"张"', "null", "-0"])
def test_what_only_looks_suspicious_is_read_as_python_reads_it(raw: str) -> None:
    assert strict_json(raw.encode()) == json.loads(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), inner),
    max_leaves=20,
)  # fmt: skip


@given(JSON, st.booleans())
def test_all_other_json_is_read_and_has_one_spelling(value: object, ascii: bool) -> None:
    read = strict_json(json.dumps(value, ensure_ascii=ascii, indent=1).encode())
    assert read == value
    assert canonical(strict_json(canonical(read))) == canonical(value)


@given(st.binary(max_size=200))
def test_no_bytes_whatever_raise_anything_but_malformed(raw: bytes) -> None:
    try:
        read = strict_json(raw)
    except Malformed:
        return
    canonical(read).decode("utf-8")
