"""The micro-batch consumer: a batch of records in, one transaction, then the acknowledgement.

Order within the transaction, the same everywhere, so that two of them never wait for each other: the names of the aggregates
sorted (also of those that do not exist yet), progress, inbox keys sorted, parked keys sorted, aggregates by table and id, then timers.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import structlog
from faststream.exceptions import NackMessage
from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts.envelope import Received, Record, Unreadable, decode
from common.contracts.event import Event
from common.contracts.topics import BY_NAME, READ_FIRST
from common.kafka.records import Gap, PositionedRecord, TopicPartition
from common.kernel.errors import Malformed, Transient
from common.runtime.batch_state import BatchState, refs_of
from common.runtime.document_handlers import DOCUMENT_HANDLERS
from common.runtime.handling import Handler, HandlerTable
from common.runtime.metrics import ChassisMetrics
from common.runtime.party_handlers import PARTY_HANDLERS
from common.runtime.transaction import Transaction
from common.runtime.unit_of_work import UnitOfWork
from common.store import inbox, parked, positions, waiting
from common.store.aggregates import Aggregates, lock_names
from common.store.database import Database, kind_of
from common.store.dead_letters import DeadLetter
from common.store.documents import DocumentsBehind, DocumentsCache
from common.store.held_back import HeldBackEvents, InHand
from common.store.record_counts import RecordCounts

log = structlog.get_logger(__name__)

STOP_AFTER = 50
"""So many records in a row that fail by a defect of ours halt their partition."""
AT_ONCE = 200
"""So many aggregates at most are freed in one transaction."""
_CONFLICT = Malformed("conflicting_duplicate", field="ce_id", reason="other content came under this id before")


class EventConsumer:
    """Applies records to the service's aggregates: each event once, in the order of its key, whatever dies in between."""

    def __init__(
        self,
        service: str,
        database: Database,
        handlers: HandlerTable,
        unit_of_work: type[UnitOfWork],
        documents: DocumentsCache,
        metrics: ChassisMetrics,
        wake: Callable[[], None],
        unread: Callable[[Mapping[TopicPartition, Gap]], Awaitable[Collection[TopicPartition]]] | None = None,
    ) -> None:
        self.service = service
        self.database = database
        self.handlers: Mapping[type[Event], Handler] = {**handlers, **DOCUMENT_HANDLERS, **PARTY_HANDLERS}
        self._wakes = handlers.wakes
        self.metrics = metrics
        self._unit_of_work = unit_of_work
        self.documents = documents
        self._wake = wake
        self._unread = unread
        """Which gaps before a batch hold records; without Kafka there is nobody to ask."""
        self._in_hand = InHand()
        self._failures = 0
        self._waits_for_documents = False
        self._defects: Counter[TopicPartition] = Counter()
        """In a row, for each partition."""

    def halts_wanted(self) -> list[TopicPartition]:
        """The partitions that have to stop since too many of their records in a row met a defect of ours; asked once."""
        found = [place for place, number in self._defects.items() if number > STOP_AFTER]
        for place in found:
            del self._defects[place]
        return found

    async def redrive(self, aggregate: str) -> bool:
        """Replays the events that are parked behind `aggregate`, in order, in one transaction; False when it fails again."""
        try:
            return await self._redrive(aggregate)
        except Exception as error:
            if kind_of(error) not in ("data", "unique"):
                raise
            log.warning("aggregate_stays_parked", aggregate=aggregate, exc_info=error)
            async with self.database.transaction() as connection:
                await parked.keep_parked(connection, aggregate, type(error).__name__)
            return False

    async def _redrive(self, aggregate: str) -> bool:
        async with self.database.transaction() as connection:
            seen = await parked.parked_behind(connection, aggregate)
            held, tally = await self._lock(connection, {aggregate, *self._refs(found.received for found in seen.events)}, seen.places)
            if not await parked.parked_among(connection, [aggregate]):
                return False
            queue = await parked.parked_behind(connection, aggregate)
            state = await self._open(connection, tally, held, [found.received for found in queue.events], ignoring_park_of=aggregate)
            state.letters += queue.letters
            state.block(queue.spoilt)
            for found in queue.events:
                if aggregate in state.blocked:
                    break
                state.step(found.received, was_held=True)
            state.resume(aggregate)
            if aggregate in state.blocked:
                await parked.keep_parked(connection, aggregate, state.reasons[aggregate])
                return False
            await parked.unpark(connection, aggregate)
            await state.close(connection, self.service)
        self._after_commit(state)
        log.info("aggregate_redriven", aggregate=aggregate, events=len(queue.events))
        return True

    async def resume_stranded(self) -> int:
        """Applies events that wait for an aggregate which exists; returns for how many aggregates.

        Whoever creates an aggregate releases what waits for it, so there is nothing to find unless rows were changed by hand or
        written by an older version; asked now and then, since such an event would wait for ever.
        """
        async with self.database.reading() as connection:
            if not await waiting.any_for_an_aggregate(connection):
                return 0
        resumed = 0
        for aggregates in self._unit_of_work.tables().values():
            async with self.database.transaction() as connection:
                refs = await waiting.stranded(connection, aggregates, AT_ONCE)
                if not refs:
                    continue
                held, tally = await self._lock(connection, refs, ())
                state = await self._open(connection, tally, held, ())
                for ref in refs:
                    state.resume(ref)
                await state.close(connection, self.service)
            self._after_commit(state)
            log.warning("stranded_events_resumed", aggregates=len(refs), events=len(state.done))
            resumed += len(refs)
        return resumed

    async def consume(self, records: Sequence[Record]) -> None:
        """Applies a batch. A failing database makes it wait and hand the batch back; one bad record never fails the others."""
        try:
            try:
                await self.apply(records)
            except Exception as error:
                if kind_of(error) not in ("data", "unique"):
                    raise
                log.warning("batch_taken_apart", records=len(records), exc_info=error)
                await self._apply_in_halves(records)
        except NackMessage:
            raise
        except DocumentsBehind:
            await self._hand_back_until_documents_are_read()
        except Exception as error:
            self._failures += 1
            level = logging.WARNING if isinstance(error, Transient) or kind_of(error) != "defect" else logging.ERROR
            log.log(level, "batch_failed", error=type(error).__name__, kind=kind_of(error), records=len(records), failures=self._failures)
            await asyncio.sleep(random.uniform(0.5, 1) * min(0.2 * 2**self._failures, 5))  # noqa: S311 - jitter, not a secret
            raise NackMessage from error
        self._failures = 0
        self._waits_for_documents = False

    async def _hand_back_until_documents_are_read(self) -> None:
        if not self._waits_for_documents:
            self._waits_for_documents = True
            log.info("batches_wait_for_documents")
        await asyncio.sleep(0.2)
        raise NackMessage

    async def see_documents(self) -> None:
        """Returns when the service has read every reference document, or else hands the batch back that is about to be handled."""
        async with self.database.transaction() as connection:
            known = await self.documents.now(connection)
        if not known.is_complete:
            await self._hand_back_until_documents_are_read()

    async def _apply_in_halves(self, records: Sequence[Record]) -> None:
        """Applies what the database takes of a batch that it refuses, in order: a few transactions, wherever the one bad record stands."""
        if len(records) == 1:
            return await self._apply_alone(records[0])
        middle = len(records) // 2
        for half in (records[:middle], records[middle:]):
            try:
                await self.apply(half)
            except Exception as error:
                if kind_of(error) not in ("data", "unique"):
                    raise
                await self._apply_in_halves(half)
        return None

    async def _apply_alone(self, record: Record) -> None:
        for attempt in range(3):
            try:
                return await self.apply([record])
            except Exception as error:
                kind = kind_of(error)
                if kind == "data" or (kind == "unique" and attempt == 2):
                    problem = Malformed("unstorable", field="data", reason=f"the database refuses it: {type(error).__name__}")
                    return await self.apply([record], refused=problem)
                if kind != "unique":
                    raise
        return None

    async def apply(self, records: Sequence[Record], *, refused: Malformed | None = None) -> None:
        """Applies `records` in one transaction; with `refused`, they become dead letters whatever they hold."""
        decoded = [decode(record, self.handlers) for record in records]
        readable = [found for found in decoded if isinstance(found, Received)]
        known = [found for found in readable if type(found.event) in self.handlers]
        async with self.database.transaction() as connection:
            places = {(record.topic, record.partition) for record in records}
            held, tally = await self._lock(connection, self._refs(known), places, records)
            if places & set(tally.halted):  # fetched before the partition was paused, perhaps by a process that has only just started
                raise Transient("a partition is halted")
            if tally.gaps and self._unread is not None and await self._unread(tally.gaps):
                raise Transient("records before the batch were not handled")  # the next look at the logs says which, and goes back
            tally.replayed = any(found.envelope.replay_of for found in readable)
            verdicts = dict(zip(map(id, known), await inbox.take(connection, known), strict=True))
            work = [found for found in known if verdicts[id(found)] == "new" and refused is None]
            decides = any(BY_NAME[topic].group != READ_FIRST for topic, _ in places)
            state = await self._open(connection, tally, held, work, needs_all_documents=decides)
            for found in decoded:
                if isinstance(found, Unreadable):
                    state.dead_letter(DeadLetter.unreadable(found))
                    continue
                verdict = verdicts.get(id(found))
                if verdict == "duplicate":
                    tally.add(found.record, "duplicate")
                elif verdict == "conflict":
                    state.dead_letter(DeadLetter.of(found, _CONFLICT))
                elif refused is not None:
                    state.dead_letter(DeadLetter.of(found, refused, forget=True))
                elif verdict == "new":
                    state.step(found)
                else:
                    state.pass_by(found)
            await state.close(connection, self.service)
        self._after_commit(state)

    async def _lock(
        self, connection: AsyncConnection, refs: Collection[str], places: Collection[TopicPartition], batch: Sequence[PositionedRecord] = ()
    ) -> tuple[HeldBackEvents, RecordCounts]:
        """Locks what the transaction names, and the partitions of what waits for it: in one go, so that no two wait for each other.

        What waits may name other aggregates, and be what these wait for: they follow, and where two transactions follow each other
        PostgreSQL ends one of them, which is tried again.
        """
        held, named, more = HeldBackEvents([], [], {}), set[str](), set(refs)
        while more:
            await lock_names(connection, more)
            held.add(await waiting.waiting_for(connection, more, self._in_hand))
            named |= more
            more = self._refs(wait.received for wait in held.events) - named
        return held, await positions.begin(connection, {*places, *held.places}, batch)

    async def _open(
        self,
        connection: AsyncConnection,
        tally: RecordCounts,
        held: HeldBackEvents,
        work: Sequence[Received],
        *,
        ignoring_park_of: str = "",
        needs_all_documents: bool = True,
    ) -> BatchState:
        """Loads the aggregates of `work` and of what waits for them; `ignoring_park_of` is a parked one that shall try again."""
        events = [*work, *(wait.received for wait in held.events)]
        names = {name for received in events for name in self._names(received)}
        names |= {name for ref in (*held.spoilt, ignoring_park_of) if (name := self._unit_of_work.named(ref)) is not None}
        refs = self._refs(events)
        blocked = await parked.parked_among(connection, refs) - {ignoring_park_of} if refs else set()
        transaction = Transaction(self.service, self._unit_of_work, self.documents, self._wakes)
        await transaction.load(connection, names, needs_all_documents=needs_all_documents)
        state = BatchState(self.handlers, self._defects, tally, transaction, blocked, self._in_hand)
        state.expect(held)
        state.block(transaction.unreadable)
        return state

    def _names(self, received: Received) -> list[tuple[Aggregates[Any], str]]:
        assert received.event is not None
        return self.handlers[type(received.event)].names(received.event)

    def _refs(self, events: Iterable[Received]) -> set[str]:
        return {ref for received in events for ref in refs_of(received, self.handlers)}

    def _after_commit(self, state: BatchState) -> None:
        self.metrics.committed(state.tally, state.transaction.clocks.first_outcomes, state.applied)
        if state.transaction.outgoing or state.letters:
            self._wake()
