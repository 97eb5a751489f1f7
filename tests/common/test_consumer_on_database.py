"""What a batch does whatever the service: what the database refuses, what may come again, what was replayed, and who is woken."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

import pytest
import structlog
from faststream.exceptions import NackMessage
from prometheus_client import CollectorRegistry
from tests.harness import ServiceOnDatabase, activated, claim, documents_of, read_documents_up_to, service_on

from common.contracts.claims.complaints import ComplainantTold, ComplaintLodged
from common.contracts.complaints import ComplaintClaimRejected, ComplaintReceived
from common.contracts.envelope import Record
from common.runtime.consumer import EventConsumer
from common.runtime.handling import HandlerTable
from common.runtime.metrics import ChassisMetrics
from common.sla.policy import load_policy
from complaints import use_cases
from complaints.domain.complaint import Complaint
from complaints.handlers import HANDLERS
from complaints.repository import UnitOfWork

pytestmark = pytest.mark.real

NINE = datetime.fromisoformat("2025-07-07T09:00:00+08:00")
HOLIDAYS = {"time_zone": "Asia/Shanghai", "weekly_hours": {"mon": [["09:00", "18:00"]]}}


@pytest.fixture
async def complaints(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("complaints", database) as service:
        yield service


def lodged(complaint: str, *, id: str = "", category: str = "noise", replay_of: str = "") -> Record:
    event = ComplaintLodged(complaint_id=complaint, customer_id="K1", category=category, region="north", handled_by="E1")
    return claim(event, NINE, id=id or complaint, replay_of=replay_of)


def told(complaint: str) -> Record:
    return claim(ComplainantTold(complaint_id=complaint, by="E1"), NINE)


def unstorable(lodged: ComplaintLodged, existing: Complaint | None, uow: UnitOfWork) -> None:
    """Receives a complaint, but of one category makes what PostgreSQL does not hold."""
    use_cases.receive_complaint(lodged, existing, uow)
    received = uow.complaints.get(lodged.complaint_id)
    if received is not None and received.category == "unheard":
        uow.complaints.save(replace(received, customer_id="\x00"))


def consumer_of(service: ServiceOnDatabase, handlers: HandlerTable = HANDLERS, woken: list[str] | None = None) -> EventConsumer:
    metrics = ChassisMetrics("complaints", "test", load_policy("complaints").stages, CollectorRegistry())
    wake = (lambda: None) if woken is None else (lambda: woken.append("woken"))
    return EventConsumer("complaints", service.database, handlers, UnitOfWork, documents_of("complaints"), metrics, wake)


async def letters(service: ServiceOnDatabase, *, closed: bool = False) -> list[tuple[str, str, str]]:
    rows = await service.rows("SELECT event_id, rule, field FROM dead_letters WHERE (closed_at IS NOT NULL) = :closed", closed=closed)
    return [(row["event_id"], row["rule"], row["field"]) for row in rows]


async def test_what_the_database_refuses_is_one_dead_letter_and_may_come_again_when_that_is_mended(complaints: ServiceOnDatabase) -> None:
    handlers = HandlerTable({**HANDLERS, ComplaintLodged: replace(HANDLERS[ComplaintLodged], use_case=unstorable)})
    complaints.consumer = consumer_of(complaints, handlers)
    bad = lodged("C2", category="unheard")
    await complaints.apply([lodged("C1"), bad, lodged("C3"), told("C1")])
    assert [event.complaint_id for event in await complaints.published(ComplaintReceived)] == ["C1", "C3"]
    assert await letters(complaints) == [("C2", "unstorable", "data")]
    complaints.consumer = consumer_of(complaints)
    await complaints.apply([bad])
    assert await complaints.rows("SELECT id FROM complaints ORDER BY id") == [{"id": id} for id in ("C1", "C2", "C3")]
    assert await letters(complaints, closed=True) == [("C2", "unstorable", "data")]


@pytest.mark.parametrize("where", [0, 20, 63])
async def test_one_record_that_the_database_refuses_among_many_is_found_in_a_few_transactions(
    complaints: ServiceOnDatabase, where: int
) -> None:
    handlers = HandlerTable({**HANDLERS, ComplaintLodged: replace(HANDLERS[ComplaintLodged], use_case=unstorable)})
    complaints.consumer = consumer_of(complaints, handlers)
    names = [f"C{number:02}" for number in range(64)]
    await complaints.apply([lodged(name, category="unheard" if name == names[where] else "noise") for name in names])
    others = [name for name in names if name != names[where]]
    assert [event.complaint_id for event in await complaints.published(ComplaintReceived)] == others
    assert await letters(complaints) == [(names[where], "unstorable", "data")]
    # of 64 the half without it is taken six times
    assert await complaints.rows("SELECT count(DISTINCT CAST(xmin AS text)) AS taken FROM complaints") == [{"taken": 6}]


async def test_what_came_under_an_id_first_stays_taken_when_other_content_came_under_it(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged("C1", id="X"), lodged("C2", id="X"), lodged("C1", id="X")])
    assert await letters(complaints) == [("X", "conflicting_duplicate", "ce_id")]
    await complaints.apply([lodged("C1", id="X")])
    assert await complaints.published(ComplaintClaimRejected) == []
    assert len(await complaints.published(ComplaintReceived)) == 1


async def test_a_document_that_was_a_dead_letter_may_come_again_under_its_id(complaints: ServiceOnDatabase) -> None:
    wrong = claim(activated("calendar", "shop", 1, {**HOLIDAYS, "weekly_hours": {}}), NINE, id="D")
    await complaints.apply([wrong])
    await complaints.apply([claim(activated("calendar", "shop", 1, HOLIDAYS), NINE, id="D")])
    assert await letters(complaints) == []
    assert await letters(complaints, closed=True) == [("D", "bad_document", "data.body.weekly_hours")]
    assert await complaints.rows("SELECT event_id FROM documents WHERE name = 'shop'") == [{"event_id": "D"}]


@pytest.mark.parametrize("replayed_first", [True, False])
async def test_a_batch_is_one_of_a_replayed_history_when_any_of_its_records_is(complaints: ServiceOnDatabase, replayed_first: bool) -> None:
    replayed = "SELECT topic FROM consumer_progress WHERE replayed_at IS NOT NULL"
    await complaints.apply([lodged("C1")])
    assert await complaints.rows(replayed) == []
    batch = [lodged("C2", replay_of="history"), lodged("C3")]
    await complaints.apply(batch if replayed_first else reversed(batch))
    assert await complaints.rows(replayed) == [{"topic": "complaint-claims"}]


async def test_the_relay_is_woken_by_a_decision_and_by_a_dead_letter_and_by_nothing_else(complaints: ServiceOnDatabase) -> None:
    woken: list[str] = []
    complaints.consumer = consumer_of(complaints, woken=woken)
    await complaints.apply([told("C9")])
    await complaints.apply([lodged("C1")])
    assert woken == ["woken"]
    await complaints.apply([lodged("C1")])
    assert woken == ["woken"]
    await complaints.apply([lodged("C2", id="C1")])
    assert woken == ["woken", "woken"]


async def test_a_batch_that_has_to_wait_for_documents_says_so_once_until_one_was_applied(complaints: ServiceOnDatabase) -> None:
    document = claim(activated("calendar", "shop", 1, HOLIDAYS), NINE)
    await read_documents_up_to(complaints.database, 1)
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            with pytest.raises(NackMessage):
                await complaints.apply([lodged("C1"), document])
        assert [log["event"] for log in logs] == ["batches_wait_for_documents"]
        await complaints.apply([document])
        await read_documents_up_to(complaints.database, complaints.offsets["reference-documents"] + 1)
        with pytest.raises(NackMessage):
            await complaints.apply([lodged("C1")])
        assert [log["event"] for log in logs] == ["batches_wait_for_documents"] * 2


async def test_what_a_batch_did_is_shown_by_what_became_of_each_record(complaints: ServiceOnDatabase) -> None:
    shown = complaints.consumer.metrics.registry.get_sample_value

    def consumed() -> list[float | None]:
        labels = {"service": "complaints", "topic": "complaint-claims"}
        return [
            shown("aftersales_events_consumed_total", labels | {"result": result}) for result in ("applied", "duplicate", "dead", "parked")
        ]

    await complaints.apply([lodged("C1"), lodged("C1"), lodged("C2", id="C1"), told("C9")])
    assert consumed() == [1, 1, 1, 1]
    assert shown("aftersales_event_end_to_end_seconds_count", {"service": "complaints", "topic": "complaint-claims"}) == 1
    await complaints.apply([lodged("C9"), told("C1")])
    assert consumed() == [4, 1, 1, 1], "one that waited is applied as well"
    met = {"service": "complaints", "stage": "acknowledged", "outcome": "met"}
    assert shown("aftersales_sla_outcomes_total", met) == 2
    assert shown("aftersales_sla_elapsed_ratio_count", {"service": "complaints", "stage": "acknowledged"}) == 2
