"""Which replica of a service does what only one does: sends its outbox, fires its timers, runs its jobs, shows its gauges.

One row in the service's database: the owner, until when, and an epoch that rises with each new owner. The lease is renewed
beside the work, never by it, so that a slow send does not lose it.
"""

import asyncio

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.store.database import Database, kind_of

log = structlog.get_logger(__name__)

LEASE_SECONDS = 10

# A clock that jumped back leaves a lease that lasts for hours: one that lasts longer than a lease can is over.
_TAKE = text("""
UPDATE relay_lease SET owner = :owner, until = clock_timestamp() + make_interval(secs => :seconds),
       epoch = CASE WHEN owner = :owner AND epoch = CAST(:held AS bigint) THEN epoch ELSE epoch + 1 END
WHERE (owner = :owner AND epoch = coalesce(CAST(:held AS bigint), epoch))
   OR until < clock_timestamp() OR until > clock_timestamp() + 2 * make_interval(secs => :seconds)
RETURNING epoch
""")
HELD = "EXISTS (SELECT FROM relay_lease WHERE owner = :owner AND epoch = :epoch AND until > clock_timestamp())"
"""SQL for another table's statement: `:owner` holds the lease under `:epoch`."""
# It changes hands within its length; one that is over for three times that, or lasts that much longer, has no owner.
NOBODY = f"""EXISTS (SELECT FROM relay_lease WHERE until < clock_timestamp() - interval '{3 * LEASE_SECONDS} seconds'
                OR until > clock_timestamp() + interval '{3 * LEASE_SECONDS} seconds')"""
"""SQL for another table's statement: no replica holds the lease, and one should by now."""
_LEADERLESS = text("""
SELECT CASE WHEN until = '-infinity' OR until > now() + interval '1 minute' THEN 'Infinity'
       ELSE extract(epoch FROM now() - until) END::float
FROM relay_lease
""")
_RELEASE = text("UPDATE relay_lease SET until = clock_timestamp(), owner = '' WHERE owner = :owner AND epoch = :held")


async def leaderless_seconds(connection: AsyncConnection) -> float:
    """For how long no replica has held the lease; below zero while one does, without end when none ever did."""
    found: float = (await connection.execute(_LEADERLESS)).scalar_one()
    return found


class Lease:
    """The lease as one replica, `owner`, sees it. A new process of the same name takes over from its predecessor at once."""

    def __init__(self, database: Database, owner: str) -> None:
        self._database = database
        self.owner = owner
        self._epoch: int | None = None
        self._until: float
        """By the event loop's clock, once the lease was asked for."""
        self._released = False

    @property
    def epoch(self) -> int | None:
        """The epoch of the lease while this replica holds it, else None; a process that slept finds that it is over."""
        return self._epoch if self._epoch is not None and asyncio.get_running_loop().time() < self._until else None

    async def hold(self) -> None:
        """Takes the lease whenever nobody holds it, and renews it, until it is cancelled."""
        while True:
            try:
                await self.take()
            except Exception as error:
                if kind_of(error) == "defect":
                    raise
                log.warning("lease_waits", error=type(error).__name__)
            await asyncio.sleep(1 if self.epoch is None else LEASE_SECONDS / 4)

    async def take(self) -> None:
        """Takes or renews the lease, unless another replica holds it."""
        if self._released:
            return
        asked = asyncio.get_running_loop().time()
        held = self._epoch
        async with self._database.transaction() as connection:
            values = {"owner": self.owner, "held": held, "seconds": LEASE_SECONDS}
            taken = (await connection.execute(_TAKE, values)).scalar_one_or_none()
        self._epoch, self._until = taken, asked + LEASE_SECONDS  # not before the commit, which others may look in upon
        if self._epoch != held:
            log.info("lease_lost" if self._epoch is None else "lease_taken", epoch=self._epoch or held)

    def drop(self) -> None:
        """Forgets the lease: somebody has shown that it is not this replica's any more."""
        self._epoch = None

    async def release(self) -> None:
        """Gives the lease back for good, so that another replica can take it at once."""
        self._released = True
        held, self._epoch = self._epoch, None
        if held is not None:
            async with self._database.transaction() as connection:
                await connection.execute(_RELEASE, {"owner": self.owner, "held": held})
