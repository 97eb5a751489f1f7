"""Timers: what becomes true because time passes. Armed and cancelled in the domain's transaction, fired in the effect's own.

A timer serves a clock, or wakes an aggregate for a reason that its use cases have named; both fire with the same promises.

Due by the database's clock, and never before the service has caught up (so neither an outage nor a replay of a past year
makes a false breach); a timer of a replayed history waits besides until that history has been quiet for a while, since a
service that keeps pace with a replay has caught up again and again before the replay has published everything. A time in which
the service, Kafka or the database was away is no such quiet. The fence is the conditional update: still armed, same version.
Only the replica that holds the service's lease scans, for economy; correctness does not depend on it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.kernel.errors import Transient
from common.runtime.handling import HandlerTable, reason_to_park
from common.runtime.metrics import ChassisMetrics
from common.runtime.transaction import Transaction
from common.runtime.unit_of_work import UnitOfWork
from common.sla.rulebook import Rulebook
from common.store import clocks, parked, positions, sla_months, timers
from common.store.database import Database, kind_of
from common.store.documents import DocumentsCache

log = structlog.get_logger(__name__)

WAITS_SECONDS = 0.25
"""How soon it is asked again whether a timer may fire that is due and has to wait."""


class TimerWorker:
    """Fires what is due, up to 200 a transaction, then sleeps until the next instant that something is due."""

    def __init__(
        self,
        service: str,
        database: Database,
        handlers: HandlerTable,
        unit_of_work: type[UnitOfWork],
        documents: DocumentsCache,
        metrics: ChassisMetrics,
        *,
        is_leader: Callable[[], bool],
        wake: Callable[[], None],
        partitions: int,
        max_lag_wait: timedelta,
        replay_idle: timedelta,
    ) -> None:
        self._service = service
        self._database = database
        self._wake_handlers = handlers.wakes
        self._unit_of_work = unit_of_work
        self._documents = documents
        self._metrics = metrics
        self._is_leader = is_leader
        self._wake = wake
        self._partitions = partitions
        self._max_lag_wait = max_lag_wait
        self._replay_idle = replay_idle

    async def run(self) -> None:
        """Fires until it is cancelled."""
        while True:
            fired = 0
            try:
                if self._is_leader():
                    fired = await self.fire()
                pause = 0.0 if fired else await self._until_next()
            except Exception as error:
                if kind_of(error) == "defect":
                    raise
                log.warning("timers_wait", error=type(error).__name__)
                pause = 1.0
            await asyncio.sleep(pause)

    async def fire(self) -> int:
        """One round; returns how many timers were due, else how many aggregates' clocks took in new rules, else how many months were
        published."""
        async with self._database.reading() as connection:
            caught_up = await positions.caught_up_at(connection, expected=self._partitions, max_lag_wait=self._max_lag_wait)
            if caught_up is None:
                return 0
            rows = await timers.due(connection, caught_up, self._replay_idle)
        if rows:
            await self._fire(rows)
            return len(rows)
        async with self._database.transaction() as connection:
            known = await self._documents.now(connection)
            stale = await clocks.stale(connection, known.rulebook.revision)
        if stale:
            await self._rederive(stale, max((instant for instant in known.rulebook.instants if instant <= caught_up), default=None))
            return len(stale)
        return await self._publish_months(known.rulebook, caught_up) if known.is_complete else 0

    async def _publish_months(self, rulebook: Rulebook, caught_up: datetime) -> int:
        """Publishes the months that are over, once no timer of theirs is due and no clock has to take in new rules (ADR 0031)."""
        async with self._database.transaction() as connection:
            published = await sla_months.publish(connection, self._service, rulebook, caught_up, self._replay_idle)
        if published:
            self._wake()
        return published

    async def _fire(self, rows: Sequence[Any]) -> None:
        async with self._transaction({row.aggregate for row in rows}) as (connection, transaction, failed):
            undone: list[str] = []
            for timer in await timers.fire(connection, [row for row in rows if row.aggregate not in failed]):
                if timer.aggregate not in failed:
                    failed |= self._failure_of(timer.aggregate, partial(transaction.fire, timer, timer.fired_at))
                if timer.aggregate in failed:
                    undone.append(timer.id)
            await timers.rearm(connection, undone)

    async def _rederive(self, aggregates: Sequence[str], to: datetime | None) -> None:
        """Takes the newest rules into clocks that do not know them, some aggregates a transaction; the mark of how far it came is
        each clock's own revision. Where no timer is due up to `to`, time can be let pass up to there without a false breach."""
        async with self._transaction(aggregates) as (connection, transaction, failed):
            at = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
            for aggregate in aggregates:
                if aggregate not in failed:
                    failed |= self._failure_of(aggregate, partial(transaction.rederive, aggregate, to, at))

    @asynccontextmanager
    async def _transaction(self, aggregates: Iterable[str]) -> AsyncIterator[tuple[AsyncConnection, Transaction, dict[str, str]]]:
        """A transaction on these aggregates; those that are put to the last dict, with the reason, are parked at its end."""
        transaction = Transaction(self._service, self._unit_of_work, self._documents, self._wake_handlers)
        async with self._database.transaction() as connection:
            await transaction.load(connection, [named for ref in aggregates if (named := self._unit_of_work.named(ref)) is not None])
            failed = dict(transaction.unreadable)
            yield connection, transaction, failed
            await parked.park(connection, (), failed)
            await transaction.save(connection)
        self._metrics.count_outcomes(transaction.clocks.first_outcomes)
        if transaction.outgoing:
            self._wake()

    def _failure_of(self, aggregate: str, step: Callable[[], None]) -> dict[str, str]:
        """Runs `step`; when it fails, the reason for which the aggregate is parked: its timers stand still, all others go on."""
        try:
            step()
        except Transient:
            raise
        except Exception as error:  # whatever it raises is our defect, as it is when an event meets it
            log.error("aggregate_parked", aggregate=aggregate, exc_info=error)
            return {aggregate: reason_to_park(error)}
        return {}

    async def _until_next(self) -> float:
        async with self._database.reading() as connection:
            return pause_before(await timers.seconds_until_next(connection))


def pause_before(due_in: float | None) -> float:
    """How long to sleep when the next timer is due in so many seconds: exactly so long when that is near, None when there is none.

    A second at most, since others arm timers too; a twentieth at least. One that is due and did not fire waits for a look at the logs,
    of which there are two a second, or until a replayed history is idle: asked more often, the answer would be the same.
    """
    if due_in is None:
        return 1.0
    return min(max(due_in, 0.05), 1.0) if due_in > 0 else WAITS_SECONDS
