"""The ways in which a record can be bad, each with the field and the rule that its dead letter must name."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from tests.faults.kit import Wire

from common.kernel.wall_clock import now


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to spoil a good record. `repairable` when enough of its identity is left to know its repair by."""

    name: str
    spoil: Callable[[Wire], Wire]
    rule: str
    field: str
    repairable: bool = True


def _body(raw: bytes | None) -> Callable[[Wire], Wire]:
    return lambda wire: replace(wire, value=raw)


def _header(name: str, raw: bytes | None) -> Callable[[Wire], Wire]:
    return lambda wire: wire.with_header(name, raw)


def _raw(text: str) -> Callable[[Wire], Wire]:
    return lambda wire: wire.with_raw(text)


def _padded(size: int) -> Callable[[Wire], Wire]:
    return lambda wire: replace(wire, value=(wire.value or b"") + b" " * size)


def _ahead(wire: Wire) -> Wire:
    return wire.with_header("ce_time", (now() + timedelta(minutes=10)).isoformat().encode())


def _truncated(wire: Wire) -> Wire:
    return replace(wire, value=(wire.value or b"")[:-9])


def _latin(wire: Wire) -> Wire:
    return replace(wire, value=(wire.value or b"")[:-1] + b', "note": "caf\xe9"}')


def _utf16(wire: Wire) -> Wire:
    return replace(wire, value=(wire.value or b"").decode().encode("utf-16"))


def _first_member_twice(wire: Wire) -> Wire:
    value = wire.value or b""
    return replace(wire, value=b"{" + value[1:].split(b",", 1)[0] + b"," + value[1:])


def _dimension_twice(wire: Wire) -> Wire:
    return replace(wire, value=(wire.value or b"").replace(b'"dimensions":{', b'"dimensions":{"region":"south",'))


_MISSING = [
    Kind("no_specversion", lambda wire: wire.without_header("ce_specversion"), "missing", "ce_specversion"),
    Kind("no_id", lambda wire: wire.without_header("ce_id"), "missing", "ce_id", repairable=False),
    Kind("no_source", lambda wire: wire.without_header("ce_source"), "missing", "ce_source", repairable=False),
    Kind("no_type", lambda wire: wire.without_header("ce_type"), "missing", "ce_type"),
    Kind("no_time", lambda wire: wire.without_header("ce_time"), "missing", "ce_time"),
]

_ATTRIBUTES = [
    Kind("header_not_utf8", _header("ce_type", b"\xff\xfe"), "bad_encoding", "ce_type"),
    Kind("content_type_not_utf8", _header("content-type", b"\xff"), "bad_encoding", "content-type"),
    Kind("null_header", _header("ce_time", None), "empty", "ce_time"),
    Kind("bad_time", _header("ce_time", b"yesterday"), "bad_instant", "ce_time"),
    Kind("time_without_offset", _header("ce_time", b"2026-07-01T10:00:00"), "bad_instant", "ce_time"),
    Kind("time_ahead", _ahead, "time_ahead", "ce_time"),
    Kind("time_in_year_1", _header("ce_time", b"0001-01-01T00:00:00Z"), "time_too_early", "ce_time"),
    Kind("time_in_year_0", _header("ce_time", b"0000-01-01T00:00:00Z"), "bad_instant", "ce_time"),
    Kind("time_beyond_year_9999", _header("ce_time", b"9999-12-31T23:59:59-23:00"), "bad_instant", "ce_time"),
    Kind("version_0.3", _header("ce_specversion", b"0.3"), "bad_version", "ce_specversion"),
    Kind("content_type_of_avro", _header("content-type", b"application/cloudevents+avro"), "unsupported_format", "content-type"),
    Kind("id_of_300", _header("ce_id", b"i" * 300), "bad_attribute", "ce_id", repairable=False),
    Kind("id_with_nul", _header("ce_id", b"a\x00b"), "bad_attribute", "ce_id", repairable=False),
    Kind("source_with_newline", _header("ce_source", b"/crm\n"), "bad_attribute", "ce_source", repairable=False),
    Kind("subject_mismatch", _header("ce_subject", b"another"), "subject_mismatch", "ce_subject"),
    Kind("sequence_in_words", _header("ce_sequence", b"one"), "bad_attribute", "ce_sequence"),
    Kind("unknown_type", _header("ce_type", b"complaint.loged"), "unknown_type", "ce_type"),
    Kind("type_of_another_topic", _header("ce_type", b"rating.given"), "wrong_topic", "ce_type"),
    Kind("key_mismatch", lambda wire: replace(wire, key=b"another"), "key_mismatch", "key"),
    Kind("key_not_utf8", lambda wire: replace(wire, key=b"\xff\x00"), "key_mismatch", "key"),
    Kind("null_key", lambda wire: replace(wire, key=None), "key_mismatch", "key"),
]

