"""Each kind of break is planted in a contract and must be caught by name; what breaks nobody must pass."""

import json
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, create_model

from common.contracts.event import Event
from common.contracts.topics import SERVICES, produced_by
from common.sla.policy import load_policy
from ops.contract_files import EXAMPLES, SCHEMAS, event_types, is_ours, schema_of
from ops.contract_gate import changes
from ops.documents import service_tables
from ops.generate import run

ROOT = Path(__file__).parents[2]


class Part(BaseModel):
    name: str
    kind: Literal["new", "used"]


class Old(Event, type="planted.done"):
    id: Annotated[str, StringConstraints(pattern="^[a-z]+$", max_length=10)]
    count: int = Field(ge=0, le=10)
    share: float
    party: Literal["customer", "parts"]
    note: str = ""
    parts: list[Part] = Field(default=[])
    by: str | None


BREAKING: list[tuple[str, str, dict[str, Any]]] = [
    ("field_removed", "data.note", {"note": None}),
    ("field_renamed", "data.by", {"by": None, "done_by": (str | None, ...)}),
    ("type_narrowed", "data.by", {"by": (str, ...)}),
    ("type_narrowed", "data.share", {"share": (int, ...)}),
    ("type_narrowed", "data.count", {"count": (str, ...)}),
    ("type_narrowed", "data.note", {"note": (bool, False)}),
    ("new_required_field", "data.team", {"team": (str, ...)}),
    ("field_became_required", "data.note", {"note": (str, ...)}),
    ("enum_value_removed", "data.party", {"party": (Literal["customer"], ...)}),
    ("list_closed", "data.note", {"note": (Literal["", "yes"], "")}),
    ("pattern_tightened", "data.id", {"id": (Annotated[str, StringConstraints(pattern="^[a-f]+$", max_length=10)], ...)}),
    ("pattern_tightened", "data.note", {"note": (Annotated[str, StringConstraints(pattern="^x")], "")}),
    ("limit_tightened", "data.id", {"id": (Annotated[str, StringConstraints(pattern="^[a-z]+$", max_length=9)], ...)}),
    ("limit_tightened", "data.count", {"count": (int, Field(ge=1, le=10))}),
    ("limit_tightened", "data.parts", {"parts": (Annotated[list[Part], Field(max_length=3)], [])}),
    ("default_changed", "data.note", {"note": (str, "none")}),
]
HARMLESS: list[tuple[str, str, dict[str, Any]]] = [
    ("field_added", "data.team", {"team": (str | None, None)}),
    ("field_became_optional", "data.by", {"by": (str | None, None)}),
    ("enum_value_added", "data.party", {"party": (Literal["customer", "parts", "vendor"], ...)}),
    ("list_opened", "data.party", {"party": (str, ...)}),
    ("limit_loosened", "data.count", {"count": (int, Field(ge=0, le=100))}),
    ("pattern_dropped", "data.id", {"id": (Annotated[str, StringConstraints(max_length=10)], ...)}),
]
WIDENED: list[tuple[str, str, dict[str, Any]]] = [
    ("type_widened", "data.note", {"note": (str | None, "")}),
    ("type_widened", "data.count", {"count": (float, Field(ge=0, le=10))}),
]


def altered(fields: dict[str, Any]) -> dict[str, Any]:
    """The schema of `Old` with some fields put in the place of its own, and those that are None taken out."""
    kept: dict[str, Any] = {name: (field.annotation, field) for name, field in Old.model_fields.items() if name not in fields}
    given = {name: field for name, field in fields.items() if field is not None}
    made = create_model("New", __base__=Event, **{**kept, **given})
    made.TYPE = Old.TYPE
    return schema_of(made)


@pytest.mark.parametrize("ours", [True, False], ids=["decision", "claim"])
def test_the_same_contract_has_no_changes(ours: bool) -> None:
    assert changes(schema_of(Old), altered({}), ours=ours) == []


@pytest.mark.parametrize(("rule", "field", "fields"), BREAKING)
def test_a_planted_break_is_caught_by_name_for_decisions_and_for_claims(rule: str, field: str, fields: dict[str, Any]) -> None:
    for ours in (True, False):
        found = changes(schema_of(Old), altered(fields), ours=ours)
        assert (rule, field) in {(change.rule, change.field) for change in found if change.breaking}, found


@pytest.mark.parametrize(("rule", "field", "fields"), HARMLESS)
def test_what_breaks_nobody_passes(rule: str, field: str, fields: dict[str, Any]) -> None:
    for ours in (True, False):
        found = changes(schema_of(Old), altered(fields), ours=ours)
        assert {(change.rule, change.field) for change in found} == {(rule, field)}
        assert not any(change.breaking for change in found), found


@pytest.mark.parametrize(("rule", "field", "fields"), WIDENED)
def test_a_wider_type_breaks_the_readers_of_a_decision_and_nobody_who_makes_a_claim(rule: str, field: str, fields: dict[str, Any]) -> None:
    for ours in (True, False):
        assert [(c.rule, c.field, c.breaking) for c in changes(schema_of(Old), altered(fields), ours=ours)] == [(rule, field, ours)]


def test_a_break_inside_a_list_of_objects_is_caught_with_its_place() -> None:
    class NewPart(BaseModel):
        kind: Literal["new"]
        number: int

    found = changes(schema_of(Old), altered({"parts": (list[NewPart], [])}), ours=True)
    assert {(change.rule, change.field) for change in found} == {
        ("field_removed", "data.parts[].name"),
        ("new_required_field", "data.parts[].number"),
        ("enum_value_removed", "data.parts[].kind"),
    }


