"""Decisions are numbered where the topics table says so: a consumer that sees 3 after 1 knows that it lacks one of them."""

import itertools
import json
from datetime import UTC, datetime
from importlib import import_module

import pytest
from sqlalchemy import pool, text
from sqlalchemy.ext.asyncio import create_async_engine
from tests.common.test_stored_states import KINDS, NEWEST
from tests.harness import documents_of, read_documents_up_to

from common.contracts.cause import Cause
from common.contracts.event import Event
from common.contracts.topics import SERVICES, TOPICS
from common.runtime.transaction import Transaction
from common.runtime.unit_of_work import UnitOfWork
from common.store import migrations
from common.store.database import Database
from ops.contract_files import examples

AT = datetime(2026, 8, 3, tzinfo=UTC)
ID = "2026Q3"
NUMBERED = ("service_requests", "work_orders", "complaints", "organisations", "cycles")
AGGREGATES = {name: KINDS[name].read(json.dumps({**NEWEST[name].state, "id": ID}), NEWEST[name].version) for name in NUMBERED}
"""One of each kind whose events are numbered."""


def decisions(service: str) -> list[Event]:
    """One event of each type that a service decides, all about one aggregate."""
    newest = {example.type: example for example in examples()}
    return [
        event.model_validate_json(json.dumps({**newest[event.TYPE].data, topic.key: ID}))
        for topic in TOPICS
        if service in topic.producers and topic.kind == "decisions"
        for event in topic.events
    ]


def test_what_is_numbered_is_what_is_about_an_aggregate() -> None:
    assert {topic.aggregate for topic in TOPICS if topic.aggregate} == set(NUMBERED)


@pytest.mark.real
@pytest.mark.parametrize("service", SERVICES)
async def test_each_decision_about_an_aggregate_has_its_number_and_no_other_has_one(service: str, database: str) -> None:
    server, _, name = database.rpartition("/")
    kept = Database(f"{server}/postgres", name)
    engine = create_async_engine(kept.url, poolclass=pool.NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(migrations._upgrade, service)
    await engine.dispose()
    unit_of_work = import_module(f"{service}.repository").UnitOfWork
    numbered = [found for name, found in unit_of_work.tables().items() if name in AGGREGATES]

    def publish_all(uow: UnitOfWork) -> None:
        for event in decisions(service):
            uow.publish(event)

    def add_all(uow: UnitOfWork) -> None:
        for found in numbered:
            uow.stage(found, AGGREGATES[found.name], new=True)

    await read_documents_up_to(kept, 0)
    async with kept.transaction() as connection:
        batch = Transaction(service, unit_of_work, documents_of(service))
        await batch.load(connection, [(found, ID) for found in numbered])
        for use_case in (publish_all, add_all, publish_all):
            batch.run(Cause(use_case.__name__, AT, AT), use_case)
        await batch.save(connection)
        decided = "SELECT aggregatetype, type, headers FROM outbox WHERE aggregatetype <> 'reference-documents' ORDER BY id"
        rows = (await connection.execute(text(decided))).all()
    await kept.close()

    number = len(rows) // 2
    sequences = [dict(row.headers).get("ce_sequence") for row in rows]
    assert sequences[:number] == [None] * number, "what does not exist counts nothing"
    counts = {topic.name: itertools.count(1) for topic in TOPICS if topic.aggregate}
    expected = [(row.type, str(next(counts[row.aggregatetype])) if row.aggregatetype in counts else None) for row in rows[number:]]
    assert [(row.type, sequence) for row, sequence in zip(rows[number:], sequences[number:], strict=True)] == expected
