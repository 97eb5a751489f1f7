"""The reference documents in the database: read again by each replica as soon as there are more of them."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts.documents import DocumentActivated, DocumentControl, ref_of
from common.contracts.envelope import value_of
from common.contracts.event import Envelope
from common.contracts.topics import source_of, topic_of
from common.contracts.yaml_files import read_yaml
from common.kernel import authorities
from common.kernel.errors import Transient
from common.kernel.ids import derived_id
from common.kernel.parties import Organisation
from common.kernel.reference import EVER, Document, Documents, Kind
from common.sla.excuses import EXCUSES
from common.sla.policy import shipped_document
from common.sla.rulebook import KINDS as RULE_KINDS
from common.sla.rulebook import POLICIES, Rulebook, counts_from, is_rule
from common.store import outbox, parties, positions
from common.store.outbox import Outgoing
from common.store.parties import PartiesCache

log = structlog.get_logger(__name__)

KINDS: tuple[Kind[Any], ...] = (*RULE_KINDS, *authorities.KINDS)
"""The kinds of document by which every service decides."""

# One writer at a time: a document's number says after how many others it became known, and a clock's `revision` how many rules it knows.
_LOCK = text("LOCK TABLE documents IN SHARE ROW EXCLUSIVE MODE")
_NEWEST = text(f"""
SELECT number, revision, changes, newest_change, {positions.READS_ALL_DOCUMENTS} AS is_complete
FROM (SELECT coalesce(max(number), 0) AS number, coalesce(max(rule_number), 0) AS revision FROM documents) AS d, ({parties.REVISION}) AS p
""")  # noqa: S608 - the parts that are put in are constants of ours
_READ = text("""
SELECT kind, name, version, effective_at, body, event_id, applies_to_open, standing, control FROM documents ORDER BY number
""")
# Of several records of one version and standing the one that takes effect first stays, whichever came first.
_ADD = text("""
INSERT INTO documents
    (kind, name, version, standing, number, rule_number, effective_at, counts_from, applies_to_open, body, control, event_id)
SELECT :kind, :name, :version, :standing, coalesce(max(number), 0) + 1,
       CASE WHEN :is_rule THEN coalesce(max(rule_number), 0) + 1 END,
       :effective_at,
       least(CAST(:counts_from AS timestamptz),
             min(counts_from) FILTER (WHERE kind = :kind AND name = :name AND CAST(:counts_before AS boolean))),
       :applies_to_open, CAST(:body AS json), CAST(:control AS jsonb), :event_id FROM documents
ON CONFLICT (kind, name, version, standing) DO UPDATE
SET number = excluded.number, rule_number = excluded.rule_number, effective_at = excluded.effective_at,
    counts_from = excluded.counts_from, applies_to_open = excluded.applies_to_open, control = excluded.control, event_id = excluded.event_id
WHERE (excluded.effective_at, excluded.event_id) < (documents.effective_at, documents.event_id)
RETURNING number
""")
_COLUMNS = ("kind", "name", "version", "standing", "effective_at", "applies_to_open", "event_id")
_NOW = text("SELECT statement_timestamp()")
UNKNOWN_SINCE = """
    SELECT known, min(counts_from) AS effective_at
    FROM generate_series(0, :revision - 1) AS known JOIN documents ON rule_number > known GROUP BY known
"""
"""SQL for another table's statement: for each number of rules that one may know, from when on the rest of `:revision` may count."""

EXCUSED = """SELECT name || '@' || version AS ref, control ->> 'approver' AS approver, body ->> 'reason' AS reason
    FROM documents WHERE kind = 'excused-windows' AND standing = 'approved'"""
"""SQL for another table's statement: each version of an excused window that was approved, by whom, and why."""


class DocumentsBehind(Transient):
    """The service has not read every document yet: what is decided by them has to wait."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a transaction knows: every document, and the rulebook of the service's clocks that is among them."""

    documents: Documents
    rulebook: Rulebook
    organisation: Organisation
    """Who is what in the enterprise."""
    is_complete: bool
    """Whether the service has read every document that was published."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A version of a document that ships with a service."""

    kind: Kind[Any]
    name: str
    version: int
    body: Mapping[str, Any]

    @property
    def ref(self) -> str:
        """`complaint-triggers/standard@1`."""
        return ref_of(self.kind.name, self.name, self.version)


def presets_of(kind: Kind[Any]) -> Iterator[Preset]:
    """The documents of a kind that ship in the package which it names, in the order of their names."""
    for name, version, file in kind.preset_files():
        yield Preset(kind, name, version, kind.body_of(read_yaml(file.read_bytes()).value))


def policy_preset(service: str, body: Mapping[str, Any] | None = None) -> Preset:
    """The policy that ships with a service."""
    body = shipped_document(service) if body is None else body
    return Preset(POLICIES, service, body["version"], body)


