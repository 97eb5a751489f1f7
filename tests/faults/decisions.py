"""What stands on the decision topics, as a plain consumer reads it, and whether it stands in order."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from common.contracts.topics import BY_NAME, source_of
from ops.simulation.claims import Sent

_FROM_TWO_TOPICS = {"customer_satisfaction"}
HEAR_FROM_TWO_TOPICS = {source_of("intake"), source_of("complaints")}
"""Whose cases decide in the order in which two topics come: restored from a backup, they may say again in another one."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One event as a plain consumer of a decision topic reads it."""

    topic: str
    source: str
    id: str
    type: str
    key: str
    sequence: int | None
    cause: str
    value: bytes

    @property
    def identity(self) -> tuple[str, str, str]:
        """What two runs of one plan must agree on. Not the number: a case that hears from two topics numbers its decisions as they come."""
        return self.type, self.key, self.id

    @property
    def said(self) -> tuple[object, ...]:
        """What must be the same when it is said again; a case that hears from two topics numbers and finds it as they come this time."""
        by_arrival = () if self.source in HEAR_FROM_TWO_TOPICS else (self.sequence, self.cause)
        return self.topic, self.source, self.id, self.type, self.key, by_arrival, self.value


def lasting(said: Iterable[Decision]) -> frozenset[tuple[str, str, str]]:
    """What two runs of one plan must agree on: every decision, but for facts of which a later revision or nothing has taken the place.

    That is so for facts that a case draws from two topics only: what it said before it knew of the work depends on which came first.
    """
    newest: dict[tuple[str, ...], int] = {}
    revisions: list[tuple[Decision, tuple[str, ...], tuple[int, bool]]] = []
    for decision in said:
        fact = json.loads(decision.value) if decision.type == "kpi.recorded" else {}
        if fact.get("indicator") not in _FROM_TWO_TOPICS:
            fact = {"case_id": decision.id, "revision": 1, "denominator": "1"}  # counts by itself
        key = tuple(str(fact.get(name)) for name in ("case_id", "indicator", "subject", "occurrence"))
        revisions.append((decision, key, (fact["revision"], fact["denominator"] != "0")))
        newest[key] = max(newest.get(key, 0), fact["revision"])
    return frozenset(decision.identity for decision, key, said in revisions if said == (newest[key], True))


async def read_topic(kafka: str, topic: str) -> list[Decision]:
    """Every record that stands on a topic, partition after partition, as any consumer reads it."""
    found: dict[TopicPartition, list[Decision]] = {}
    async with AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False) as consumer:
        places = [TopicPartition(topic, partition) for partition in range(BY_NAME[topic].partitions)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        while [place for place in places if await consumer.position(place) < ends[place]]:
            for place, records in (await consumer.getmany(timeout_ms=500)).items():
                found.setdefault(place, []).extend(_decision(record) for record in records)
    return [decision for place in places for decision in found.get(place, ())]


def _decision(record: Any) -> Decision:
    headers = {name: value.decode() for name, value in record.headers}
    sequence = headers.get("ce_sequence")
    return Decision(
        record.topic,
        headers["ce_source"],
        headers["ce_id"],
        headers["ce_type"],
        record.key.decode(),
        None if sequence is None else int(sequence),
        headers.get("ce_causationid", ""),
        record.value,
    )


def first_of_each(decisions: Iterable[Decision]) -> list[Decision]:
    """Without the records that say again what was said; AssertionError when one id says two things."""
    found: dict[tuple[str, str], Decision] = {}
    for decision in decisions:
        first = found.setdefault((decision.source, decision.id), decision)
        assert first.said == decision.said, f"{decision.id} says two things on {decision.topic}: {first.said} and {decision.said}"
    return list(found.values())


def out_of_order(decisions: Iterable[Decision], written: Mapping[tuple[str, str], int]) -> list[str]:
    """The keys whose events do not stand in the order in which their service wrote them, or are not numbered in it without a gap."""
    last: dict[tuple[str, str], int] = {}
    numbers: Counter[str] = Counter()
    wrong = []
    for decision in decisions:
        place = written[decision.source, decision.id]
        if place < last.get((decision.source, decision.key), 0):
            wrong.append(decision.key)
        last[decision.source, decision.key] = place
        numbers[decision.key] += 1
        if decision.sequence != (numbers[decision.key] if BY_NAME[decision.topic].aggregate else None):
            wrong.append(decision.key)
    return wrong


def applied_out_of_order(decisions: Iterable[Decision], sent: Sequence[Sent]) -> list[str]:
    """The keys whose claims took effect in another order than they were sent in: what was decided names the claim that caused it."""
    places = {dict(record.headers)["ce_id"].decode(): number for number, record in enumerate(sent)}
    last: dict[str, int] = {}
    wrong = []
    for decision in decisions:
        place = places.get(decision.cause)
        if place is not None:
            if place < last.get(decision.key, -1):
                wrong.append(decision.key)
            last[decision.key] = place
    return wrong
