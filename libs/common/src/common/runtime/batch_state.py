"""What one transaction has decided about its events so far: each is applied, held back behind its aggregate, or a dead letter."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts.envelope import Received
from common.contracts.event import Event
from common.kafka.records import TopicPartition
from common.kernel.errors import Malformed, Transient
from common.kernel.wall_clock import now
from common.runtime.handling import Handler, reason_to_park
from common.runtime.transaction import Deferred, Transaction
from common.store import dead_letters, outbox, parked, positions, waiting
from common.store.dead_letters import DeadLetter
from common.store.held_back import HeldBack, HeldBackEvents, InHand
from common.store.record_counts import RecordCounts

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Applied:
    """The event has taken effect, once the transaction commits."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The event has no effect yet: it is a dead letter, or queues behind its aggregate, which is parked."""

    result: Literal["dead", "parked"]


def refs_of(received: Received, handlers: Mapping[type[Event], Handler]) -> list[str]:
    """The aggregates that an event names; one that names none stands under its own key."""
    assert received.event is not None
    names = handlers[type(received.event)].names(received.event)
    return [aggregates.ref(id) for aggregates, id in names] or [f"key:{(received.record.key or b'').decode()}"]


@dataclass(slots=True)
class BatchState:
    """The events of one transaction, stepped through their handlers one after the other; `close` writes what came of it.

    `blocked` are the aggregates whose events queue: those that are parked, and those with a row that cannot be read.
    """

    handlers: Mapping[type[Event], Handler]
    defects: Counter[TopicPartition]
    """Records in a row that met a defect of ours, by partition; the consumer's own."""
    tally: RecordCounts
    transaction: Transaction
    blocked: set[str]
    in_hand: InHand
    """Whose rows the consumer need not read, as long as they are the same; its own too."""
    reasons: dict[str, str] = field(default_factory=dict)
    """The aggregates that this transaction parks, and why."""
    waiting: dict[str, list[HeldBack]] = field(default_factory=dict)
    letters: list[DeadLetter] = field(default_factory=list)
    applied: list[Received] = field(default_factory=list)
    passed: list[Received] = field(default_factory=list)
    parked: list[HeldBack] = field(default_factory=list)
    waits: dict[tuple[str, str], HeldBack] = field(default_factory=dict)
    """Those that begin to wait, or wait for something else than before."""
    done: list[tuple[str, str]] = field(default_factory=list)
    """Those that no longer wait."""

    def expect(self, held: HeldBackEvents) -> None:
        """Takes in what waits for the aggregates of this transaction."""
        for wait in held.events:
            self.waiting.setdefault(wait.aggregate, []).append(wait)
        self.letters += held.letters
        self.done += [(letter.source, letter.event_id) for letter in held.letters]
        self.block(held.spoilt)

    def block(self, reasons: Mapping[str, str]) -> None:
        """Parks aggregates that cannot be loaded; those that are parked already keep their reason."""
        self.reasons |= {ref: reason for ref, reason in reasons.items() if ref not in self.blocked}
        self.blocked |= set(reasons)

    def dead_letter(self, letter: DeadLetter) -> None:
        """Makes one record a dead letter."""
        self.letters.append(letter)
        self.tally.add(letter.record, "dead")

    def pass_by(self, received: Received) -> None:
        """An event that nobody here handles counts as applied (ADR 0027): it repairs a dead letter, and changes nothing else."""
        self.passed.append(received)
        self.tally.add(received.record, "passed")

    def step(self, received: Received, *, was_held: bool = False) -> Applied | Deferred | Failed:
        """Applies one event, or holds it back; what waited for its aggregates is tried again."""
        outcome = self._try(received)
        if isinstance(outcome, Deferred):
            self._wait(received, outcome)
        self._count(received, outcome, was_held=was_held)
        if isinstance(outcome, Applied):
            for ref in refs_of(received, self.handlers):
                self.resume(ref)
        return outcome

    def resume(self, ref: str) -> None:
        """Tries the events that wait for `ref` again, in the order of event time, until none of them can go on."""
        going = True
        while going:
            going = False
            for wait in sorted(self.waiting.get(ref, ()), key=lambda wait: wait.received.envelope.time):
                outcome = self._try(wait.received)
                if isinstance(outcome, Deferred) and outcome.aggregate == ref:
                    if outcome.missing != wait.missing:  # one thing has come, another one is missing still: that is what it waits for
                        self.waiting[ref].remove(wait)
                        self._wait(wait.received, outcome)
                    continue
                self.waiting[ref].remove(wait)
                if isinstance(outcome, Deferred):  # what it waited for is there; another aggregate that it names is not
                    self._wait(wait.received, outcome)
                else:
                    self.done.append(wait.key)
                    self._count(wait.received, outcome, was_held=True)
                if isinstance(outcome, Applied):  # it may have made another aggregate for which others wait
                    for other in refs_of(wait.received, self.handlers):
                        if other != ref:
                            self.resume(other)
                going = True
                break

    def _wait(self, received: Received, deferred: Deferred) -> None:
        wait = HeldBack(received, deferred.aggregate, deferred.missing)
        self.waiting.setdefault(wait.aggregate, []).append(wait)
        self.waits[wait.key] = wait

    def _try(self, received: Received) -> Applied | Deferred | Failed:
        refs = refs_of(received, self.handlers)
        behind = next((ref for ref in refs if ref in self.blocked), None)
        return self._attempt(received, refs) if behind is None else self._queue(received, behind)

    def _queue(self, received: Received, behind: str) -> Failed:
        self.parked.append(HeldBack(received, behind))
        return Failed("parked")

    def _attempt(self, received: Received, refs: Sequence[str]) -> Applied | Deferred | Failed:
        assert received.event is not None
        place = received.record.topic, received.record.partition
        try:
            deferred = self.transaction.handle(received, self.handlers[type(received.event)])
        except Malformed as problem:
            self.letters.append(DeadLetter.of(received, problem, forget=True))
            return Failed("dead")
        except Transient:
            raise
        except Exception as error:  # whatever a use case raises is our defect: its aggregate is parked
            self.defects[place] += 1
            log.error("aggregate_parked", aggregate=refs[0], event_id=received.envelope.id, type=received.envelope.type, exc_info=error)
            self.block(dict.fromkeys(refs, reason_to_park(error)))
            return self._queue(received, refs[0])
        self.defects.pop(place, None)
        if deferred is not None:
            return deferred
        self.applied.append(received)
        return Applied()

    def _count(self, received: Received, outcome: Applied | Deferred | Failed, *, was_held: bool) -> None:
        if was_held:
            if isinstance(outcome, Applied):
                self.tally.now_applied(received.record)
            return
        match outcome:
            case Applied():
                self.tally.add(received.record, "applied")
            case Deferred():
                self.tally.add(received.record, "parked")
            case Failed(result):
                self.tally.add(received.record, result)

    async def close(self, connection: AsyncConnection, service: str) -> None:
        """Writes everything that this transaction decided."""
        resumed = set(self.done)
        await self.transaction.save(connection)
        await waiting.save_waiting(connection, [wait for key, wait in self.waits.items() if key not in resumed], self.done, self.in_hand)
        await parked.park(connection, self.parked, self.reasons)
        await outbox.insert(connection, await dead_letters.insert(connection, service, self.letters, now()))
        await dead_letters.close(connection, [*self.applied, *self.passed])
        await positions.save(connection, self.tally)
