"""One word for each thing: modules, subscribers, topics and event types are named as the glossary and the topics table say."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest

from common import contracts
from common.contracts.dead_letters import DeadLetterRecorded
from common.contracts.event import Claim, ClaimRejected, Event
from common.contracts.topics import BY_NAME, ENTERPRISE, SERVICES, TOPICS, dead_letter_topics, defined, misplaced, topic_of
from common.runtime.document_handlers import DOCUMENT_HANDLERS
from ops.contract_files import event_types, examples
from ops.documents.event_pages import groups

ROOT = Path(__file__).parents[2]
EXAMPLES = list(examples())
FORBIDDEN = {"utils", "util", "helpers", "helper", "misc", "base", "core", "manager", "processor", "models", "model"}
SOURCES = [path for folder in ("libs", "services", "tests", "benchmarks", "tools") for path in sorted((ROOT / folder).rglob("*.py"))]
COMPLAINTS_AS_A_NOUN = {
    "ops/replay/command.py",
    "ops/replay/complaint_table.py",
    "ops/replay/mapping.py",
    "ops/replay/pass_over.py",
    "ops/simulation/quarter.py",
    "ops/simulation/staff.py",
}
"""Where `complaints` is the kind of a log, a figure or a team, and not the service."""
SHIPPED = [path for path in SOURCES if "src" in path.parts]


def subclasses(of: type[Event]) -> set[type[Event]]:
    return {found for direct in of.__subclasses__() for found in ({direct} | subclasses(direct))}


def test_no_module_has_a_name_that_says_nothing() -> None:
    named = [path.relative_to(ROOT) for path in SOURCES if {path.stem, path.parent.name} & FORBIDDEN]
    assert named == []


def test_no_class_carries_a_suffix_that_says_nothing() -> None:
    suffixed = re.compile(r"^class \w*(Manager|Processor|Helper|Utils?|Service|Base)\b", re.MULTILINE)
    named = [f"{path.relative_to(ROOT)}: {found[0]}" for path in SHIPPED for found in suffixed.finditer(path.read_text("utf-8"))]
    assert named == []


def literals(path: Path) -> Iterator[str]:
    """Every string of a module."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_the_command_line_knows_no_service_by_name() -> None:
    ops = ROOT / "libs/ops/src"
    found = {(path.relative_to(ops).as_posix(), text) for path in ops.rglob("*.py") for text in literals(path) if text in SERVICES}
    assert found == {(path, "complaints") for path in COMPLAINTS_AS_A_NOUN}


def subscribers(service: str) -> list[tuple[str, str, set[str]]]:
    """Group, static id and topics of every subscriber of a service, as it would start with the replica number 0."""
    settings = import_module(f"{service}.settings").Settings(
        database_url="postgresql://nowhere", kafka_bootstrap_servers="nowhere:9092", replica="0"
    )
    application = import_module(f"{service}.app").build(settings)
    found = []
    for subscriber in application.chassis.broker.subscribers:
        connection: dict[str, Any] = subscriber._connection_args
        found.append((subscriber.group_id, connection["group_instance_id"], {topic.name for topic in subscriber.topics}))
    return found


def test_no_static_id_occurs_twice_over_all_services() -> None:
    ids = [id for service in SERVICES for _, id, _ in subscribers(service)]
    assert sorted(set(ids)) == sorted(ids)
    assert len(ids) == 2 * len(SERVICES) + 1


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reads_each_of_its_topics_in_the_one_group_that_the_table_says(service: str) -> None:
    expected: dict[str, set[str]] = {}
    for topic in TOPICS:
        for consumer, group in zip([name for name in topic.consumers if name != ENTERPRISE], groups(topic), strict=True):
            if consumer == service:
                expected.setdefault(group, set()).add(topic.name)
    assert {group: topics for group, _, topics in subscribers(service)} == expected
    assert set(expected) <= {service, f"{service}-documents", "appraisal-facts"}


@pytest.mark.parametrize("service", SERVICES)
def test_every_claim_has_a_handler_and_every_handler_a_topic_that_its_service_reads(service: str) -> None:
    handled = set(import_module(f"{service}.handlers").HANDLERS)
    read = {event for topic in TOPICS if service in topic.consumers for event in topic.events}
    assert handled <= read
    claims = {event for event in read if issubclass(event, Claim)}
    rules = {event for topic in TOPICS if topic.kind == "rules" for event in topic.events}
    assert set(DOCUMENT_HANDLERS) == rules  # the chassis keeps the documents, the same in every service
    assert claims - handled - rules == set(), "a claim without a handler would end as a dead letter"