def test_a_claim_that_refuses_unknown_fields_from_now_on_is_a_break() -> None:
    class Strict(Old, type="planted.done"):
        model_config = ConfigDict(extra="forbid")

    assert [(c.rule, c.breaking) for c in changes(schema_of(Old), schema_of(Strict), ours=False)] == [("other_fields_refused", True)]
    assert [(c.rule, c.breaking) for c in changes(schema_of(Strict), schema_of(Old), ours=False)] == [("other_fields_admitted", False)]


@pytest.mark.parametrize("type", sorted(event_types()))
def test_the_code_says_what_the_committed_schema_says(type: str) -> None:
    committed, made = json.loads((ROOT / SCHEMAS / f"{type}.json").read_text("utf-8")), schema_of(event_types()[type])
    assert changes(committed, made, ours=is_ours(event_types()[type])) == []
    assert made == committed, "aftersales generate writes it anew"


def test_each_type_has_a_committed_schema_and_none_is_left_of_a_type_that_is_gone() -> None:
    assert {file.stem for file in (ROOT / SCHEMAS).glob("*.json")} == set(event_types())


def test_everything_that_is_made_from_the_code_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--check", "--root", str(ROOT)]) == 0, capsys.readouterr().err


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what `aftersales generate` reads and writes."""
    for folder in (SCHEMAS, EXAMPLES, Path("docs")):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for readme in map(service_tables.readme, SERVICES):
        (tmp_path / readme).parent.mkdir(parents=True)
        shutil.copy(ROOT / readme, tmp_path / readme)
    assert run(["--root", str(tmp_path), "--break"]) == 0
    return tmp_path


def edit(checkout: Path, type: str, change: Callable[[dict[str, Any]], None]) -> None:
    file = checkout / SCHEMAS / f"{type}.json"
    schema = json.loads(file.read_text("utf-8"))
    change(schema)
    file.write_text(json.dumps(schema), "utf-8")


def test_generate_writes_no_schema_that_breaks_and_names_the_field(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(checkout, "complaint.verified", lambda schema: schema["properties"].update(grounds={"type": "string"}))
    before = (checkout / SCHEMAS / "complaint.verified.json").read_text("utf-8")
    assert run(["--root", str(checkout)]) == 1
    told = capsys.readouterr().err
    assert "complaint.verified: BREAKS data.grounds: field_removed" in told
    assert ".v2" in told
    assert (checkout / SCHEMAS / "complaint.verified.json").read_text("utf-8") == before
    assert run(["--root", str(checkout), "--break"]) == 0
    assert run(["--root", str(checkout), "--check"]) == 0


def test_generate_takes_a_compatible_change(checkout: Path) -> None:
    def forget_a_field(schema: dict[str, Any]) -> None:
        del schema["properties"]["remarks"]  # so that the code is the one that adds it

    edit(checkout, "service_request.received", forget_a_field)
    assert run(["--root", str(checkout), "--check"]) == 1
    assert run(["--root", str(checkout)]) == 0
    assert run(["--root", str(checkout), "--check"]) == 0


def test_an_event_type_that_is_gone_is_a_break(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(checkout / SCHEMAS / "complaint.verified.json", checkout / SCHEMAS / "complaint.forgotten.json")
    assert run(["--root", str(checkout)]) == 1
    assert "complaint.forgotten: BREAKS data: type_removed" in capsys.readouterr().err


def test_a_page_that_was_edited_by_hand_or_has_lost_its_topic_is_stale(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "docs/metrics.md").write_text("my own words", "utf-8")
    (checkout / "docs/events/gone.md").write_text("a topic of old", "utf-8")
    assert run(["--root", str(checkout), "--check"]) == 1
    told = capsys.readouterr().err
    assert "docs/metrics.md" in told
    assert "docs/events/gone.md" in told
    assert run(["--root", str(checkout)]) == 0
    assert not (checkout / "docs/events/gone.md").exists()


def test_claims_are_read_by_us_and_decisions_by_others() -> None:
    models = event_types()
    assert not is_ours(models["complaint.lodged"])
    assert is_ours(models["complaint.verified"])
    assert is_ours(models["dead_letter.recorded"])


def test_the_tables_of_a_readme_are_kept_up_to_date_and_what_people_wrote_around_them_stays(checkout: Path) -> None:
    file = checkout / service_tables.readme("complaints")
    text = file.read_text("utf-8")
    file.write_text(text.replace("| `complaint.acknowledged` |", "| `complaint.heard` |").replace("**Purpose.**", "**What for.**"), "utf-8")
    assert run(["--root", str(checkout), "--check"]) == 1
    assert run(["--root", str(checkout)]) == 0
    assert file.read_text("utf-8") == text.replace("**Purpose.**", "**What for.**")


def test_a_readme_without_a_place_for_its_tables_is_named() -> None:
    with pytest.raises(ValueError, match=r"services/complaints/README.md has no place for its tables"):
        service_tables.with_tables("# complaints\n", "complaints")


@pytest.mark.parametrize("service", SERVICES)
def test_a_readme_names_every_event_that_its_service_handles_or_decides_and_every_clock(service: str) -> None:
    tables = service_tables.tables(service)
    read = list(import_module(f"{service}.handlers").HANDLERS)
    decided = [event for topic in produced_by(service) if topic.producers == (service,) for event in topic.events]
    assert all(f"| `{event.TYPE}` |" in tables for event in [*read, *decided])
    assert all(f"| `{stage}` |" in tables for stage in load_policy(service).stages)
