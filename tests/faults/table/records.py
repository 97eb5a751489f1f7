"""Rows in which what is stored or sent is damaged, forged, too large or read again."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from tests.databases import database
from tests.faults.decisions import read_topic
from tests.faults.kit import Wire, fact, send, wire
from tests.faults.table.quarter import Quarter, Stuck, committed, groups_in
from tests.faults.table.row import Row

from common.contracts.topics import BY_NAME
from ops.simulation.claims import Sent

_IN_THE_QUARTER = datetime(2026, 8, 3, 3, tzinfo=UTC)
_FORGED_FACTS, _JUMPS, _FORGED_REQUESTS = 50, 10, 10
_STRANGERS = 36_000
_SPOILS = (("dispatch", "work-order-claims", "work_orders"), ("intake", "service-request-claims", "service_requests"))
"""Service, claims topic, and the table in which a state is spoilt."""
_TAKEN = "SELECT count(*) FROM inbox WHERE id = $1"
_PARKED = "SELECT count(*) FROM parked_keys WHERE aggregate = $1"
_KNOWN = """
SELECT indicator, case_id, subject, occurrence, max(revision) AS revision FROM kpi_facts GROUP BY 1, 2, 3, 4 ORDER BY case_id LIMIT $1
"""
_LETTERS = "SELECT count(*) FROM dead_letters WHERE rule = $1"


async def corrupt_rows(quarter: Quarter, times: int) -> None:
    """A case's row is spoilt in the middle of its life; its events queue, and once the row is put back they take effect."""
    assert times == 1
    service, topic, table = quarter.random.choice(_SPOILS)
    case, first, later = _a_case(quarter, topic)
    async with quarter.coming_in([record for record in quarter.sent if record not in later]):
        await _until_any(quarter, service, _TAKEN, dict(first.headers)["ce_id"].decode())
        await _until_any(quarter, service, f"SELECT count(*) FROM {table} WHERE id = $1", case)  # until then its first claim waits
        async with quarter.fault():
            async with database(quarter.platform.database_url, service) as connection, connection.transaction():
                before = await connection.fetchval(f"SELECT state FROM {table} WHERE id = $1 FOR UPDATE", case)
                await connection.execute(f"UPDATE {table} SET state = $2 WHERE id = $1", case, '{"polished": 1}')
            await quarter.publish(later)
            await _until_any(quarter, service, _PARKED, f"{table}:{case}")
            await quarter.change(service, f"UPDATE {table} SET state = $2 WHERE id = $1", case, before)
            told = await quarter.aftersales("dead-letters", "redrive", f"{table}:{case}")
            if "applied" not in told:
                quarter.wrong.append(f"redrive of {table}:{case} said: {told}")


