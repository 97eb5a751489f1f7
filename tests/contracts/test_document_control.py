"""Who has approved a document, and what takes effect when (D11-20); what the contract takes."""

import json
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from tests.harness import activated

from common.contracts.documents import DocumentActivated, DocumentControl, ref_of
from common.contracts.triggers import TRIGGERS, Triggers
from common.kernel.faults import Fault, place
from common.store.documents import document_of, policy_preset, presets_of

AT = datetime.fromisoformat("2026-03-02T09:00:00+08:00")
APPROVED: dict[str, Any] = {"author": "E1", "approver": "E2", "approved_on": date(2026, 3, 1)}


@pytest.mark.parametrize(
    ("control", "standing"),
    [
        (APPROVED, "approved"),
        ({**APPROVED, "status": "draft"}, "draft"),
        ({**APPROVED, "approver": "E1"}, "issued"),
        ({**APPROVED, "approver": None}, "issued"),
        ({**APPROVED, "approved_on": None}, "issued"),
        ({**APPROVED, "author": None}, "issued"),  # nobody can tell that it was not him
        ({}, "issued"),
        ({"status": "draft"}, "draft"),
        ({"status": "shipped"}, "approved"),
    ],
)
def test_a_document_is_approved_by_somebody_else_than_its_author_on_a_day(control: dict[str, Any], standing: str) -> None:
    event = activated("words", "standard", 1, {}, AT, **control)
    assert document_of(event, AT, "e1").standing == standing
    assert DocumentControl(**control).is_approved is (standing == "approved")


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(0), timedelta(hours=-1)])
def test_no_document_takes_effect_before_it_was_published(ahead: timedelta) -> None:
    event = activated("words", "standard", 1, {"a": 1}, AT + ahead, applies_to_open=True, number="AS-7", approved_on=date(2026, 3, 1))
    kept = document_of(event, AT, "e1")
    assert kept.effective_at == AT + max(ahead, timedelta(0))
    assert (kept.ref, kept.applies_to_open, kept.event_id, kept.number) == ("words/standard@1", True, "e1", "AS-7")
    assert kept.control == {"number": "AS-7", "approved_on": "2026-03-01"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Standard"},
        {"kind": "-words"},
        {"version": 0},
        {"version": 10**9},
        {"document": "words/standard@0"},
        {"control": {"author": "Wang Wu"}},
        {"control": {"status": "withdrawn"}},
        {"control": {"number": "x" * 65}},
        {"more": 1},
        {"name": "x" * 49},
        {"control": {"colour": "red"}},
    ],
)
def test_what_is_no_document_is_refused_by_its_contract(wrong: dict[str, Any]) -> None:
    good = activated("words", "standard", 1, {}, AT).model_dump(mode="json")
    DocumentActivated.model_validate(good, strict=False)
    DocumentActivated.model_validate({**good, "name": "x" * 48, "version": 999_999_999, "control": {"number": "x" * 64}}, strict=False)
    with pytest.raises(ValidationError):
        DocumentActivated.model_validate({**good, **wrong}, strict=False)


def test_a_document_is_named_by_kind_name_and_version() -> None:
    assert ref_of("calendar", "cn", 2027) == "calendar/cn@2027"
    assert DocumentControl().is_approved is False
    least = {"document": "words/standard@1", "kind": "words", "name": "standard", "version": 1, "effective_at": "2026-03-02T09:00:00Z"}
    assert DocumentActivated.model_validate_json(json.dumps({**least, "body": {}})).applies_to_open is False


def test_what_ships_has_the_name_and_version_of_its_file() -> None:
    [preset] = presets_of(TRIGGERS)
    assert preset.ref == "complaint-triggers/standard@1"
    assert set(preset.body) == {"triggers"}
    assert policy_preset("dispatch").ref == "sla-policy/dispatch@1"


def test_the_triggers_that_ship_are_those_of_the_seed_and_one_that_is_unknown_is_refused_with_their_list() -> None:
    [preset] = presets_of(TRIGGERS)
    known = TRIGGERS.parse(preset.body)
    assert list(known.names) == ["injury", "safety", "fraud", "group_complaint", "media", "regulator"]
    assert known.refused([]) is None
    assert known.refused(["injury", "media"]) is None
    refused = known.refused(["injury", "flood"])
    assert refused is not None
    assert (refused.rule, refused.field, refused.was) == ("unknown_trigger", "triggers", ", ".join(known.names))
    many = Triggers({f"trigger_{number}": ("", "") for number in range(99)}).refused(["flood"])
    assert many is not None
    assert len(many.was) == 256


def test_each_fault_in_a_list_of_triggers_is_found() -> None:
    assert TRIGGERS.faults is not None
    body = {"triggers": {"a": {"zh": "甲", "en": ""}, "b": {"zh": "乙"}, "c": 5, "d": {"zh": "丁", "en": "d", "colour": "red"}}}
    assert [(place(fault.where), fault.rule) for fault in TRIGGERS.faults(body)] == [
        ("triggers.a.en", "bad_value"),
        ("triggers.b.en", "missing_field"),
        ("triggers.c", "bad_value"),
        ("triggers.d.colour", "unknown_field"),
    ]
    with pytest.raises(Fault, match=r"triggers\.a\.en"):
        TRIGGERS.parse(body)
