"""The outbox relay: sends decided events to Kafka in the order of their keys, again and again until Kafka has them.

Each of the 16 shards has one owner at a time, by a lease with an epoch; the epoch is checked before every round of sends,
since a process that slept cannot know that its lease has run out. A record may be sent twice when the relay dies between
sending and marking; it then has the same event id, which every consumer's inbox knows.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from sqlalchemy import text

from common.runtime.broker import KafkaSettings
from common.runtime.database import Database, kind_of

log = structlog.get_logger(__name__)

LEASE_SECONDS = 10
ROUND = 2000
SEND_SECONDS = 30

_TAKE = text("""
UPDATE shard_leases SET owner = :owner, until = clock_timestamp() + make_interval(secs => :seconds),
       epoch = CASE WHEN owner = :owner THEN epoch ELSE epoch + 1 END
WHERE owner = :owner OR until < clock_timestamp()
RETURNING shard, epoch
""")
_RELEASE = text("UPDATE shard_leases SET until = '-infinity', owner = '' WHERE owner = :owner")
_READ = text("""
SELECT o.id, o.aggregatetype, o.aggregateid, o.payload, o.headers FROM outbox o
JOIN shard_leases l ON l.shard = o.shard AND l.owner = :owner AND l.until > clock_timestamp()
JOIN unnest(CAST(:shards AS smallint[]), CAST(:epochs AS bigint[])) AS held (shard, epoch) ON held.shard = l.shard AND held.epoch = l.epoch
WHERE o.published_at IS NULL ORDER BY o.id LIMIT :round
""")
_MARK = text("UPDATE outbox SET published_at = clock_timestamp() WHERE id = ANY(CAST(:ids AS bigint[]))")
_FORGET = text("""
DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE published_at < now() - make_interval(days => :days) LIMIT 5000)
""")


@dataclass(frozen=True, slots=True)
class _Row:
    id: int
    topic: str
    key: str
    payload: bytes
    headers: list[tuple[str, bytes]]


class Relay:
    """Owns a producer of its own and as many shards as nobody else holds."""

    def __init__(self, database: Database, kafka: KafkaSettings, owner: str, *, keep_days: int = 7) -> None:
        self._database = database
        self._kafka = kafka
        self._owner = owner
        self._keep_days = keep_days
        self._producer: AIOKafkaProducer | None = None
        self._wanted = asyncio.Event()
        self._stopping = False
        self._sending = asyncio.Lock()
        self.shards: dict[int, int] = {}

    @property
    def leads(self) -> bool:
        """Whether this replica holds shard 0, and with it what only one replica does."""
        return 0 in self.shards

    def wake(self) -> None:
        """Tells the relay that there is something to send."""
        self._wanted.set()

    async def run(self) -> None:
        """Sends until it is cancelled or told to stop."""
        loop = asyncio.get_running_loop()
        forget_at = loop.time()
        while not self._stopping:
            try:
                async with self._sending:
                    await self._take_shards()
                    while not self._stopping and await self._round() == ROUND:
                        pass
                if self.leads and loop.time() > forget_at:
                    forget_at = loop.time() + 60
                    async with self._database.transaction() as connection:
                        await connection.execute(_FORGET, {"days": self._keep_days})
            except KafkaError as error:
                log.warning("relay_rebuilds_its_producer", error=type(error).__name__)
                await self._drop_producer()
                await asyncio.sleep(0.5)
            except Exception as error:
                if kind_of(error) == "defect":
                    raise
                log.warning("relay_waits", error=type(error).__name__)
                self.shards = {}
                await asyncio.sleep(0.5)
            self._wanted.clear()
            try:
                async with asyncio.timeout(1):
                    await self._wanted.wait()
            except TimeoutError:
                continue

    async def flush(self) -> None:
        """Ends the running round, sends what is still in the outbox and gives the shards back; for the end of a service."""
        self._stopping = True
        try:
            async with self._sending:  # a round that is cut off has sent and not marked, and would be sent again
                while await self._round():
                    pass
                async with self._database.transaction() as connection:
                    await connection.execute(_RELEASE, {"owner": self._owner})
        except Exception as error:  # noqa: BLE001 - at the end nothing can be mended: what is unsent stays in the outbox
            log.warning("last_flush_failed", error=type(error).__name__)
        await self._drop_producer()

    async def _take_shards(self) -> None:
        async with self._database.transaction() as connection:
            rows = await connection.execute(_TAKE, {"owner": self._owner, "seconds": LEASE_SECONDS})
            self.shards = {row.shard: row.epoch for row in rows}

    async def _round(self) -> int:
        if not self.shards:
            return 0
        held = {"owner": self._owner, "shards": list(self.shards), "epochs": list(self.shards.values()), "round": ROUND}
        async with self._database.transaction() as connection:
            found = [
                _Row(row.id, row.aggregatetype, row.aggregateid, bytes(row.payload), _headers(row.headers))
                for row in await connection.execute(_READ, held)
            ]
        if not found:
            return 0
        producer = await self._started()
        async with asyncio.timeout(SEND_SECONDS):
            futures = [
                await producer.send(self._kafka.topic(row.topic), row.payload, key=row.key.encode(), headers=row.headers) for row in found
            ]
        sent = await self._await_all(futures)
        async with self._database.transaction() as connection:
            await connection.execute(_MARK, {"ids": [row.id for row in found]})
        assert len(sent) == len(found)
        return len(found)

    async def _await_all(self, futures: list[Any]) -> list[Any]:
        """Waits until Kafka has every record. While the broker is away the producer recovers by itself; only leases are renewed."""
        while True:
            done, waiting = await asyncio.wait(futures, timeout=LEASE_SECONDS / 3)
            if not waiting:
                return [future.result() for future in done]
            await self._take_shards()

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                **self._kafka.client(), acks="all", enable_idempotence=True, linger_ms=2, max_request_size=2 * 1024 * 1024
            )
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer

    async def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                async with asyncio.timeout(5):
                    await producer.stop()
            except (TimeoutError, KafkaError) as error:
                log.warning("producer_left_behind", error=type(error).__name__)


def _headers(stored: Any) -> list[tuple[str, bytes]]:
    pairs = json.loads(stored) if isinstance(stored, str) else stored
    return [(name, value.encode()) for name, value in pairs]
