"""Timers: what becomes true because time passes. Armed and cancelled in the domain's transaction, fired in the effect's own.

Due by the database's clock, and never before the service has caught up (so neither an outage nor a replay of a past year
makes a false breach); a timer of a replayed history waits besides until that history has been quiet for a while, since a
service that keeps pace with a replay has caught up again and again before the replay has published everything. A time in which
the service, Kafka or the database was away is no such quiet. The fence is the conditional update: still armed, same version.
Only the replica that holds the service's lease scans, for economy; correctness does not depend on it.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import text

from common.kernel.errors import Transient
from common.runtime.metrics import ChassisMetrics
from common.runtime.transaction import Transaction
from common.runtime.unit_of_work import UnitOfWork
from common.sla.policy import Policy
from common.store import clocks, parked, positions, timers
from common.store.aggregates import Aggregates
from common.store.database import Database, kind_of
from common.store.rulebook import RulebookCache

log = structlog.get_logger(__name__)


class TimerWorker:
    """Fires what is due, up to 200 a transaction, then sleeps until the next instant that something is due."""

    def __init__(
        self,
        service: str,
        database: Database,
        unit_of_work: type[UnitOfWork],
        policy: Policy,
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
        self._unit_of_work = unit_of_work
        self._rulebook = RulebookCache(policy)
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
        """One round; returns how many timers fired, or how many aggregates' clocks took in new rules when none was due."""
        async with self._database.transaction() as connection:
            caught_up = await positions.caught_up_at(connection, expected=self._partitions, max_lag_wait=self._max_lag_wait)
            if caught_up is None:
                return 0
            rows = await timers.due(connection, caught_up, self._replay_idle)
        if not rows:
            return await self._rederive(caught_up)
        transaction = Transaction(self._service, self._unit_of_work, self._rulebook)
        async with self._database.transaction() as connection:
            await transaction.load(connection, self._named({row.aggregate for row in rows}))
            failed = dict(transaction.unreadable)
            due = [row for row in rows if row.aggregate not in failed]
            due = await timers.fire(connection, due)
            for row in due:
                fire = partial(transaction.fire, row.id, row.aggregate, row.due_at, row.fired_at)
                failed |= self._failure_of(row.aggregate, fire)
            await timers.rearm(connection, [row.id for row in due if row.aggregate in failed])
            await parked.park(connection, (), failed)
            await transaction.save(connection)
        self._committed(transaction)
        return len(rows)

    def _failure_of(self, aggregate: str, step: Callable[[], None]) -> dict[str, str]:
        """Runs `step`; when it fails, the reason for which the aggregate is parked: its timers stand still, all others go on."""
        try:
            step()
        except Transient:
            raise
        except Exception as error:  # whatever it raises is our defect, as it is when an event meets it
            log.error("aggregate_parked", aggregate=aggregate, exc_info=error)
            return {aggregate: type(error).__name__}
        return {}

    async def _rederive(self, caught_up: datetime) -> int:
        """Takes the newest rules into clocks that do not know them, some aggregates a transaction; the mark of how far it came is
        each clock's own revision. Where no timer is due up to `caught_up`, time can be let pass up to there without a false breach."""
        async with self._database.transaction() as connection:
            rulebook = await self._rulebook.now(connection)
            found = await clocks.stale(connection, rulebook.revision)
        if not found:
            return 0
        transaction = Transaction(self._service, self._unit_of_work, self._rulebook)
        async with self._database.transaction() as connection:
            await transaction.load(connection, self._named(found))
            at = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
            to = max((instant for instant in rulebook.instants if instant <= caught_up), default=None)
            failed = dict(transaction.unreadable)
            for aggregate in found:
                if aggregate not in failed:
                    failed |= self._failure_of(aggregate, partial(transaction.rederive, aggregate, to, at))
            await parked.park(connection, (), failed)
            await transaction.save(connection)
        self._committed(transaction)
        return len(found)

    def _committed(self, transaction: Transaction) -> None:
        self._metrics.count_outcomes(transaction.clocks.first_outcomes)
        if transaction.outgoing:
            self._wake()

    def _named(self, refs: Iterable[str]) -> list[tuple[Aggregates[Any], str]]:
        return [named for ref in refs if (named := self._unit_of_work.named(ref)) is not None]

    async def _until_next(self) -> float:
        async with self._database.transaction() as connection:
            return pause_before(await timers.seconds_until_next(connection))


def pause_before(due_in: float | None) -> float:
    """How long to sleep when the next timer is due in so many seconds: exactly so long when that is near, None when there is none.

    A second at most, since others arm timers too; a twentieth at least, since one that is due may have to wait until it may fire.
    """
    return 1.0 if due_in is None else min(max(due_in, 0.05), 1.0)
