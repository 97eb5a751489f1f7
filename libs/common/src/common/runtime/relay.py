"""The outbox relay: sends decided events to Kafka in the order of their keys, again and again until Kafka has them.

One replica sends at a time, the one that holds the service's lease. It reads rows only under its lease and after it has got
its producer, so that whoever takes the lease from it has the newer producer, and Kafka refuses what the older one still
sends (ADR 0004). A record may be sent twice when the relay dies between sending and marking; it then has the same event id,
which every consumer's inbox knows.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    ProducerFenced,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from common.kafka import fenced_producer
from common.kafka.settings import KafkaSettings
from common.runtime.relay_batches import Filled, filled
from common.store import outbox, parked
from common.store.database import Database, kind_of
from common.store.lease import Lease
from common.store.outbox import ToSend

log = structlog.get_logger(__name__)

START_SECONDS = 30
RENEW_SECONDS = 24 * 3600
"""How old a producer becomes: Kafka forgets a transactional id that nobody has asked for in seven days, and with it its epoch."""
TOPIC_SECONDS = 2
"""How long a topic has to show itself, while all others wait."""
SHUT_SECONDS = 15
"""How long one that does not, or that Kafka does not let us write to, is then left alone."""

_OF_THE_RECORD = (MessageSizeTooLargeError, RecordListTooLargeError, PolicyViolationError)
_OF_THE_TOPIC = (UnknownTopicOrPartitionError, TopicAuthorizationFailedError, InvalidTopicError)


class _LeaseLost(Exception):
    """Another replica may be sending by now."""


@dataclass(slots=True)
class _Outcome:
    """What became of the rows of one round; a row that is in none of these stays unsent and comes again."""

    sent: list[int] = field(default_factory=list)
    refused: list[tuple[ToSend, str]] = field(default_factory=list)
    suspects: set[int] = field(default_factory=set)
    """Kafka refused the batch in which they were: sent alone, they show which of them it meant."""
    error: BaseException | None = None
    """Why the producer cannot go on."""

    def add(self, rows: Sequence[ToSend], error: BaseException, *, alone: bool) -> None:
        """The rows of a batch that has failed, or one that was sent `alone`."""
        if isinstance(error, _OF_THE_RECORD):
            if alone:
                self.refused += [(row, type(error).__name__) for row in rows]
            else:
                self.suspects |= {row.id for row in rows}
        if self.error is None or isinstance(error, ProducerFenced):
            self.error = error


class Relay:
    """Owns a producer of its own, and sends while this replica holds the service's lease."""

    def __init__(self, database: Database, kafka: KafkaSettings, owner: str, *, transactional_id: str, keep_days: int = 7) -> None:
        self.lease = Lease(database, owner)
        self._database = database
        self._kafka = kafka
        self._transactional_id = transactional_id
        self._keep_days = keep_days
        self._producer: AIOKafkaProducer | None = None
        self._producer_is: tuple[int, float] = (0, 0.0)
        """The epoch of the lease for which the producer was made, and when."""
        self._wanted = asyncio.Event()
        self._stopping = False
        self._sending = asyncio.Lock()
        self._suspects: set[int] = set()
        self._shut: dict[str, float] = {}
        """Topics that take nothing from us, each with the time at which it is tried again."""

    @property
    def is_leader(self) -> bool:
        """Whether this replica holds the lease, and with it does what only one replica does."""
        return self.lease.epoch is not None

    def wake(self) -> None:
        """Tells the relay that there is something to send."""
        self._wanted.set()

    async def run(self) -> None:
        """Sends until it is cancelled or told to stop; `lease.hold` has to run beside it."""
        loop = asyncio.get_running_loop()
        forget_at = loop.time()
        while not self._stopping:
            async with self._sending:
                try:
                    while not self._stopping and await self._round():
                        pass
                    if self.is_leader and loop.time() > forget_at:
                        forget_at = loop.time() + 60
                        async with self._database.transaction() as connection:
                            await outbox.forget(connection, self._keep_days)
                except (KafkaError, _LeaseLost) as error:
                    await self._begin_anew(error)
                except Exception as error:
                    if kind_of(error) == "defect":
                        raise
                    log.warning("relay_waits", error=type(error).__name__)
                    await asyncio.sleep(0.5)
            self._wanted.clear()
            try:
                async with asyncio.timeout(1):
                    await self._wanted.wait()
            except TimeoutError:
                continue

    async def flush(self) -> None:
        """Ends the running round, sends what is still in the outbox and gives the lease back; for the end of a service."""
        self._stopping = True
        try:
            async with self._sending:  # a round that is cut off has sent and not marked, and would be sent again
                while await self._round():
                    pass
                await self.lease.release()
        except Exception as error:  # noqa: BLE001 - at the end nothing can be mended: what is unsent stays in the outbox
            log.warning("last_flush_failed", error=type(error).__name__)
        finally:
            await self._drop_producer()

    async def _begin_anew(self, error: BaseException) -> None:
        """Another producer is needed, and after a fence the lease as well."""
        if isinstance(error, ProducerFenced):
            log.warning("relay_fenced", epoch=self.lease.epoch)
            self.lease.drop()
        elif isinstance(error, _LeaseLost):
            log.warning("relay_stops_without_its_lease")
        else:
            log.warning("relay_rebuilds_its_producer", error=type(error).__name__)
        await self._drop_producer()
        await asyncio.sleep(0.5)

    async def _round(self) -> bool:
        """Sends the next rows, and tells whether there may be more."""
        epoch = self.lease.epoch
        if epoch is None:
            await self._drop_producer()
            return False
        producer = await self._producer_of(epoch)  # before the rows are read, see above
        async with self._database.reading() as connection:
            rows, more = await outbox.unsent(connection, self.lease.owner, epoch, self._topics_shut())
        if not rows:
            return False
        outcome = await self._send(producer, epoch, rows)
        async with self._database.transaction() as connection:
            await outbox.mark(connection, outcome.sent, outcome.refused)
            await parked.park(connection, [], {row.aggregate: outbox.UNSENDABLE for row, _ in outcome.refused if row.aggregate})
        for row, reason in outcome.refused:
            log.error("event_refused_by_kafka", id=row.id, topic=row.topic, aggregate=row.aggregate, error=reason)
        self._suspects = outcome.suspects
        if outcome.error is not None:
            raise outcome.error
        return more

    async def _send(self, producer: AIOKafkaProducer, epoch: int, rows: Sequence[ToSend]) -> _Outcome:
        """Hands the rows to the producer in their order and waits until Kafka has answered for all of them."""
        outcome = _Outcome()
        one_by_one = bool(self._suspects)
        futures: dict[asyncio.Future[Any], Filled] = {}
        try:
            partitions = {topic: await self._partitions(producer, topic) for topic in dict.fromkeys(row.topic for row in rows)}
            batches, outcome.refused = filled(producer, rows, partitions, alone=one_by_one)
            newest: dict[tuple[str, int], asyncio.Future[Any]] = {}
            for batch in batches:
                self._check(epoch)
                before = newest.get(batch.place)
                if before is not None:  # what it holds may have to come before this one, and Kafka may refuse it alone
                    await self._answered([before], epoch)
                    if before.exception() is not None:
                        continue
                newest[batch.place] = future = await self._hand_over(producer, epoch, batch)
                futures[future] = batch
                if one_by_one:
                    await self._answered([future], epoch)
                    if future.exception() is not None:
                        break
            await self._answered(list(futures), epoch)
        except (KafkaError, _LeaseLost) as error:
            outcome.error = error
        for future, batch in futures.items():
            if future.done() and (failed := future.exception()) is not None:
                outcome.add(batch.rows, failed, alone=one_by_one)
                if isinstance(failed, _OF_THE_TOPIC):
                    self._shut_topic(batch.place[0], failed)
            elif future.done():
                outcome.sent += [row.id for row in batch.rows]
        return outcome

    async def _hand_over(self, producer: AIOKafkaProducer, epoch: int, batch: Filled) -> asyncio.Future[Any]:
        """Gives one batch to the producer, however long it takes: while Kafka is away it waits, and recovers by itself."""
        while True:
            try:
                future: asyncio.Future[Any] = await producer.send_batch(
                    batch.builder, self._kafka.topic(batch.place[0]), partition=batch.place[1]
                )
            except KafkaTimeoutError:  # one for the partition waits already; this one does not
                self._check(epoch)
            else:
                future.add_done_callback(_seen)
                return future

    async def _answered(self, futures: Sequence[asyncio.Future[Any]], epoch: int) -> None:
        """Waits for Kafka's answers, as long as this replica holds the lease."""
        while futures:
            _, waiting = await asyncio.wait(futures, timeout=1)
            if not waiting:
                return
            self._check(epoch)

    def _check(self, epoch: int) -> None:
        if self.lease.epoch != epoch:
            raise _LeaseLost

    async def _partitions(self, producer: AIOKafkaProducer, topic: str) -> Sequence[int]:
        """The partitions of a topic; none where it is not there for us, which keeps only its own records waiting."""
        try:
            async with asyncio.timeout(TOPIC_SECONDS):
                return sorted(await producer.partitions_for(self._kafka.topic(topic)))
        except (TimeoutError, *_OF_THE_TOPIC) as error:
            self._shut_topic(topic, error)
            return ()

    def _shut_topic(self, topic: str, error: BaseException) -> None:
        log.warning("topic_takes_nothing", topic=topic, error=type(error).__name__)
        self._shut[topic] = asyncio.get_running_loop().time() + SHUT_SECONDS

    def _topics_shut(self) -> list[str]:
        now = asyncio.get_running_loop().time()
        self._shut = {topic: until for topic, until in self._shut.items() if until > now}
        return list(self._shut)

    async def _producer_of(self, epoch: int) -> AIOKafkaProducer:
        """The producer that was made for this epoch of the lease."""
        now = asyncio.get_running_loop().time()
        made_for, at = self._producer_is
        if self._producer is not None and (made_for != epoch or now - at > RENEW_SECONDS):
            await self._drop_producer()
        if self._producer is None:
            async with asyncio.timeout(START_SECONDS):
                self._producer = await fenced_producer.start(self._kafka, self._transactional_id)
            self._producer_is = epoch, now
        return self._producer

    async def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await fenced_producer.abandon(producer)


def _seen(future: asyncio.Future[Any]) -> None:
    """An answer that comes after nobody waits any more is no error of the event loop's."""
    if not future.cancelled():
        future.exception()
