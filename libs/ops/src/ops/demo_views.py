"""What the demo shows: SLA compliance as scraped, the grades, HR's own view of them, and the invariants."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from common.contracts.topics import BY_NAME
from common.kafka.settings import KafkaSettings
from ops.processes import ServiceProcess


def scraped_sla(running: Mapping[str, ServiceProcess]) -> list[dict[str, Any]]:
    """Met, breached and open clocks by service and stage, read from each replica's own `/metrics` and from nowhere else.

    Each replica counts the outcomes that it published itself; how many clocks are open is shown by the leader.
    """
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for service in running.values():
        _, text = service.get("/metrics")
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name not in ("aftersales_sla_outcomes_total", "aftersales_sla_clocks_open"):
                    continue
                key = sample.labels["service"], sample.labels["stage"]
                row = rows.setdefault(key, {"service": key[0], "stage": key[1], "met": 0, "breached": 0, "open": 0})
                row[sample.labels.get("outcome", "open")] += int(sample.value)
    return list(rows.values())


def show_sla(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """The table of SLA compliance."""
    table = Table(title="4 · SLA compliance, as scraped from /metrics", title_justify="left")
    for column in ("service", "stage", "met", "breached", "open", "compliance"):
        table.add_column(column, justify="left" if column in ("service", "stage") else "right")
    for row in rows:
        closed = row["met"] + row["breached"]
        share = f"{100 * row['met'] / closed:.1f} %" if closed else "–"
        table.add_row(row["service"], row["stage"], str(row["met"]), str(row["breached"]), str(row["open"]), share)
    console.print(table)


def grade_row(grade: Mapping[str, Any]) -> dict[str, Any]:
    """One grade as the report has it."""
    return {
        "employee": grade["subject"].partition(":")[2],
        "scheme": grade["scheme"],
        "cycle": grade["cycle"],
        "score": grade["score"],
        "score_exact": grade["score_exact"],
        "grade": grade["grade"],
        "digest": grade["digest"],
    }


def show_grades(console: Console, grades: Sequence[Mapping[str, Any]]) -> None:
    """The table of grades, and how many of each."""
    table = Table(title="6 · Grades", title_justify="left")
    for column in ("employee", "score", "grade", "exactly", "digest"):
        table.add_column(column, justify="right" if column == "score" else "left")
    for grade in grades:
        row = grade_row(grade)
        table.add_row(row["employee"], row["score"] or "–", row["grade"], row["score_exact"] or "–", row["digest"][:19] + "…")
    console.print(table)
    counts = Counter(str(grade["grade"]) for grade in grades)
    console.print("   " + " · ".join(f"{grade} {number}" for grade, number in counts.most_common()))


def telling(grades: Sequence[Mapping[str, Any]]) -> str:
    """The person whose grade is explained: somebody in the middle of the field."""
    told = [grade for grade in grades if grade["score"] is not None]
    ordered = sorted(told, key=lambda grade: (float(grade["score"]), grade["subject"]))
    return str(ordered[len(ordered) // 3]["subject"]).partition(":")[2]


async def show_hr(console: Console, kafka: KafkaSettings) -> None:
    """Reads `grade-results` as any HR system would: a plain client, JSON, the highest version of each key."""
    topic = BY_NAME["grade-results"]
    places = [TopicPartition(kafka.topic(topic.name), number) for number in range(topic.partitions)]
    newest: dict[bytes, dict[str, Any]] = {}
    async with AIOKafkaConsumer(**kafka.client(), auto_offset_reset="earliest") as consumer:
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    grade = json.loads(record.value)
                    if grade["version"] > newest.get(record.key, {}).get("version", 0):
                        newest[record.key] = grade
    console.print(f"[bold]8 · HR's view[/]  a plain consumer of grade-results has {len(newest)} current grades, for example:")
    for key, grade in sorted(newest.items())[:2]:
        console.print(f"   {key.decode()} v{grade['version']}: {grade['grade']} — {grade['reason_zh']}", highlight=False)


def invariants(console: Console, counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Whether everything that came in is accounted for; the names of the services where it is not."""
    table = Table(title="Invariants: events in = applied + duplicates + dead letters · outbox empty · lag 0", title_justify="left")
    columns = ("events_in", "applied", "duplicates", "dead_letters", "published", "outbox_unpublished", "lag")
    table.add_column("service")
    for column in columns:
        table.add_column(column.replace("_", " "), justify="right")
    table.add_column("")
    broken = []
    for service, found in counts.items():
        balanced = found["events_in"] == found["applied"] + found["duplicates"] + found["dead_letters"]
        holds = balanced and not found["outbox_unpublished"] and not found["lag"]
        if not holds:
            broken.append(service)
        table.add_row(service, *(str(found[column]) for column in columns), "[green]holds[/]" if holds else "[red]broken[/]")
    console.print(table)
    return broken
