"""The envelope of an event: the edges of what is taken, who is believed, and what is left of a record that cannot be read."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import TypeAdapter, ValidationError
from tests.harness import claim

from common.contracts.cause import Cause
from common.contracts.claims.complaints import ComplainantTold
from common.contracts.complaints import ComplaintAcknowledged
from common.contracts.decision import Decision, decisions
from common.contracts.envelope import (
    MAX_BYTES,
    Received,
    Record,
    Unreadable,
    decode,
    encode,
    headers_of,
    instant_text,
    known_path,
    structured,
    value_of,
)
from common.contracts.event import Envelope
from common.contracts.fields import ComplaintId, DecimalString, EmployeeId, ExactString, RequestId, Word, pattern_of
from common.contracts.service_requests import complaint_of
from common.contracts.topics import BY_NAME, consumed_by, dead_letter_topics, produced_by
from common.kernel.errors import EventTooLarge
from common.kernel.ids import derived_id

APPENDED = datetime(2026, 8, 3, 2, 15, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
ATTRIBUTES = {
    "ce_specversion": "1.0",
    "ce_id": "crm-1",
    "ce_source": "/crm",
    "ce_type": "complaint.complainant_told",
    "ce_time": "2026-08-03T10:15:00+08:00",
}
TOLD = b'{"complaint_id": "C1", "by": "E1"}'
ACKNOWLEDGED = {"ce_type": "complaint.acknowledged", "ce_source": "/aftersales/complaints"}


def record(
    value: bytes = TOLD,
    topic: str = "complaint-claims",
    key: bytes | None = b"C1",
    changes: Mapping[str, str | None] | None = None,
    **more: str,
) -> Record:
    named = {**ATTRIBUTES, **(changes or {}), **more}
    headers = tuple((name, text.encode()) for name, text in named.items() if text is not None)
    return Record(topic, 0, 1, key, value, headers, APPENDED)


def decision(**changes: str | None) -> Record:
    value = b'{"complaint_id": "C1", "request_id": null, "acknowledged_at": "2026-08-03T02:15:00Z", "by": "E1"}'
    return record(value, "complaints", changes={**ACKNOWLEDGED, **changes})


def read(found: Record) -> Received:
    received = decode(found)
    assert isinstance(received, Received), received
    return received


def refused(found: Record) -> tuple[str, str]:
    unreadable = decode(found)
    assert isinstance(unreadable, Unreadable), unreadable
    return unreadable.problem.rule, unreadable.problem.field


def test_an_event_may_be_five_minutes_ahead_of_the_broker_and_not_a_microsecond_more() -> None:
    ahead = APPENDED + timedelta(minutes=5)
    assert read(record(ce_time=instant_text(ahead))).envelope.time == ahead
    assert refused(record(ce_time=instant_text(ahead + MICROSECOND))) == ("time_ahead", "ce_time")


def test_time_begins_in_1970() -> None:
    first = datetime(1970, 1, 1, tzinfo=UTC)
    assert read(record(ce_time=instant_text(first))).envelope.time == first
    assert refused(record(ce_time=instant_text(first - MICROSECOND))) == ("time_too_early", "ce_time")
    assert refused(record(ce_time="0001-01-01T00:00:00+14:00")) == ("bad_instant", "ce_time")


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("7", 7), ("9" * 18, 10**18 - 1), ("", None), (None, None)])
def test_a_sequence_is_a_whole_number_of_18_digits(text: str | None, number: int | None) -> None:
    assert read(decision(ce_sequence=text)).envelope.sequence == number


@pytest.mark.parametrize("text", ["9" * 19, "-1", "1.0", "x", "\N{FULLWIDTH DIGIT ONE}"])
def test_anything_else_is_no_sequence(text: str) -> None:
    assert refused(decision(ce_sequence=text)) == ("bad_attribute", "ce_sequence")


def test_when_a_decision_was_recorded_is_its_own_word_and_of_a_claim_the_brokers() -> None:
    earlier = "2026-08-01T00:00:00Z"
    assert read(decision(ce_recordedtime=earlier)).envelope.recorded_at == datetime(2026, 8, 1, tzinfo=UTC)
    assert read(decision()).envelope.recorded_at == APPENDED
    assert read(record(ce_recordedtime=earlier)).envelope.recorded_at == APPENDED
    assert refused(decision(ce_recordedtime="yesterday")) == ("bad_instant", "ce_recordedtime")


def test_a_decision_is_believed_from_its_producer_alone_and_a_claim_from_anybody() -> None:
    assert refused(decision(ce_source="/crm")) == ("foreign_source", "ce_source")
    assert refused(decision(ce_source="/aftersales/intake")) == ("foreign_source", "ce_source")
    assert read(record(ce_source="/whoever")).envelope.source == "/whoever"


def test_a_type_that_nobody_knows_is_a_mistake_in_a_claim_and_news_in_a_decision() -> None:
    assert read(decision(ce_type="complaint.praised")).event is None
    assert refused(record(ce_type="complaint.praised")) == ("unknown_type", "ce_type")
    assert refused(decision(ce_type="complaint.complainant_told")) == ("wrong_topic", "ce_type")
    assert refused(record(topic="rating-claims")) == ("wrong_topic", "ce_type")


def test_of_a_decision_that_is_not_wanted_the_headers_are_read_alone() -> None:
    odd = replace(decision(ce_subject="C1"), value=b"{")
    found = decode(odd, wanted=())
    assert isinstance(found, Received)
    assert (found.event, found.envelope) == (None, read(decision(ce_subject="C1")).envelope)
    assert isinstance(decode(odd, wanted={ComplaintAcknowledged}), Unreadable)
    assert read(decision(ce_subject="C1")) == decode(decision(ce_subject="C1"), wanted={ComplaintAcknowledged})


@pytest.mark.parametrize(
    "found",
    [
        record(b"{"),
        decision(ce_subject="C2"),
        decision(ce_specversion="2.0"),
        decision(ce_recordedtime="yesterday"),
        decision(ce_sequence="x"),
        decision(ce_type=None),
        decision(ce_type="complaint.complainant_told"),
        replace(decision(ce_subject="C1"), key=b"C2"),
        replace(decision(ce_subject="C1"), key=None),
        replace(decision(ce_subject="C1"), value=b"{" * (MAX_BYTES + 1)),
        replace(decision(), headers=(("ce_type", b"\xff"),)),
        replace(decision(), headers=(), value=b'{"specversion": "1.0", "type": "complaint.acknowledged"}'),
    ],
)
def test_what_cannot_be_read_is_told_alike_whether_it_is_wanted_or_not(found: Record) -> None:
    whoever, nobody = decode(found), decode(found, wanted=())
    assert isinstance(whoever, Unreadable)
    assert isinstance(nobody, Unreadable)
    assert (str(nobody.problem), nobody.source, nobody.id, nobody.type) == (
        str(whoever.problem),
        whoever.source,
        whoever.id,
        whoever.type,
    )


def test_the_key_and_the_subject_are_the_ones_of_the_data() -> None:
    assert read(record(ce_subject="C1")).envelope.subject == "C1"
    assert read(record()).envelope.subject == ""
    assert refused(record(key=b"C2")) == ("key_mismatch", "key")
    assert refused(record(key=None)) == ("key_mismatch", "key")
    assert refused(record(ce_subject="C2")) == ("subject_mismatch", "ce_subject")


@pytest.mark.parametrize("name", ["id", "source", "type", "subject", "correlationid", "causationid", "replayof"])
def test_no_attribute_holds_what_cannot_be_printed(name: str) -> None:
    assert ("bad_attribute", f"ce_{name}") in {refused(record(changes={f"ce_{name}": "a\nb"}))}


@pytest.mark.parametrize(("unknown", "end"), [(9, "unknown_field: there is no such field"), (10, "and 1 more"), (11, "and 2 more")])
def test_ten_faults_are_told_and_the_others_counted(unknown: int, end: str) -> None:
    data = {"complaint_id": "C1", **{f"field_{number}": 1 for number in range(unknown)}}
    unreadable = decode(record(json.dumps(data).encode()))
    assert isinstance(unreadable, Unreadable)
    assert unreadable.problem.reason.endswith(end)
    assert unreadable.problem.reason.count(";") == min(unknown, 10)


def test_the_extensions_of_an_event_are_kept() -> None:
    found = read(record(ce_correlationid="R1", ce_causationid="crm-0", ce_replayof="history")).envelope
    assert (found.correlation_id, found.causation_id, found.replay_of) == ("R1", "crm-0", "history")


def test_what_can_be_made_out_of_an_unreadable_record_is_kept() -> None:
    headers = (("CE_ID", b"crm-\xff"), ("ce_source", None), ("ce_type", b"a"), ("ce_type", b"b"), ("ce-id", b"http"), ("id", b"plain"))
    unreadable = decode(Record("complaint-claims", 0, 1, None, None, headers, APPENDED))
    assert isinstance(unreadable, Unreadable)
    assert (unreadable.id, unreadable.source, unreadable.type) == ("crm-\N{REPLACEMENT CHARACTER}", "", "a")
    assert (unreadable.problem.rule, unreadable.problem.field) == ("empty", "data")


def test_events_of_one_content_have_one_digest_whatever_carries_them() -> None:
    other = record(b'{"by":"E1","complaint_id":"C1"}', ce_id="crm-2", ce_source="/other", ce_correlationid="R1")
    assert read(other).digest == read(record()).digest
    changed = (record(b'{"complaint_id": "C1", "by": "E2"}'), record(ce_time="2026-08-03T10:15:01+08:00"), record(ce_subject="C1"))
    assert len({read(one).digest for one in (record(), *changed)}) == 4


def test_what_is_encoded_is_read_back_in_either_mode() -> None:
    event = ComplaintAcknowledged(complaint_id="C1", request_id=None, acknowledged_at=APPENDED, by="E1")
    envelope = Envelope("1", "/aftersales/complaints", event.TYPE, "C1", APPENDED, APPENDED, "R1", "crm-1", 3, "history")
    value, headers = encode(event, envelope, key="C1")
    whole = read(Record("complaints", 0, 1, b"C1", value, tuple(headers), APPENDED))
    assert (whole.envelope, whole.event) == (envelope, event)
    assert [name for name, _ in headers_of(envelope._replace(sequence=None, replay_of=""), key="C1")] == [
        "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time", "ce_dataschema", "ce_partitionkey",
        "ce_recordedtime", "ce_correlationid", "ce_causationid", "content-type",
    ]  # fmt: skip
    assert dict(headers_of(envelope, key="C9"))["ce_partitionkey"] == "C9"
    in_one = read(Record("complaints", 0, 1, b"C1", structured(event, envelope), (), APPENDED))
    assert (in_one.event, in_one.digest) == (event, whole.digest)


def test_an_event_knows_its_envelope_only_once_it_has_travelled() -> None:
    event = ComplainantTold(complaint_id="C1", by="E1")
    with pytest.raises(LookupError, match=r"complaint\.complainant_told has not travelled"):
        _ = event.envelope
    travelled = read(claim(event, APPENDED)).event
    assert travelled is not None
    assert (travelled.time, travelled) == (APPENDED, event)


HISTORY = {"ce_recordedtime": "2026-08-03T02:15:07Z", "ce_correlationid": "R1", "ce_replayof": "log-2025"}


def test_what_follows_from_an_event_names_it_as_its_cause_and_what_it_belongs_to() -> None:
    cause = Cause.of(read(decision(**HISTORY)))
    recorded_at = APPENDED + timedelta(seconds=7)
    assert cause == Cause("/aftersales/complaints#crm-1", APPENDED, recorded_at, "crm-1", "R1", "log-2025")
    assert Cause.of(read(decision())).correlation_id == "crm-1", "the first of a case begins what belongs together"
    assert [cause.replayed(name).replay_of for name in ("log-2025", "log-2026", "")] == ["log-2025", "log-2026", ""]
    assert replace(cause.replayed(""), replay_of="log-2025") == cause


def test_a_decision_goes_out_with_its_own_time_its_number_and_its_cause() -> None:
    cause = Cause.of(read(decision(**HISTORY)))
    event = ComplaintAcknowledged(complaint_id="C1", request_id=None, acknowledged_at=APPENDED, by="E1")
    later = APPENDED + timedelta(hours=1)
    decided = Decision.of(event, later, "d1", cause, "complaints:C1")
    sent = Envelope("d1", "/aftersales/complaints", event.TYPE, "C1", later, cause.recorded_at, "R1", "crm-1", 3, "log-2025")
    assert decided.envelope("complaints", 3) == sent
    assert (decided.topic, decided.key, decided.aggregate) == (BY_NAME["complaints"], "C1", "complaints:C1")
    of_a_timer = Decision.of(event, later, "d1", Cause("timer:1", later, later), "complaints:C1").envelope("complaints", None)
    assert (of_a_timer.causation_id, of_a_timer.correlation_id, of_a_timer.sequence) == ("timer:1", "", None)


def test_each_of_several_decisions_of_one_cause_has_an_id_of_its_own_and_the_same_one_again() -> None:
    event = ComplaintAcknowledged(complaint_id="C1", request_id=None, acknowledged_at=APPENDED, by="E1")
    told = ComplainantTold(complaint_id="C1", by="E1")
    cause = Cause("crm#1", APPENDED, APPENDED)
    given = [(event, APPENDED), (told, APPENDED), (event, APPENDED), (event, APPENDED + MICROSECOND)]
    first, again = ([one.id for one in decisions(given, cause, "complaints", "complaints:C1")] for _ in range(2))
    assert first == again
    assert len(set(first)) == 4
    alone, *_ = decisions([(told, APPENDED)], cause, "complaints", "complaints:C1")
    assert alone.id == first[1], "an id counts the events of its type alone"
    assert first[0] == derived_id(APPENDED, "complaints", "crm#1", event.TYPE, 1), "so it was derived from the first release on"


def test_an_event_of_exactly_the_largest_size_is_sent_and_a_larger_one_never() -> None:
    cause = Cause("crm#1", APPENDED, APPENDED)
    event = ComplaintAcknowledged(complaint_id="C1", request_id=None, acknowledged_at=APPENDED, by="E1")
    filler = MAX_BYTES - len(value_of(event))
    largest, larger = (event.model_copy(update={"by": f"E1{'x' * (filler + more)}"}) for more in (0, 1))
    assert len(Decision.of(largest, APPENDED, "d1", cause, "complaints:C1").value) == MAX_BYTES
    with pytest.raises(EventTooLarge, match=rf"complaint\.acknowledged has {MAX_BYTES + 1} bytes"):
        Decision.of(larger, APPENDED, "d1", cause, "complaints:C1")


def test_a_record_has_the_milliseconds_at_which_kafka_appended_it() -> None:
    assert replace(record(), appended_at=datetime(1970, 1, 1, 0, 0, 2, 345_999, tzinfo=UTC)).timestamp == 2_345


def test_instants_are_written_in_utc() -> None:
    assert instant_text(APPENDED.astimezone(timezone(timedelta(hours=8)))) == instant_text(APPENDED) == "2026-08-03T02:15:00Z"


def test_a_path_tells_only_names_that_are_ours() -> None:
    assert known_path("data.members.3.zhang_san") == "data.members.3.<unknown>"
    assert known_path(".".join(["data"] * 100)) == ".".join(["data"] * 100)[:256]


@pytest.mark.parametrize(("kind", "longest"), [(EmployeeId, 96), (RequestId, 92), (Word, 64)])
def test_ids_and_words_have_a_longest_length(kind: type[str], longest: int) -> None:
    adapter = TypeAdapter(kind)
    assert adapter.validate_python("x" * longest)
    for text in ("x" * (longest + 1), ""):
        with pytest.raises(ValidationError):
            adapter.validate_python(text)
    assert pattern_of(kind).startswith("^")


def test_the_complaint_of_the_longest_request_has_an_id_of_its_own() -> None:
    assert complaint_of("R-1") == "R-1-c1"
    assert TypeAdapter(ComplaintId).validate_python(complaint_of("x" * 92)) == f"{'x' * 92}-c1"


@pytest.mark.parametrize(
    ("kind", "taken", "not_taken"),
    [
        (DecimalString, ["0", "-1", "9" * 18, "0." + "1" * 12, "10.0"], ["01", "9" * 19, "1.", "0." + "1" * 13, "1/2", "+1"]),
        (ExactString, ["0", "-1/3", "9" * 900, "0.125", "10/3"], ["01", "1/0", "1/01", "9" * 901, "1.5/2"]),
    ],
)
def test_exact_numbers_in_events_are_spelt_in_one_way(kind: type[str], taken: list[str], not_taken: list[str]) -> None:
    adapter = TypeAdapter(kind)
    assert [adapter.validate_python(text) for text in taken] == taken
    for text in not_taken:
        with pytest.raises(ValidationError):
            adapter.validate_python(text)


def test_each_topic_knows_who_reads_it_who_writes_it_and_where_its_dead_letters_go() -> None:
    assert BY_NAME["complaint-claims"] in consumed_by("complaints")
    assert BY_NAME["complaints"] not in consumed_by("complaints")
    assert BY_NAME["complaints"] in produced_by("complaints")
    assert BY_NAME["complaint-claims"] not in produced_by("complaints")
    assert BY_NAME["complaint-claims"].sources == ()
    assert BY_NAME["complaints"].sources == ("/aftersales/complaints",)
    letters = dict(dead_letter_topics())
    assert letters["complaint-claims-complaints-dlq"] is BY_NAME["complaint-claims"]
    assert not any("enterprise" in name for name in letters)
