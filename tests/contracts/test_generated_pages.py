"""The pages and the AsyncAPI document hold together: nothing points nowhere, and nothing that travels is left out."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from common.contracts.topics import ENTERPRISE, TOPICS, dead_letter_topics
from ops.contract_files import event_types, examples
from ops.documents import asyncapi, event_pages, interface_pages, metrics_page, service_tables

ROOT = Path(__file__).parents[2]
DOCUMENT = asyncapi.document("1")

PROMISED = {
    "aftersales_sla_outcomes_total": ("service", "stage", "outcome"),
    "aftersales_sla_compliance_ratio": ("service", "stage", "window"),
    "aftersales_sla_clocks_open": ("service", "stage"),
    "aftersales_sla_objective_ratio": ("service", "stage"),
    "aftersales_sla_month_closed": ("service", "stage", "outcome"),
    "aftersales_sla_budget_remaining": ("service", "stage"),
    "aftersales_sla_elapsed_ratio": ("service", "stage"),
    "aftersales_events_consumed_total": ("service", "topic", "result"),
    "aftersales_dead_letters_open": ("service", "topic", "error_class"),
    "aftersales_outbox_oldest_unpublished_seconds": ("service",),
    "aftersales_timer_oldest_due_seconds": ("service",),
    "aftersales_consumer_lag_records": ("service", "topic", "partition"),
    "aftersales_event_end_to_end_seconds": ("service", "topic"),
    "aftersales_grades_total": ("scheme", "grade"),
    "aftersales_build_info": ("service", "version"),
}
"""What operations build on: names and labels that must not change."""


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for name, value in node.items() if name == "$ref")
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def referred_to(reference: str) -> Any:
    """What stands where a reference of the document leads, in it or in a file beside it."""
    file, _, place = reference.partition("#/")
    node: Any = json.loads((ROOT / "docs" / file).read_text("utf-8")) if file else DOCUMENT
    for step in place.split("/") if place else ():
        node = node[step]
    return node


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert {reference.partition("#/")[0] for reference in found} > {""}
    for reference in found:
        assert referred_to(reference)


def test_the_asyncapi_document_has_every_topic_every_event_and_every_service() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert set(DOCUMENT["channels"]) == {*(topic.name for topic in TOPICS), *dict(dead_letter_topics())}
    assert set(DOCUMENT["components"]["messages"]) == set(event_types())
    for topic in TOPICS:
        assert set(DOCUMENT["channels"][topic.name]["messages"]) == {event.TYPE for event in topic.events}
    operations = DOCUMENT["operations"]
    sent = {f"{service}.sends.{topic.name}" for topic in TOPICS for service in topic.producers if service != ENTERPRISE}
    read = {f"{service}.receives.{topic.name}" for topic in TOPICS for service in topic.consumers if service != ENTERPRISE}
    assert sent | read <= set(operations)
    assert operations["appraisal.receives.kpi-facts"]["bindings"]["kafka"]["groupId"]["const"] == "appraisal-facts"


@pytest.mark.parametrize("type", sorted(event_types()))
def test_the_examples_of_a_message_keep_its_headers_and_its_payload(type: str) -> None:
    message = DOCUMENT["components"]["messages"][type]
    [trait] = message["traits"]
    headers, payload = referred_to(trait["$ref"])["headers"], referred_to(message["payload"]["$ref"])
    shown = {example["name"]: example["payload"] for example in message["examples"]}
    assert shown
    assert shown == {example.name: example.data for example in examples() if example.type == type}
    for example in (example for example in examples() if example.type == type):
        jsonschema.validate(example.data, payload)
        jsonschema.validate(example.headers, {**headers, "additionalProperties": False})
        assert ("ce_sequence" in example.headers) == ("ce_sequence" in headers["properties"])


def test_compacted_and_endless_topics_are_told_as_such() -> None:
    def configuration(topic: str) -> Any:
        return DOCUMENT["channels"][topic]["bindings"]["kafka"]["topicConfiguration"]

    assert configuration("grade-results") == {"cleanup.policy": ["compact"], "retention.ms": -1}
    assert configuration("kpi-facts") == {"cleanup.policy": ["delete"], "retention.ms": -1}
    assert configuration("sla-clocks")["retention.ms"] == 30 * 86_400_000


def test_every_topic_has_a_page_with_all_its_events_and_their_fields() -> None:
    pages = event_pages.pages()
    for topic in TOPICS:
        page = pages[f"{topic.name}.md"]
        for event in topic.events:
            section = page.split(f"## {event.TYPE}\n")[1].split("\n## ")[0]
            assert all(f"| `{name}` |" in section for name in event.model_fields)
            assert "Example, key" in section


def test_links_between_pages_lead_somewhere() -> None:
    for folder, pages in (("docs/events", event_pages.pages()), ("docs/interfaces", interface_pages.pages())):
        for name, text in pages.items():
            for target in re.findall(r"\]\(([^)#]+)\)", text):
                assert target in pages or (ROOT / folder / target).exists(), f"{name} → {target}"


def test_what_operations_build_on_is_there_under_its_name_with_its_labels() -> None:
    found = {metric.name: metric.labels for metric in metrics_page.metrics()}
    assert {name: found.get(name) for name in PROMISED} == PROMISED


def test_no_metric_has_a_label_that_names_a_person_a_region_or_a_priority() -> None:
    private = {"region", "priority", "employee", "person", "technician", "customer", "complaint", "subject", "case_id"}
    assert [metric.name for metric in metrics_page.metrics() if private & set(metric.labels)] == []


def test_a_metric_of_which_nobody_says_who_looks_at_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(metrics_page.READERS, "aftersales_build_info")
    with pytest.raises(LookupError, match="aftersales_build_info"):
        metrics_page.page()


def test_nobody_is_said_to_look_at_a_metric_that_is_gone() -> None:
    assert set(metrics_page.READERS) == {metric.name for metric in metrics_page.metrics()}


def test_the_document_in_the_checkout_says_of_each_topic_and_event_what_the_code_says() -> None:
    committed = json.loads((ROOT / "docs/asyncapi.json").read_text("utf-8"))
    assert committed["info"]["title"] == "aftersales"
    assert {**committed, "info": None} == {**DOCUMENT, "info": None}


def test_links_in_the_pages_that_people_write_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs/adr").glob("*.md"), *ROOT.glob("services/*/README.md")]
    dead = [
        f"{page.relative_to(ROOT)} → {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert dead == []


def test_every_decision_record_has_its_parts_in_order_and_stands_in_the_list() -> None:
    records = sorted((ROOT / "docs/adr").glob("0*.md"))
    listed = (ROOT / "docs/adr/README.md").read_text("utf-8")
    for number, record in enumerate(records, 1):
        text = record.read_text("utf-8")
        assert record.name.startswith(f"{number:04}-")
        places = [text.find(part) for part in ("**Decision.**", "**Context.**", "**Consequences.**", "**Look at it again**")]
        assert -1 not in places
        assert places == sorted(places)
        assert f"]({record.name})" in listed


def test_what_a_service_reads_is_kept_for_ever_and_each_topic_says_why_it_is_kept_so_long() -> None:
    read = [topic for topic in TOPICS if set(topic.consumers) - {ENTERPRISE}]
    assert [topic.name for topic in read if topic.retention is not None] == [], "a rebuilt service would lack it"
    expiring = {topic.name for topic in TOPICS if topic.retention is not None}
    assert expiring == {"sla-clocks", "ratings", "kpi-fact-answers"}
    for topic in TOPICS:
        assert topic.why_kept


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"working_seconds": 1800}, "30 min"),
        ({"working_days": 3, "meaning": "end_of_day"}, "the end of day 3"),
        ({"working_days": 0, "cut_off": "16:00", "by": "17:00"}, "17:00 of day 0, cut-off 16:00"),
        ({"working_days": 1, "cut_off": "16:00"}, "the end of day 1, cut-off 16:00"),
        ({"working_days": 2, "by": "12:00"}, "12:00 of day 2"),
    ],
)
def test_a_service_says_in_its_tables_by_when_and_with_which_cut_off_it_promises(target: dict[str, Any], words: str) -> None:
    assert service_tables.target_words(target) == words
