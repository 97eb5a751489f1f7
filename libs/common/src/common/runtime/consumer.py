"""The micro-batch consumer: a batch of records in, one transaction, then the acknowledgement.

Order within the transaction, the same everywhere, so that two of them never wait for each other: progress, inbox keys
sorted, parked keys sorted, aggregates by table and id, then timers.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from faststream.exceptions import NackMessage

from common.contracts.envelope import Received, Record, Unreadable, decode
from common.contracts.event import Event
from common.kernel.clock import now
from common.kernel.errors import Malformed, Transient
from common.runtime import dead_letters, holding, inbox, outbox, progress
from common.runtime.cause import Cause
from common.runtime.database import Database, kind_of
from common.runtime.dead_letters import DeadLetter
from common.runtime.handling import Handler
from common.runtime.holding import Waiting
from common.runtime.metrics import ChassisMetrics
from common.runtime.policies import Policy
from common.runtime.progress import Place, Tally
from common.runtime.rule_handlers import RULE_HANDLERS
from common.runtime.rule_store import RuleBook
from common.runtime.unit_of_work import Batch, UnitOfWork

log = structlog.get_logger(__name__)

STOP_AFTER = 50
"""So many records in a row that fail by a defect of ours halt their partition."""


@dataclass(slots=True)
class _Round:
    """What one transaction has decided about its records."""

    tally: Tally
    batch: Batch
    blocked: set[str]
    waiting: dict[str, list[Waiting]]
    letters: list[DeadLetter] = field(default_factory=list)
    applied: list[Received] = field(default_factory=list)
    waits: dict[tuple[str, str], Waiting] = field(default_factory=dict)
    released: list[Received] = field(default_factory=list)
    parked: list[tuple[str, Received]] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)


class CaseConsumer:
    """Applies records to the service's aggregates: each event once, in the order of its key, whatever dies in between."""

    def __init__(
        self,
        service: str,
        database: Database,
        handlers: Mapping[type[Event], Handler],
        unit_of_work: Callable[[Batch, Cause], UnitOfWork],
        policy: Policy | None,
        metrics: ChassisMetrics,
        wake: Callable[[], None],
    ) -> None:
        self.service = service
        self.database = database
        self.handlers = handlers if policy is None else {**handlers, **RULE_HANDLERS}
        self.metrics = metrics
        self._unit_of_work = unit_of_work
        self._rules = None if policy is None else RuleBook(policy)
        self._wake = wake
        self._failures = 0
        self._defects: Counter[Place] = Counter()
        """In a row, for each partition."""

    def halts_wanted(self) -> list[Place]:
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
                await holding.keep_parked(connection, aggregate, type(error).__name__)
            return False

    async def _redrive(self, aggregate: str) -> bool:
        async with self.database.transaction() as connection:
            seen = await holding.parked_behind(connection, aggregate)
            tally = await progress.begin(connection, ((found.record.topic, found.record.partition) for found in seen))
            if not await holding.parked_among(connection, [aggregate]):
                return False
            queue = await holding.parked_behind(connection, aggregate)
            this = await self._open(connection, tally, queue, free=aggregate)
            for received in queue:
                missing = self._try(this, received)
                if missing is None:
                    this.applied.append(received)
                    this.tally.settle(received.record)
                    for ref in self.refs(received):
                        self._release(this, ref)
                elif missing:
                    ref = self.refs(received)[0]
                    this.waits[received.envelope.source, received.envelope.id] = Waiting(received, ref, missing)
                elif this.reasons:
                    await holding.keep_parked(connection, aggregate, this.reasons[aggregate])
                    return False
            await holding.unpark(connection, aggregate)
            await self._close(connection, this)
        self._after_commit(this)
        log.info("aggregate_redriven", aggregate=aggregate, events=len(queue))
        return True

    async def consume(self, records: Sequence[Record]) -> None:
        """Applies a batch. A failing database makes it wait and hand the batch back; one bad record never fails the others."""
        try:
            try:
                await self.apply(records)
            except Exception as error:
                if kind_of(error) not in ("data", "unique"):
                    raise
                log.warning("batch_taken_apart", records=len(records), exc_info=error)
                for record in records:
                    await self._apply_alone(record)
        except NackMessage:
            raise
        except Exception as error:
            self._failures += 1
            level = log.warning if isinstance(error, Transient) or kind_of(error) != "defect" else log.error
            level("batch_failed", error=type(error).__name__, kind=kind_of(error), records=len(records), failures=self._failures)
            await asyncio.sleep(random.uniform(0.5, 1) * min(0.2 * 2**self._failures, 5))  # noqa: S311 - jitter, not a secret
            raise NackMessage from error
        self._failures = 0

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
        decoded = [decode(record) for record in records]
        readable = [found for found in decoded if isinstance(found, Received)]
        async with self.database.transaction() as connection:
            tally = await progress.begin(connection, ((record.topic, record.partition) for record in records))
            if tally.halted:  # fetched before the partition was paused, perhaps by a process that has only just started
                raise Transient("a partition is halted")
            tally.replayed = any(found.envelope.replay_of for found in readable)
            verdicts = iter(await inbox.take(connection, readable))
            work: list[Received] = []
            letters: list[DeadLetter] = []
            done: list[Received] = []
            for found in decoded:
                if isinstance(found, Unreadable):
                    letters.append(DeadLetter.unreadable(found))
                    tally.add(found.record, "dead")
                    continue
                verdict = next(verdicts)
                if verdict == "duplicate":
                    tally.add(found.record, "duplicate")
                elif verdict == "conflict" or refused:
                    problem = Malformed("conflicting_duplicate", field="ce_id", reason="other content came under this id before")
                    if verdict == "new" and refused:
                        problem = refused
                    letters.append(DeadLetter.of(found, problem, forget=verdict == "new"))
                    tally.add(found.record, "dead")
                elif found.event is None or type(found.event) not in self.handlers:
                    tally.add(found.record, "applied")
                    done.append(found)
                else:
                    work.append(found)
            this = await self._open(connection, tally, work)
            this.letters += letters
            this.applied += done
            for received in work:
                self._step(this, received)
            await self._close(connection, this)
        self._after_commit(this)

    async def _open(self, connection: Any, tally: Tally, work: Sequence[Received], *, free: str = "") -> _Round:
        refs = {ref for received in work for ref in self.refs(received)}
        blocked = await holding.parked_among(connection, refs) - {free} if refs else set()
        waiting: dict[str, list[Waiting]] = {}
        for wait in await holding.waiting_for(connection, refs) if refs else []:
            waiting.setdefault(wait.aggregate, []).append(wait)
        everything = [*work, *(wait.received for waits in waiting.values() for wait in waits)]
        batch = Batch(self.service, self._unit_of_work, self._rules)
        await batch.load(connection, [name for received in everything for name in self._names(received)])
        return _Round(tally, batch, blocked, waiting)

    def _names(self, received: Received) -> list[Any]:
        assert received.event is not None
        return self.handlers[type(received.event)].names(received.event)

    def refs(self, received: Received) -> list[str]:
        """The aggregates that an event names; one that names none stands under its own key."""
        return [aggregates.ref(id) for aggregates, id in self._names(received)] or [f"key:{(received.record.key or b'').decode()}"]

    def _step(self, this: _Round, received: Received) -> None:
        refs = self.refs(received)
        held_back = next((ref for ref in refs if ref in this.blocked), None)
        if held_back is not None:
            this.parked.append((held_back, received))
            this.tally.add(received.record, "parked")
            return
        missing = self._try(this, received)
        if missing is None:
            this.applied.append(received)
            this.tally.add(received.record, "applied")
            for ref in refs:
                self._release(this, ref)
        elif missing:
            wait = Waiting(received, refs[0], missing)
            this.waiting.setdefault(refs[0], []).append(wait)
            this.waits[received.envelope.source, received.envelope.id] = wait
            this.tally.add(received.record, "parked")
        else:
            this.tally.add(received.record, "dead")

    def _try(self, this: _Round, received: Received) -> str | None:
        """None when applied, what is missing when it is too early, the empty string when it is dead or parked."""
        assert received.event is not None
        try:
            early = this.batch.handle(received, self.handlers[type(received.event)])
        except Malformed as problem:
            this.letters.append(DeadLetter.of(received, problem, forget=True))
            return ""
        except Transient:
            raise
        except Exception as error:  # whatever a use case raises is our defect: its aggregate is parked
            self._defects[received.record.topic, received.record.partition] += 1
            refs = self.refs(received)
            log.error("aggregate_parked", aggregate=refs[0], event_id=received.envelope.id, type=received.envelope.type, exc_info=error)
            this.blocked |= set(refs)
            this.reasons |= dict.fromkeys(refs, type(error).__name__)
            this.parked.append((refs[0], received))
            return ""
        self._defects.pop((received.record.topic, received.record.partition), None)
        return early.missing if early else None

    def _release(self, this: _Round, ref: str) -> None:
        """Tries the events that wait for `ref` again, in the order of event time, until none of them can go on."""
        going = True
        while going:
            going = False
            for wait in sorted(this.waiting.get(ref, ()), key=lambda wait: wait.received.envelope.time):
                missing = None if ref in this.blocked else self._try(this, wait.received)
                if missing is not None and missing != "":
                    continue
                this.waiting[ref].remove(wait)
                this.released.append(wait.received)
                if missing is None:
                    this.applied.append(wait.received)
                    this.tally.settle(wait.received.record)
                going = True
                break

    async def _close(self, connection: Any, this: _Round) -> None:
        released = {(received.envelope.source, received.envelope.id) for received in this.released}
        waits = [wait for key, wait in this.waits.items() if key not in released]
        await this.batch.save(connection)
        await holding.save_waiting(connection, waits, this.released)
        await holding.park(connection, this.parked, this.reasons)
        await self._bury(connection, this.letters)
        await dead_letters.close(connection, this.applied)
        await progress.save(connection, this.tally)

    async def _bury(self, connection: Any, letters: Sequence[DeadLetter]) -> None:
        await outbox.insert(connection, await dead_letters.insert(connection, self.service, letters, now()))

    def _after_commit(self, this: _Round) -> None:
        self.metrics.committed(this.tally, this.batch.clocks.told, this.applied)
        if this.batch.outgoing or this.letters:
            self._wake()