def snake(name: str) -> str:
    """`ComplainantTold` → `complainant_told`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topic_has_a_writer_a_reader_events_and_for_each_event_an_example(topic: Any) -> None:
    assert topic.producers
    assert topic.consumers
    assert topic.events
    assert {*topic.producers, *topic.consumers} <= {ENTERPRISE, *SERVICES}
    assert {event.TYPE for event in topic.events} <= {example.type for example in EXAMPLES if example.topic == topic.name}


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topic_is_named_in_the_plural_with_hyphens_and_its_key_is_in_every_event(topic: Any) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*s", topic.name) or topic.name == "grade-history"  # a history has no plural
    for event in topic.events:
        assert topic.key in event.model_fields, event.TYPE


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_claims_and_rules_come_from_the_enterprise_and_decisions_from_a_service(topic: Any) -> None:
    if topic.kind == "claims":
        assert topic.name.endswith("-claims")
        assert topic.producers == (ENTERPRISE,)
        assert all(issubclass(event, Claim) for event in topic.events)
    elif topic.kind == "rules":
        assert topic.producers == (ENTERPRISE, *SERVICES)  # a service says which documents it ships with
        assert topic.retention is None
        assert not topic.compacted, "a record that repeats a document may move the instant from which it is effective"
        assert topic.partitions == 1
        assert all(issubclass(event, Claim) for event in topic.events)
    else:
        assert ENTERPRISE not in topic.producers
        assert not any(issubclass(event, Claim) for event in topic.events)


@pytest.mark.parametrize("topic", [topic for topic in TOPICS if topic.aggregate], ids=lambda topic: topic.name)
def test_the_aggregates_that_count_the_events_of_a_topic_are_kept_by_its_only_producer(topic: Any) -> None:
    [producer] = topic.producers
    assert topic.aggregate in import_module(f"{producer}.repository").UnitOfWork.tables()


def test_the_answer_to_a_refused_claim_travels_on_a_topic_that_the_reader_of_the_claim_writes() -> None:
    for topic in TOPICS:
        if topic.rejected is not None:
            [reader] = topic.consumers
            answered = topic_of(topic.rejected)
            assert reader in answered.producers
            assert answered.key in topic.rejected.model_fields
            assert answered.key == topic.key or topic.name == "rating-claims"  # one appraisee has many ratings


def test_every_event_class_is_on_a_topic_whose_key_it_has() -> None:
    assert list(misplaced(defined())) == []
    for module in iter_modules(contracts.__path__, "common.contracts."):
        import_module(module.name)
    known = {event for event in subclasses(Event) if event.TYPE and event.__module__.startswith("common.contracts.")}
    unlisted = known - {*defined(), DeadLetterRecorded}
    assert unlisted == set(), "the module in which an event is defined stands in contracts/topics.py"


def test_an_event_in_the_wrong_place_is_told_in_a_sentence() -> None:
    class Homeless(Event, type="planted.homeless"):
        complaint_id: str

    class Lost(Event, type="planted.lost", topic="complaint"):
        complaint_id: str

    class Keyless(Event, type="planted.keyless", topic="complaints"):
        at: str

    class Twin(Event, type="planted.homeless", topic="complaints"):
        complaint_id: str

    told = list(misplaced([Homeless, Lost, Keyless, Twin]))
    assert told[0].startswith("Homeless (planted.homeless) names no topic: expected topic=… in its class, one of service-request-claims,")
    assert told[1].startswith("Lost (planted.lost) names the topic 'complaint', which is not in the topics table: ")
    assert told[2] == "Keyless (planted.keyless) travels on complaints, whose key is complaint_id, and has no such field"
    assert told[3:] == ["Twin and Homeless have one type, planted.homeless"]


def test_every_type_is_an_aggregate_and_what_became_of_it() -> None:
    for type, event in event_types().items():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*(\.v[2-9])?", type), type
        assert event.__doc__, type
        if issubclass(event, ClaimRejected):
            assert type.endswith(".claim_rejected")
    assert len({event.__name__ for event in event_types().values()}) == len(event_types())


def test_decisions_are_named_like_their_class() -> None:
    for type, event in event_types().items():
        aggregate, verb = type.split(".")[:2]
        if not issubclass(event, Claim):
            assert snake(event.__name__) in (f"{aggregate}_{verb}", verb), type


def test_dead_letter_topics_are_named_for_topic_and_service_and_nothing_else_is() -> None:
    names = [name for name, _ in dead_letter_topics()]
    assert len(names) == len(set(names))
    assert set(names) & set(BY_NAME) == set()
    assert "work-order-claims-dispatch-dlq" in names
    assert not any(name.endswith("-dlq") for name in BY_NAME)
