"""The transaction in which the staged changes of many events are written at once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts.cause import Cause
from common.contracts.decision import Decision
from common.contracts.envelope import Received
from common.contracts.event import Claim
from common.kernel.parties import Change, Organisation
from common.kernel.reference import Document, Documents
from common.kernel.wake_ups import WakeUps
from common.runtime.authority import not_authorised
from common.runtime.handling import Handler
from common.runtime.scratch import Held, Key, Scratch, UnitsOfWork, WakeHandlers
from common.sla.clock import MOMENT
from common.sla.clock_book import ClockBook
from common.sla.rulebook import Rulebook, is_rule
from common.store import clocks as clock_rows
from common.store import documents, outbox, parties, timers, waiting
from common.store.aggregates import Aggregates, Row, UnreadableRow
from common.store.documents import DocumentsBehind, DocumentsCache
from common.store.outbox import Outgoing

_NO_WAKE_HANDLERS: WakeHandlers = {}


@dataclass(frozen=True, slots=True)
class Deferred:
    """An event came before something that it builds on: it waits for `aggregate`, until what is `missing` has come."""

    aggregate: str
    missing: str


class Transaction:
    """The aggregates that a micro-batch names, locked and in memory, and everything that its events staged.

    Use: `load`, then `handle` or `fire` for one event or timer after the other, then `save`.
    """

    def __init__(self, service: str, uow_type: UnitsOfWork, cache: DocumentsCache, wake_handlers: WakeHandlers = _NO_WAKE_HANDLERS) -> None:
        self.service = service
        self.unreadable: dict[str, str] = {}
        """The loaded aggregates with a row that this version cannot read, and why: whoever loads them parks them."""
        self.clocks: ClockBook
        """Those of the loaded aggregates."""
        self.documents: Documents
        """All that the service knows."""
        self.parties: Organisation
        self._cache = cache
        self._new_documents: list[Document] = []
        self._changes: list[Change] = []
        self._uow_type = uow_type
        self._wake_handlers = wake_handlers
        self._wake_ups = WakeUps()
        self._held: dict[Key, Held] = {}
        self._outgoing: list[Outgoing] = []

    async def load(
        self, connection: AsyncConnection, names: Iterable[tuple[Aggregates[Any], str]], *, needs_all_documents: bool = True
    ) -> None:
        """Locks the named aggregates, table by table, id by id, and reads them, their clocks and their wake-ups.

        `DocumentsBehind` where the service has not read every document, unless what it is loaded for decides nothing by them.
        """
        wanted: dict[str, tuple[Aggregates[Any], set[str]]] = {}
        for aggregates, id in names:
            wanted.setdefault(aggregates.name, (aggregates, set()))[1].add(id)
        refs: list[str] = []
        for name in sorted(wanted):
            aggregates, ids = wanted[name]
            found = await aggregates.lock(connection, sorted(ids))
            for id in ids:
                match found.get(id, Row(None, 0)):
                    case UnreadableRow(reason):
                        self.unreadable[aggregates.ref(id)] = reason
                    case (value, sequence, recorded_at):
                        self._held[name, id] = Held(aggregates, value, sequence, recorded_at)
            refs += [aggregates.ref(id) for id in found]
        known = await self._cache.now(connection)
        if needs_all_documents and not known.is_complete:
            raise DocumentsBehind("the reference documents are not read up to their end")
        self.documents, self.parties = known.documents, known.organisation
        self.clocks = ClockBook(self.service, known.rulebook)
        self.unreadable |= await clock_rows.load(connection, self.clocks, refs)
        await timers.load_wake_ups(connection, self._wake_ups, refs)

    def held(self, key: Key) -> Held:
        """One loaded aggregate; `LookupError` when no handler declared that it reads it."""
        if key not in self._held:
            raise LookupError(f"{key[0]}: read without being declared in loads=")
        return self._held[key]

    def handle(self, received: Received, handler: Handler) -> Deferred | None:
        """Runs one event through its handler, after the wake-ups that were due before it; of one that fails or waits nothing is left."""
        assert received.event is not None
        loads = [(load, load.id_of(received.event)) for load in handler.loads]
        for load, id in loads:
            if id is not None and load.required and self.held((load.aggregates.name, id)).value is None:
                return Deferred(load.aggregates.ref(id), waiting.UNKNOWN_AGGREGATE)
        named = [self.held((load.aggregates.name, id)) for load, id in loads if id is not None]
        cause = Cause.of(received).no_earlier_than(held.recorded_at for held in named)  # what it may have waited for (ADR 0026)
        refs = [load.aggregates.ref(id) for load, id in loads if id is not None]
        scratch = self._scratch()
        scratch.wake_before(refs, cause.time, cause.recorded_at)
        facts = [fact for ref in refs for fact in scratch.clocks.advance(ref, cause.time)]
        uow = scratch.begin(cause)
        if isinstance(received.event, Claim) and (refused := not_authorised(received.event, uow)) is not None:
            uow.reject(received.event, refused)
        else:
            handler.use_case(received.event, *[None if id is None else uow.staged(load.aggregates, id) for load, id in loads], uow)
        if uow.early is not None:
            return Deferred(refs[0], uow.early.missing)
        scratch.take(uow, facts, refs[0] if refs else "")
        self._merge(scratch)
        for key in scratch.heard.intersection(self._held):
            if self._held[key].value is not None:
                self._held[key].recorded_at = cause.recorded_at
        return None

    def fire(self, timer: timers.Timer, recorded_at: datetime) -> None:
        """Wakes an aggregate, or lets time pass on its clocks, up to just after the instant at which the timer was due."""
        scratch = self._scratch()
        if timer.kind == "wake":
            if timer.wake_up.key in self._wake_ups.changed:
                return  # this transaction has moved it, cancelled it, or fired it before a later one
            scratch.wake(timer.wake_up, recorded_at)
        else:
            scratch.wake_before([timer.aggregate], timer.due_at + MOMENT, recorded_at)
            facts = scratch.clocks.advance(timer.aggregate, timer.due_at, including=True)
            scratch.take(scratch.begin(Cause(f"timer:{timer.id}", timer.due_at, recorded_at)), facts, timer.aggregate)
        self._merge(scratch)

    def rederive(self, aggregate: str, to: datetime | None, recorded_at: datetime) -> None:
        """Applies the newest rulebook to the clocks of one aggregate."""
        scratch = self._scratch()
        facts = scratch.clocks.rederive(aggregate, to)
        scratch.take(scratch.begin(Cause("rules", recorded_at, recorded_at)), facts, aggregate)
        self._merge(scratch)

    def run(self, cause: Cause, use_case: Callable[[Any], None]) -> None:
        """Runs a use case that no event asked for (a job)."""
        scratch = self._scratch()
        uow = scratch.begin(cause)
        use_case(uow)
        scratch.take(uow)
        self._merge(scratch)

    def _scratch(self) -> Scratch:
        return Scratch(self.service, self, self._uow_type, self._wake_handlers, self.clocks.scratch(), self._wake_ups.scratch())

    def _merge(self, scratch: Scratch) -> None:
        self.clocks.merge(scratch.clocks)
        self._wake_ups.merge(scratch.wake_ups)
        for document in scratch.document_records:
            self._keep(document)
        self._changes += scratch.organisation_changes
        self.parties = self.parties.with_some(scratch.organisation_changes)
        for key, change in scratch.changes.items():
            held = self._held.setdefault(key, Held(change.aggregates, None))
            held.new = held.new or change.new
            held.value, held.changed = change.value, True
        for one in scratch.decisions:
            self._emit(one)

    def _keep(self, document: Document) -> None:
        self._new_documents.append(document)
        self.documents = self.documents.with_one(document)
        if is_rule(document.kind, document.name, self.service):
            self.clocks.rulebook = Rulebook.in_documents(self.documents, self.service, self.clocks.rulebook.revision + 1)

    def _emit(self, decision: Decision) -> None:
        topic, key, sequence = decision.topic, decision.key, None
        held = self._held.get((topic.aggregate, key))
        if held is not None and held.value is not None:
            held.sequence += 1
            held.changed = True
            sequence = held.sequence
        envelope = decision.envelope(self.service, sequence)
        self._outgoing.append(Outgoing.of(decision.value, envelope, topic=topic.name, key=key, aggregate=decision.aggregate))

    @property
    def outgoing(self) -> int:
        """How many events are staged."""
        return len(self._outgoing)

    async def save(self, connection: AsyncConnection) -> None:
        """Writes what changed: one statement a table, then clocks, timers and the outbox in the order of publishing."""
        by_table: dict[str, list[Held]] = {}
        for held in self._held.values():
            if held.changed and held.value is not None:
                by_table.setdefault(held.aggregates.name, []).append(held)
        for name in sorted(by_table):
            rows = by_table[name]
            new = [Row(held.value, held.sequence, held.recorded_at) for held in rows if held.new]
            changed = [Row(held.value, held.sequence, held.recorded_at) for held in rows if not held.new]
            await rows[0].aggregates.write(connection, new, changed)
        await documents.save(connection, self.service, self._new_documents)
        await parties.save(connection, self._changes)
        rules = sum(is_rule(one.kind, one.name, self.service) for one in self._new_documents)
        await clock_rows.save(connection, self.clocks, unnumbered_rules=rules)
        await timers.save_wake_ups(connection, self._wake_ups)
        await outbox.insert(connection, self._outgoing)