def _a_case(quarter: Quarter, topic: str) -> tuple[str, Sent, list[Sent]]:
    """One of the first cases with a few claims, its first claim, and the later ones, which are held back until it is spoilt."""
    claims: dict[str, list[Sent]] = {}
    for record in quarter.sent:
        if record.topic == topic:
            claims.setdefault(record.key, []).append(record)
    case = quarter.random.choice([key for key, found in claims.items() if len(found) >= 3][: len(claims) // 3])
    return case, claims[case][0], claims[case][1:]


async def _until_any(quarter: Quarter, service: str, query: str, value: str) -> None:
    for _ in range(600):
        if await quarter.value(service, query, value):
            return
        await asyncio.sleep(0.1)
    raise Stuck(f"{value} is not in the database of {service} after a minute")


async def forged(quarter: Quarter, times: int) -> None:
    """Somebody writes facts and registrations to the topics on which only our services decide."""
    quarter.beyond = "forged-"
    async with quarter.coming_in():
        for number, share in enumerate(quarter.shares(times)):
            await quarter.until(share)
            async with quarter.fault():
                await send(quarter.stack, [*await _forged_facts(quarter, number), *_forged_requests(number)])
    await quarter.settle()
    quarter.letters.update({"appraisal": times * (_FORGED_FACTS + _JUMPS), "dispatch": times * _FORGED_REQUESTS})
    quarter.letters.update({"complaints": times * _FORGED_REQUESTS})
    for rule, expected in (("foreign_source", times * _FORGED_FACTS), ("revision_jump", times * _JUMPS)):
        found = await quarter.value("appraisal", _LETTERS, rule)
        if found != expected:
            quarter.wrong.append(f"{found} dead letters of the rule {rule} in appraisal, not {expected}")


async def _forged_facts(quarter: Quarter, number: int) -> list[Wire]:
    """Facts that appraisal knows, told again by somebody else as all missed; and some in a true name, with a revision that jumps."""
    async with database(quarter.platform.database_url, "appraisal") as connection:
        known = [dict(row) for row in await connection.fetch(_KNOWN, _FORGED_FACTS)]
    if not known:
        raise Stuck("appraisal knows no fact yet")
    found = []
    for n in range(_FORGED_FACTS + _JUMPS):
        true = known[n % len(known)]
        is_foreign = n < _FORGED_FACTS
        said: dict[str, Any] = {
            **true,
            "numerator": "0",
            "denominator": "1",
            "revision": true["revision"] + 2 if is_foreign else 2_000_000_000,
        }
        made = fact(said.pop("case_id"), id=f"forged-fact-{number}-{n}", at=_IN_THE_QUARTER, **said)
        found.append(made.with_header("ce_source", b"/crm") if is_foreign else made)
    return found


def _forged_requests(number: int) -> list[Wire]:
    return [_forged_request(f"forged-R{number}-{n}") for n in range(_FORGED_REQUESTS)]


def _forged_request(id: str) -> Wire:
    """A repair that nobody asked for: believed, it would become a work order."""
    body = {
        "request_id": id,
        "customer_id": "K1",
        "channel": "hotline",
        "nature": "repair",
        "severity": "normal",
        "priority": "P3",
        "region": "north",
        "product": "refrigerator",
        "handled_by": "E1001",
        "asset_id": None,
        "received_at": _IN_THE_QUARTER.isoformat(),
    }
    return wire("service-requests", "service_request.registered", id, id, _IN_THE_QUARTER, body)


async def strangers(quarter: Quarter, times: int) -> None:
    """Facts about 36,000 people whom nobody has described: the close that names them would be larger than Kafka takes."""
    quarter.beyond = "stranger-"
    async with quarter.coming_in():
        for number, share in enumerate(quarter.shares(times)):
            await quarter.until(share)
            async with quarter.fault():
                names = [f"stranger-{number}-{n}" for n in range(_STRANGERS)]
                for start in range(0, _STRANGERS, 1000):  # in between the enterprise has its turn: its history must not seem to have ended
                    few = names[start : start + 1000]
                    await send(quarter.stack, [fact(name, id=name, at=_IN_THE_QUARTER, subject=f"employee:{name}") for name in few])
    await quarter.settle()
    await quarter.close()
    closes = [json.loads(found.value) for found in await read_topic(quarter.stack.kafka, "cycles") if found.type == "cycle.closed"]
    if [close["unknown_subjects_count"] for close in closes] != [times * _STRANGERS]:
        quarter.wrong.append(f"the close names {[close['unknown_subjects_count'] for close in closes]} strangers")


async def offsets_to_zero(quarter: Quarter, times: int) -> None:
    """Every group is set back to the beginning of its topics, as by a wrong command: all of it is read again."""
    async with quarter.coming_in():
        for share in quarter.shares(times):
            await quarter.until(share)
            async with quarter.fault():
                for service in quarter.platform.services:
                    await quarter.stop(service)
                for group, topics in groups_in(quarter.platform.services).items():
                    await _set_to_zero(quarter.stack.kafka, group, topics)
                    if any((await committed(quarter.stack.kafka, group)).values()):
                        quarter.wrong.append(f"the offsets of {group} are not 0")
                for service in quarter.platform.services:
                    quarter.start(service)


async def _set_to_zero(kafka: str, group: str, topics: Sequence[str] | set[str]) -> None:
    """Kafka takes it as soon as the group has no member any more."""
    places = [TopicPartition(name, partition) for name in topics for partition in range(BY_NAME[name].partitions)]
    for attempt in range(120):
        async with AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False) as consumer:
            consumer.assign(places)
            try:
                await consumer.commit(dict.fromkeys(places, 0))
            except KafkaError as refused:
                if attempt == 119:
                    raise Stuck(f"the offsets of {group} cannot be set: {type(refused).__name__}") from refused
                await asyncio.sleep(0.5)
            else:
                return


ROWS = [
    Row("corrupt-row", "a case's row spoilt, later put back and redriven", corrupt_rows, runs=2, at_once=1),
    Row("forged", f"{_FORGED_FACTS + _JUMPS} forged facts and {_FORGED_REQUESTS} forged registrations", forged, runs=2, at_once=2),
    Row("oversize", f"a close that has to name {_STRANGERS:,} unknown subjects", strangers, runs=1, at_once=1),
    Row("offsets", "the offsets of every group set to 0", offsets_to_zero, runs=1, at_once=1),
]
