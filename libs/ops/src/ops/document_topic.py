"""The documents on Kafka, as a service that reads the topic from its beginning knows them."""

import asyncio
from datetime import datetime
from typing import Any

from common.contracts.documents import DocumentActivated
from common.contracts.topics import topic_of
from common.kafka.settings import KafkaSettings
from common.kernel.reference import Document, Documents, Kind, effective
from common.store.documents import document_of
from ops.document_files import kinds
from ops.terminal import KAFKA_SECONDS, answered
from ops.topic_events import TopicEvents


def published(kafka: KafkaSettings) -> Documents:
    """Every document on the topic but what cannot be read; a Kafka that is away ends the command with one line and exit 1."""

    async def read() -> list[Document]:
        async with asyncio.timeout(KAFKA_SECONDS):
            return await _read(kafka)

    return Documents([*kinds().values()], answered(read, kafka=kafka.bootstrap_servers))


async def _read(kafka: KafkaSettings) -> list[Document]:
    found: dict[tuple[str, str], Document] = {}
    async with TopicEvents.on(kafka, topic_of(DocumentActivated)) as events:
        async for event in events.up_to_now():
            if isinstance(event, DocumentActivated):
                source, id = event.envelope.source, event.envelope.id
                found.setdefault((source, id), document_of(event, event.time, id))
    return list(found.values())


def listed(documents: Documents, instant: datetime) -> list[dict[str, Any]]:
    """A row for each version, with how it stands at an instant."""
    rows = []
    for kind, name, version in sorted({(one.kind, one.name, one.version) for one in documents}):
        records = documents.published(kind, name, version)
        own = documents.kind(kind) or Kind(kind, dict)
        counts = effective(own, records)
        one = counts or records[-1]
        control = one.control
        rows.append(
            {
                "document": one.ref,
                "standing": _standing(documents, own, counts, instant) if counts is not None else _no_effect(records),
                "effective_at": one.effective_at.isoformat(timespec="seconds"),
                "open_clocks": one.applies_to_open,
                "number": one.number,
                **{name: control.get(name) for name in ("author", "reviewer", "approver", "approved_on", "issued_on", "remarks")},
            }
        )
    return rows


def _no_effect(records: tuple[Document, ...]) -> str:
    return "draft" if all(one.standing == "draft" for one in records) else "awaits approval"


def _standing(documents: Documents, kind: Kind[Any], document: Document, instant: datetime) -> str:
    if document not in [one.document for one in documents.in_force(kind, document.name)]:
        return "overtaken by a higher version"
    if documents.version_at(kind, instant, document.name).document == document:
        return "in force"
    return "to come" if document.effective_at > instant else "replaced"