_BODIES = [
    Kind("null_value", _body(None), "empty", "data"),
    Kind("empty_value", _body(b""), "bad_json", "data"),
    Kind("bad_json", _body(b"{complaint_id: 1}"), "bad_json", "data"),
    Kind("truncated_json", _truncated, "bad_json", "data"),
    Kind("two_documents", _body(b"{} {}"), "bad_json", "data"),
    Kind("raw_nul", _raw('"note": "a\x00b"'), "bad_json", "data"),
    Kind("latin_1", _latin, "bad_encoding", "data"),
    Kind("utf_16", _utf16, "bad_encoding", "data"),
    Kind("array", _body(b"[1, 2]"), "bad_value", "data"),
    Kind("bare_number", _body(b"42"), "bad_value", "data"),
    Kind("null_body", _body(b"null"), "bad_value", "data"),
    Kind("1_mib", _padded(1024 * 1024), "too_large", "data"),
    Kind("300_kib", _padded(300 * 1024), "too_large", "data"),
    Kind("100000_deep", _body(b"[" * 100_000), "too_deep", "data"),
    Kind("992_deep", _body(b'{"a":' * 992 + b"1" + b"}" * 992), "too_deep", "data"),
    Kind("nan", _raw('"n": NaN'), "not_a_number", "data"),
    Kind("infinity", _raw('"n": -Infinity'), "not_a_number", "data"),
    Kind("1e999", _raw('"n": 1e999'), "number_out_of_range", "data"),
    Kind("2_to_the_64", _raw(f'"n": {2**64}'), "number_out_of_range", "data"),
    Kind("5000_digits", _raw(f'"n": {"9" * 5000}'), "number_out_of_range", "data"),
    Kind("escaped_nul", _raw('"note": "a\\u0000b"'), "unstorable_text", "data"),
    Kind("lone_surrogate", _raw('"note": "\\ud800"'), "unstorable_text", "data"),
    Kind("duplicate_key_of_our_own", _first_member_twice, "duplicate_key", "data.{key}"),
    Kind("duplicate_key_inside", _raw('"more": {"colour": 1, "colour": 2}'), "duplicate_key", "data.<unknown>"),
]

_OF_CLAIMS = [
    Kind("unknown_field", lambda wire: wire.with_member("colour", "red"), "unknown_field", "data.<unknown>"),
    Kind("missing_field", lambda wire: wire.without_member("region"), "missing", "data.region"),
    Kind("number_for_text", lambda wire: wire.with_member("customer_id", 7), "bad_value", "data.customer_id"),
    Kind("list_for_text", lambda wire: wire.with_member("region", ["north"]), "bad_value", "data.region"),
    Kind("no_word", lambda wire: wire.with_member("triggers", ["!"]), "bad_value", "data.triggers.0"),
    Kind("id_of_100", lambda wire: wire.with_member("complaint_id", "c" * 100), "bad_value", "data.complaint_id"),
    Kind("structured_without_data", lambda wire: wire.structured(data=None), "missing", "data"),
    Kind("structured_without_time", lambda wire: wire.structured(time=None), "missing", "ce_time"),
    Kind("structured_array", lambda wire: replace(wire.structured(), value=b"[]"), "not_an_event", "event", repairable=False),
    Kind("structured_bad_json", lambda wire: replace(wire.structured(), value=b"{"), "bad_json", "event", repairable=False),
]

CLAIMS = [*_MISSING, *_ATTRIBUTES, *_BODIES, *_OF_CLAIMS]
"""How a claim can be bad."""

_OF_FACTS = [
    Kind("missing_member", lambda wire: wire.without_member("numerator"), "missing", "data.numerator"),
    Kind("number_for_text", lambda wire: wire.with_member("numerator", 1), "bad_value", "data.numerator"),
    Kind("revision_0", lambda wire: wire.with_member("revision", 0), "bad_value", "data.revision"),
    Kind("revision_2_to_the_31", lambda wire: wire.with_member("revision", 2**31), "bad_value", "data.revision"),
    Kind("revision_that_jumps", lambda wire: wire.with_member("revision", 2_000_000_000), "revision_jump", "data.revision"),
    Kind("revision_just_too_far", lambda wire: wire.with_member("revision", 2**16 + 1), "revision_jump", "data.revision"),
    Kind("foreign_source", _header("ce_source", b"/crm"), "foreign_source", "ce_source"),
    Kind("source_of_a_service_that_has_no_such_name", _header("ce_source", b"/aftersales/operator"), "foreign_source", "ce_source"),
    Kind("foreign_source_in_structured_mode", lambda wire: wire.structured(source="/hr"), "foreign_source", "ce_source"),
    Kind("unknown_dimension", lambda wire: wire.with_member("dimensions", {"colour": "red"}), "bad_value", "data.dimensions.<unknown>"),
    Kind("dimension_of_no_text", lambda wire: wire.with_member("dimensions", {"team": 7}), "bad_value", "data.dimensions.team"),
    Kind("dimension_with_a_bad_word", lambda wire: wire.with_member("dimensions", {"team": "-"}), "bad_value", "data.dimensions.team"),
    Kind("dimensions_as_a_list", lambda wire: wire.with_member("dimensions", ["north"]), "bad_value", "data.dimensions"),
    Kind("a_dimension_twice", _dimension_twice, "duplicate_key", "data.region"),
    Kind("occurrence_2_to_the_31", lambda wire: wire.with_member("occurrence", 2**31), "bad_value", "data.occurrence"),
]

_DECISION_TOPICS_DIFFER = {"unknown_type"}  # an unknown type is no error there: it is counted and left alone

FACTS = [kind for kind in [*_MISSING, *_ATTRIBUTES, *_BODIES, *_OF_FACTS] if kind.name not in _DECISION_TOPICS_DIFFER]
"""How a fact can be bad."""
