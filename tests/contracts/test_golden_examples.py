"""Every event type has examples that are read for ever, in binary and in structured mode, by us and by others."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event, from_structured_event, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from common.contracts.envelope import Received, Record, Unreadable, decode, encode, structured
from common.contracts.topics import BY_NAME, dead_letter_topics, topic_of
from ops.contract_files import EXAMPLES, SCHEMAS, Example, event_types, examples, is_ours, schema_of
from ops.contract_gate import changes

ROOT = Path(__file__).parents[2]
APPENDED = datetime(2027, 1, 1, tzinfo=UTC)
ALL = list(examples())
ON_TOPICS = [example for example in ALL if example.topic in BY_NAME]
"""All but the dead letters, which no service reads."""
NEWEST = {example.type: example.name for example in ALL}  # they come in the order of their numbers


def named(example: Example) -> str:
    return example.name


def is_newest(example: Example) -> bool:
    return NEWEST[example.type] == example.name


def record(example: Example, *, value: bytes | None = None, headers: dict[str, bytes] | None = None) -> Record:
    """The example as it lies on its topic, or with another value and other headers under the same key."""
    value = json.dumps(example.data, ensure_ascii=False).encode() if value is None else value
    headers = {name: text.encode() for name, text in example.headers.items()} if headers is None else headers
    return Record(example.topic, 0, 1, example.key.encode(), value, tuple(headers.items()), APPENDED)


def read(given: Record) -> Received:
    found = decode(given)
    assert isinstance(found, Received), found
    assert found.event is not None
    return found


def said(received: Received) -> tuple[type, dict[str, object]]:
    """What the event says, without the envelope that it came in."""
    assert received.event is not None
    return type(received.event), received.event.model_dump()


def test_every_event_type_has_an_example_and_there_is_no_other() -> None:
    assert {example.type for example in ALL} == set(event_types())


def test_examples_are_numbered_without_a_gap() -> None:
    for type in event_types():
        numbers = [int(example.name.rpartition(".")[2]) for example in ALL if example.type == type]
        assert numbers == list(range(1, len(numbers) + 1)), type


@pytest.mark.parametrize("example", ON_TOPICS, ids=named)
def test_an_example_is_read_as_its_own_type_on_its_own_topic(example: Example) -> None:
    found = read(record(example))
    assert found.envelope.type == example.type
    assert topic_of(type(found.event)).name == example.topic  # type: ignore[arg-type]  # read() has seen that it is an event
    assert found.envelope.subject == example.key


@pytest.mark.parametrize("example", ALL, ids=named)
def test_an_example_keeps_the_published_schema(example: Example) -> None:
    committed = json.loads((ROOT / SCHEMAS / f"{example.type}.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(committed)
    jsonschema.validate(example.data, committed, format_checker=jsonschema.FormatChecker())


@pytest.mark.parametrize("example", ON_TOPICS, ids=named)
def test_an_event_written_again_says_the_same(example: Example) -> None:
    first = read(record(example))
    assert first.event is not None
    value, headers = encode(first.event, first.envelope, key=example.key)
    second = read(record(example, value=value, headers=dict(headers)))
    assert said(second) == said(first)
    # we took a claim's word for its time only; when it was recorded we say ourselves
    assert second.envelope._replace(recorded_at=first.envelope.recorded_at) == first.envelope
    if not is_ours(type(first.event)):
        return
    assert dict(headers) == {name: text.encode() for name, text in example.headers.items()}
    if is_newest(example):
        assert json.loads(value) == example.data, "a new field belongs into a new example"
        assert second.digest == first.digest
    else:  # what was written before a field was added still says all that it said
        assert json.loads(value).items() >= example.data.items()


@pytest.mark.parametrize("example", [one for one in ON_TOPICS if BY_NAME[one.topic].kind == "decisions"], ids=named)
@pytest.mark.parametrize("source", ["/crm", "/aftersales/operator", "/aftersales", "/aftersales/intake/x"])
def test_a_decision_is_believed_from_its_producer_alone(example: Example, source: str) -> None:
    headers = {**example.headers, "ce_source": source}
    found = decode(record(example, headers={name: text.encode() for name, text in headers.items()}))
    assert isinstance(found, Unreadable)
    assert (found.problem.rule, found.problem.field) == ("foreign_source", "ce_source")


@pytest.mark.parametrize("example", ON_TOPICS, ids=named)
def test_both_modes_tell_the_same_event_under_the_same_digest(example: Example) -> None:
    binary = read(record(example))
    assert binary.event is not None
    written = structured(binary.event, binary.envelope)
    found = read(record(example, value=written, headers={"content-type": b"application/cloudevents+json; charset=utf-8"}))
    bare = read(record(example, value=written, headers={}))
    assert said(found) == said(bare) == said(binary)
    assert found.digest == bare.digest
    if is_ours(type(binary.event)) and is_newest(example):  # what leaves a default out is written with it, which is other data
        assert found.digest == bare.digest == binary.digest


@pytest.mark.parametrize("example", ON_TOPICS, ids=named)
def test_the_cloudevents_sdk_reads_what_we_write(example: Example) -> None:
    ours = read(record(example))
    assert ours.event is not None
    value, headers = encode(ours.event, ours.envelope, key=example.key)
    theirs = from_binary_event(KafkaMessage(dict(headers), example.key.encode(), value))
    assert (theirs.get_id(), theirs.get_source(), theirs.get_type()) == (ours.envelope.id, ours.envelope.source, example.type)
    assert theirs.get_subject() == example.key
    assert theirs.get_time() == ours.envelope.time
    assert theirs.get_extension("partitionkey") == example.key
    assert theirs.get_data() == ours.event.model_dump(mode="json")
    message = KafkaMessage({"content-type": b"application/cloudevents+json"}, None, structured(ours.event, ours.envelope))
    assert from_structured_event(message).get_data() == theirs.get_data()


@pytest.mark.parametrize("mode", [to_binary_event, to_structured_event], ids=["binary", "structured"])
@pytest.mark.parametrize("example", ON_TOPICS, ids=named)
def test_we_read_what_the_cloudevents_sdk_writes(example: Example, mode: type) -> None:
    here = read(record(example))
    attributes = {"id": here.envelope.id, "source": here.envelope.source, "type": example.type, "specversion": "1.0"}
    attributes |= {"subject": example.key, "partitionkey": example.key, "datacontenttype": "application/json"}
    event = CloudEvent({**attributes, "time": here.envelope.time}, example.data)
    message = mode(event)
    found = read(record(example, value=message.value, headers=message.headers))
    assert message.key == example.key
    assert said(found) == said(here)
    assert found.digest == here.digest
    assert found.envelope.time == here.envelope.time


def test_a_changed_value_changes_the_digest() -> None:
    example = next(example for example in ON_TOPICS if example.type == "complaint.verified")
    other = replace(example, data={**example.data, "justified": False})
    assert read(record(other)).digest != read(record(example)).digest


def test_order_and_spaces_of_the_json_do_not_change_the_digest() -> None:
    example = next(example for example in ON_TOPICS if example.type == "grade.published")
    backwards = json.dumps(dict(reversed(example.data.items())), indent=8).encode()
    assert read(record(example, value=backwards)).digest == read(record(example)).digest


def test_the_dead_letter_example_lies_on_a_dead_letter_topic() -> None:
    [letter] = [example for example in ALL if example.topic not in BY_NAME]
    assert letter.topic in dict(dead_letter_topics())
    event = event_types()[letter.type].model_validate_json(json.dumps(letter.data))
    assert event.model_dump(mode="json") == letter.data


def changed_or_gone(repository: Path, since: str, folder: Path) -> list[str]:
    """The files in `folder` that `since` has and the working tree has not, or has with other content."""
    command = ["git", "diff", "--no-renames", "--diff-filter=MDT", "--name-only", since, "--", str(folder)]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout.split()


def last_release(repository: Path) -> str | None:
    """The last tag of a release, or None where there has been none, or no history."""
    command = ["git", "describe", "--tags", "--abbrev=0", "--match", "v*"]
    run = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    return run.stdout.strip() or None


def released(changelog: str) -> list[str]:
    """The versions that a changelog calls released, the newest first."""
    return re.findall(r"^## (?:Version )?v?([0-9]+\.[0-9]+\S*)", changelog, re.MULTILINE)


def test_the_last_release_of_the_changelog_is_the_one_that_contracts_are_held_against() -> None:
    versions = released((ROOT / "CHANGELOG.md").read_text("utf-8"))
    tag = last_release(ROOT)
    assert tag == (f"v{versions[0]}" if versions else None), "without its tag (git fetch --tags) nothing is held against a release"


def test_a_changelog_names_its_releases_in_headings() -> None:
    assert released("# Changelog\n\n## Unreleased\n\n## 1.2.0 (2027-01-01)\n\nAs in ## 9.9\n\n## v1.0.0\n") == ["1.2.0", "1.0.0"]


def test_a_release_of_what_stands_here_now_would_guard_each_contract_and_each_example(tmp_path: Path) -> None:
    for folder in (SCHEMAS, EXAMPLES):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    release(tmp_path, "v1")
    assert (last_release(tmp_path), breaks_since(tmp_path, "v1"), changed_or_gone(tmp_path, "v1", EXAMPLES)) == ("v1", [], [])
    for file in (tmp_path / SCHEMAS).glob("*.json"):
        schema = json.loads(file.read_text("utf-8"))
        file.write_text(json.dumps({**schema, "properties": {**schema["properties"], "of_the_release": {"type": "string"}}}))
    release(tmp_path, "v2")
    assert {broken.partition(":")[0] for broken in breaks_since(tmp_path, "v2")} == set(event_types())
    for file in (tmp_path / EXAMPLES).glob("*.json"):
        file.write_text(f"{file.read_text('utf-8')} ")
    assert len(changed_or_gone(tmp_path, "v2", EXAMPLES)) == len(ALL)


def release(repository: Path, tag: str) -> None:
    """Commits everything and tags it."""
    in_git(repository, "init")
    in_git(repository, "add", "-A")
    in_git(repository, "commit", "-m", tag)
    in_git(repository, "tag", tag)


def test_no_example_of_the_last_release_was_changed_or_taken_away() -> None:
    tag = last_release(ROOT)
    assert tag is None or changed_or_gone(ROOT, tag, EXAMPLES) == []


def breaks_since(repository: Path, since: str) -> list[str]:
    """What the code breaks of the schemas that `since` has, whatever was written into the checkout after it."""
    listed = subprocess.run(
        ["git", "ls-tree", "--name-only", since, f"{SCHEMAS}/"], cwd=repository, capture_output=True, text=True, check=True
    )
    broken = []
    for path in listed.stdout.split():
        type = Path(path).stem
        old = subprocess.run(["git", "show", f"{since}:{path}"], cwd=repository, capture_output=True, text=True, check=True)
        if type not in event_types():
            broken.append(f"{type}: gone")
            continue
        model = event_types()[type]
        found = changes(json.loads(old.stdout), schema_of(model), ours=is_ours(model))
        broken += [f"{type}: {change}" for change in found if change.breaking]
    return broken


def test_no_contract_of_the_last_release_is_broken() -> None:
    tag = last_release(ROOT)
    assert tag is None or breaks_since(ROOT, tag) == []


def test_a_break_is_seen_against_the_release_even_after_the_schema_was_written_anew(tmp_path: Path) -> None:
    schema = schema_of(event_types()["complaint.verified"])
    folder = tmp_path / SCHEMAS
    folder.mkdir(parents=True)
    (folder / "complaint.verified.json").write_text(json.dumps({**schema, "properties": {**schema["properties"], "grounds": {}}}))
    (folder / "complaint.lost.json").write_text(json.dumps(schema))
    release(tmp_path, "v1")
    (folder / "complaint.verified.json").write_text(json.dumps(schema))
    (folder / "complaint.lost.json").unlink()
    assert breaks_since(tmp_path, "v1") == ["complaint.lost: gone", "complaint.verified: BREAKS data.grounds: field_removed (grounds → )"]


def in_git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def test_a_changed_and_a_deleted_example_are_both_seen(tmp_path: Path) -> None:
    in_git(tmp_path, "init")
    assert last_release(tmp_path) is None
    for name in ("kept", "changed", "deleted"):
        (tmp_path / f"{name}.1.json").write_text("{}")
    release(tmp_path, "v1")
    (tmp_path / "changed.1.json").write_text('{"a": 1}')
    (tmp_path / "deleted.1.json").unlink()
    (tmp_path / "added.1.json").write_text("{}")
    assert last_release(tmp_path) == "v1"
    assert changed_or_gone(tmp_path, "v1", Path()) == ["changed.1.json", "deleted.1.json"]


def test_the_schema_of_every_type_is_named_by_the_header_of_its_events() -> None:
    for example in ALL:
        if is_ours(event_types()[example.type]):
            assert example.headers["ce_dataschema"] == schema_of(event_types()[example.type])["$id"]
