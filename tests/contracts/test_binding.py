"""How a CloudEvent lies in a record: both modes as the binding has them, and for each mistake what is really wrong."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from common.contracts.envelope import MAX_BYTES, Received, Record, Unreadable, decode

HEAD = {"specversion": "1.0", "id": "crm-1", "source": "/crm", "type": "complaint.complainant_told", "time": "2026-08-03T10:15:00+08:00"}
DATA = {"complaint_id": "C1", "by": "E1003"}
WHOLE: dict[str, Any] = {**HEAD, "data": DATA}
AVRO = b"\x06foo\x02\xff"


def record(value: object, headers: dict[str, str] | None = None, topic: str = "complaint-claims") -> Record:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    told = tuple((name, text.encode()) for name, text in (headers or {}).items())
    return Record(topic, 0, 1, b"C1", raw, told, datetime(2026, 8, 4, tzinfo=UTC))


def binary(**changes: str | None) -> dict[str, str]:
    named = {**{f"ce_{name}": text for name, text in HEAD.items()}, "content-type": "application/json"} | changes
    return {name: text for name, text in named.items() if text is not None}


def refused(found: Record) -> tuple[str, str, str]:
    unreadable = decode(found)
    assert isinstance(unreadable, Unreadable)
    return unreadable.problem.rule, unreadable.problem.field, unreadable.problem.reason


@pytest.mark.parametrize(
    "found",
    [
        record(DATA, binary()),
        record(b"\xef\xbb\xbf" + json.dumps(DATA).encode(), binary()),
        record(DATA, binary(**{"content-type": None})),
        record(DATA, binary(**{"content-type": "application/vnd.crm+json; charset=utf-8"})),
        record(DATA, {name.upper(): text for name, text in binary().items()}),
        record(WHOLE),
        record(WHOLE, {"content-type": "application/cloudevents+json"}),
        record(WHOLE, {"content-type": "Application/CloudEvents+JSON; charset=UTF-8"}),
        record(WHOLE, {"content-type": "application/cloudevents"}),
        record(WHOLE, {**binary(), "content-type": "application/cloudevents"}),
        record(b"\xef\xbb\xbf" + json.dumps(WHOLE).encode(), {"content-type": "application/cloudevents+json"}),
        record({**HEAD, "data_base64": base64.b64encode(json.dumps(DATA).encode()).decode()}),
        record({**HEAD, "data": None, "data_base64": base64.b64encode(json.dumps(DATA).encode()).decode()}),
        record({**WHOLE, "subject": None, "datacontenttype": "application/json", "comexampleextension": {"a": 1}}),
        record({**WHOLE, "data_base64": None}),
        record({**WHOLE, "datacontenttype": "text/plain"}),  # an object in JSON is JSON, whatever it is called
        record(DATA, {**binary(), "x-trace": "1", "ce-id": "crm-1"}),
    ],
)
def test_each_form_that_the_binding_allows_is_the_same_event(found: Record) -> None:
    read = decode(found)
    assert isinstance(read, Received), read
    plain = decode(record(DATA, binary()))
    assert isinstance(plain, Received)
    assert (read.envelope, read.event, read.digest) == (plain.envelope, plain.event, plain.digest)


@pytest.mark.parametrize(
    ("found", "rule", "field", "reason"),
    [
        (record(DATA, binary(ce_specversion=None)), "missing", "ce_specversion", "a required attribute"),
        (record(DATA, binary(ce_id=None) | {"ce-id": "crm-1"}), "missing", "ce_id", "the header is called ce_id, not ce-id"),
        (
            record(DATA, {name.replace("ce_", "ce-"): text for name, text in binary().items()}),
            "missing",
            "ce_specversion",
            "not ce-specversion",
        ),
        (record({**WHOLE, "specversion": 1.0}), "bad_attribute", "ce_specversion", 'expected text "1.0", not a number'),
        (record({**WHOLE, "specversion": 1}), "bad_attribute", "ce_specversion", 'expected text "1.0", not a number'),
        (record({**WHOLE, "specversion": "0.3"}), "bad_version", "ce_specversion", "expected 1.0"),
        (record({**WHOLE, "source": ["/crm"]}), "bad_attribute", "ce_source", "expected text, not a list"),
        (record({**WHOLE, "time": True}), "bad_attribute", "ce_time", "expected text, not true or false"),
        (record(AVRO, {"content-type": "application/cloudevents+avro"}), "unsupported_format", "content-type", "in avro"),
        (record(AVRO, {"content-type": "application/cloudevents+zhang-san"}), "unsupported_format", "content-type", "another format"),
        (record([WHOLE], {"content-type": "application/cloudevents-batch+json"}), "unsupported_format", "content-type", "a batch"),
        (record(AVRO, binary(**{"content-type": "application/avro"})), "unsupported_format", "content-type", "only JSON"),
        (record(AVRO, binary()), "bad_encoding", "data", "UTF-8"),
        (record({**WHOLE, "datacontenttype": "text/xml", "data": "<a/>"}), "unsupported_format", "ce_datacontenttype", "only JSON"),
        (record(b'{"by": 1, "by": 2}', binary(**{"content-type": "text/plain"})), "duplicate_key", "data.by", "twice"),
        (record({**HEAD, "data_base64": "***"}), "bad_encoding", "data_base64", "base64"),
        (record({**HEAD, "data_base64": 7}), "bad_encoding", "data_base64", "base64"),
        (record({**WHOLE, "data_base64": "e30="}), "duplicate_key", "data_base64", "not both"),
        (record(HEAD), "missing", "data", "no data"),
        (record(DATA), "not_an_event", "event", "ce_ headers, or a CloudEvents object"),
        (record({**WHOLE, "time": None}), "missing", "ce_time", "a required attribute"),
        (record(DATA, binary(ce_time="2026-08-03 10:15:00Z")), "bad_instant", "ce_time", "RFC 3339"),
    ],
)
def test_a_dead_letter_says_what_is_really_wrong(found: Record, rule: str, field: str, reason: str) -> None:
    told = refused(found)
    assert told[:2] == (rule, field)
    assert reason in told[2]


@pytest.mark.parametrize("name", ["id", "source", "correlationid"])
def test_an_attribute_may_have_256_characters_and_no_more(name: str) -> None:
    assert isinstance(decode(record(DATA, binary(**{f"ce_{name}": "x" * 256}))), Received)
    assert refused(record(DATA, binary(**{f"ce_{name}": "x" * 257})))[:2] == ("bad_attribute", f"ce_{name}")


def test_an_event_may_have_exactly_the_largest_size() -> None:
    value = json.dumps(DATA).encode()
    assert MAX_BYTES == 262_144
    largest = value + b" " * (MAX_BYTES - len(value))
    assert isinstance(decode(record(largest, binary())), Received)
    assert refused(record(largest + b" ", binary()))[:2] == ("too_large", "data")


@pytest.mark.parametrize(
    ("header", "rule", "field"),
    [
        (("ce_id", b"crm-2"), "duplicate_key", "ce_id"),
        (("ce_subject", None), "empty", "ce_subject"),
        (("ce_subject", b"\xff"), "bad_encoding", "ce_subject"),
        (("ce_zhangsan", None), "empty", "header"),
        (("ce_zhangsan", b"\xff"), "bad_encoding", "header"),
    ],
)
def test_a_header_without_one_value_in_utf_8_is_no_attribute(header: tuple[str, bytes | None], rule: str, field: str) -> None:
    plain = record(DATA, binary())
    assert refused(replace(plain, headers=(*plain.headers, header)))[:2] == (rule, field)
    again = decode(replace(plain, headers=(*plain.headers, ("ce_id", b"crm-1"), ("x-trace", None), ("traceparent", b"\xff"))))
    assert isinstance(again, Received), "what stands twice with one value, and headers of others, are no fault"


def test_a_number_in_one_json_object_is_read_as_its_text() -> None:
    data = {"complaint_id": "C1", "request_id": None, "acknowledged_at": "2026-08-03T02:15:00Z", "by": "E1"}
    head = {**HEAD, "type": "complaint.acknowledged", "source": "/aftersales/complaints"}
    read = decode(record({**head, "sequence": 7, "data": data}, topic="complaints"))
    assert isinstance(read, Received), read
    assert read.envelope.sequence == 7
    assert refused(record({**head, "sequence": True, "data": data}, topic="complaints"))[:2] == ("bad_attribute", "ce_sequence")


def test_all_faults_of_a_record_are_told_the_first_of_them_by_its_field() -> None:
    lodged = binary(ce_type="complaint.lodged", ce_time="yesterday", ce_id=None)
    rule, field, reason = refused(record({"complaint_id": "C1", "zhang_san": 1, "regoin": "north"}, lodged))
    assert (rule, field) == ("missing", "ce_id")
    assert "ce_time: bad_instant" in reason
    assert "data.region: missing" in reason
    assert "data.<unknown>: unknown_field: there is no such field; the nearest is region" in reason
    assert "zhang_san" not in reason
    assert "regoin" not in reason
    many = {f"field_{number}": number for number in range(10_000)}
    rule, field, reason = refused(record({"complaint_id": "C1", "by": "E1", **many}, binary()))
    assert (rule, field, reason.count("unknown_field")) == ("unknown_field", "data.<unknown>", 9)
    assert reason.endswith("and 9990 more")


@pytest.mark.parametrize(
    "value", ['{"zhang_san": 1, "by": "E1"}', '{"zhang_san": 1, "zhang_san": 2}', '{"complaint_id": {"zhang_san": 1}}']
)
def test_a_name_that_somebody_made_up_never_reaches_a_dead_letter(value: str) -> None:
    _, field, reason = refused(record(value.encode(), binary()))
    assert "zhang_san" not in field + reason