class DocumentsCache:
    """The documents of a service as one process knows them.

    The first process of the service that has read all published ones publishes those of `presets` that are not among them: the
    first version of all is effective for ever, one of a later release from then on, an outdated one never.
    """

    def __init__(self, service: str, kinds: Iterable[Kind[Any]] = (), presets: Iterable[Preset] | None = None) -> None:
        self.service = service
        self.kinds = (*KINDS, *kinds)
        shipped = [policy_preset(service), *(preset for kind in self.kinds for preset in presets_of(kind))] if presets is None else presets
        self._presets = sorted(shipped, key=lambda preset: (preset.kind.name, preset.name, preset.version))
        self._last: tuple[int, Known] | None = None
        self._parties = PartiesCache()

    async def now(self, connection: AsyncConnection) -> Known:
        """What the transaction sees; read anew only where documents were published since the last time."""
        newest = (await connection.execute(_NEWEST)).one()
        organisation = await self._parties.now(connection, newest)
        if self._last is not None and self._last[0] == newest.number:
            known = self._last[1]
            if known.is_complete == newest.is_complete and known.organisation is organisation:
                return known
            known = replace(known, organisation=organisation, is_complete=newest.is_complete)
        else:
            known = await self._read(connection, newest, organisation)
        if known.is_complete and (missing := self._missing(known.documents)):
            await self._publish(connection, known.documents, missing)
            newest = (await connection.execute(_NEWEST)).one()
            return await self._read(connection, newest, organisation)  # not kept: this transaction may fail
        self._last = newest.number, known
        return known

    async def _read(self, connection: AsyncConnection, newest: Any, organisation: Organisation) -> Known:
        documents = await read(connection, self.kinds)
        for kind in self.kinds:
            for name in documents.names(kind):
                for version in documents.versions(kind, name):
                    if version.content is None:
                        _complain(kind, version.document)
        rulebook = Rulebook.in_documents(documents, self.service, newest.revision)
        return Known(documents, rulebook, organisation, newest.is_complete)

    def _missing(self, documents: Documents) -> list[Preset]:
        return [preset for preset in self._presets if preset.version > documents.newest(preset.kind.name, preset.name)]

    async def _publish(self, connection: AsyncConnection, documents: Documents, missing: Sequence[Preset]) -> None:
        now: datetime = (await connection.execute(_NOW)).scalar_one()
        for preset in missing:
            at = now if documents.newest(preset.kind.name, preset.name) else EVER
            event, id = _event(preset, at), derived_id(at, preset.ref)
            document = document_of(event, at, id)
            documents = documents.with_one(document)
            if await save(connection, self.service, [document]):
                await outbox.insert(connection, [_outgoing(event, at, id, self.service)])


async def read(connection: AsyncConnection, kinds: Iterable[Kind[Any]] = KINDS) -> Documents:
    """All documents that were ever published to the service, or shipped with it."""
    return Documents(kinds, [Document(**row) for row in (await connection.execute(_READ)).mappings()])


async def rulebook_of(connection: AsyncConnection, service: str) -> Rulebook:
    """The rulebook of a service's clocks as its database has it."""
    return Rulebook.in_documents(await read(connection), service, (await connection.execute(_NEWEST)).one().revision)


async def save(connection: AsyncConnection, service: str, documents: Sequence[Document]) -> int:
    """Adds records of documents, and returns how many changed something: one that says what is known already does not."""
    if not documents:
        return 0
    await connection.execute(_LOCK)
    changed = 0
    for one in documents:
        values = {name: getattr(one, name) for name in _COLUMNS}
        body, control = json.dumps(one.body, ensure_ascii=False), json.dumps(one.control)
        own = {"is_rule": is_rule(one.kind, one.name, service), "body": body, "control": control}
        own |= {"counts_from": counts_from(one), "counts_before": one.kind == EXCUSES.name}
        changed += (await connection.execute(_ADD, {**values, **own})).one_or_none() is not None
    return changed


def document_of(event: DocumentActivated, at: datetime, event_id: str) -> Document:
    """What a record says that was published `at`: no document takes effect behind anybody's back."""
    control = event.control
    standing = "approved" if control.is_approved else "draft" if control.status == "draft" else "issued"
    return Document(
        kind=event.kind,
        name=event.name,
        version=event.version,
        effective_at=max(event.effective_at, at),
        body=event.body,
        event_id=event_id,
        applies_to_open=event.applies_to_open,
        standing=standing,  # type: ignore[arg-type]  # one of the three words
        control=control.model_dump(mode="json", exclude_defaults=True),
    )


def _complain(kind: Kind[Any], document: Document) -> None:
    try:
        kind.parse(document.body)
    except Exception as error:  # the same as a moment ago
        log.error("document_unreadable", document=document.ref, number=document.number, exc_info=error)


def _event(preset: Preset, at: datetime) -> DocumentActivated:
    return DocumentActivated(
        document=preset.ref,
        kind=preset.kind.name,
        name=preset.name,
        version=preset.version,
        effective_at=at,
        body=dict(preset.body),
        control=DocumentControl(status="shipped"),
    )


def _outgoing(event: DocumentActivated, at: datetime, id: str, service: str) -> Outgoing:
    topic = topic_of(DocumentActivated)
    key = topic.key_of(event)
    envelope = Envelope(id=id, source=source_of(service), type=event.TYPE, subject=key, time=at, recorded_at=at)
    return Outgoing.of(value_of(event), envelope, topic=topic.name, key=key)
