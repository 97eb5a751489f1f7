"""The look at Kafka's logs, twice a second on one replica: is anything missing, how far is the service behind, has it caught up."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import text

from common.kafka.broker import Broker
from common.kafka.log_reader import Log, LogReader
from common.kafka.records import TopicPartition
from common.store import log_comparison, positions
from common.store.database import Database
from common.store.positions import Position

_CLOCK = text("SELECT clock_timestamp()")


class LogWatch:
    """Compares the positions in the database with the logs on Kafka, for every partition, whoever reads it."""

    def __init__(self, database: Database, reader: LogReader, compacted: Collection[str]) -> None:
        self._database = database
        self.reader = reader
        self._compacted = compacted
        self._looking = asyncio.Lock()
        self._blind = True
        """Whether Kafka has not been seen since the last look, or never: it may have come back with other records."""
        self.lags: Mapping[TopicPartition, int] = {}

    def rest(self) -> None:
        """Another replica looks now; when this one does again, it trusts nothing that it saw before."""
        self._blind, self.lags = True, {}

    async def follow(self, broker: Broker) -> None:
        """Lets this replica's readers go where a position was set anew, and find a topic again that was gone for a while.

        A partition is sought until a batch has begun where its position was set: a batch that failed meanwhile goes back too.
        """
        async with self._database.reading() as connection:
            wanted = await positions.to_seek(connection)
        for topics, consumer in broker.consumers():
            if any(consumer.partitions_for_topic(broker.kafka.topic(topic)) is None for topic in topics):
                await consumer._client.force_metadata_update()  # else they are read again half a minute later
            for place in consumer.assignment() if wanted else ():
                offset = wanted.get((broker.kafka.name_of(place.topic), place.partition))
                if offset is not None and await consumer.position(place) != offset:
                    consumer.seek(place, offset)

    async def look(self) -> Mapping[TopicPartition, Log]:
        """One look: notes holes and lag, and returns the logs as they were."""
        async with self._looking:
            try:
                found = await self._look()
            except BaseException:
                self._blind = True
                raise
            self._blind = False
            return found

    async def _look(self) -> Mapping[TopicPartition, Log]:
        async with self._database.reading() as connection:
            # the database's time is read before Kafka's ends: what came later may be unseen
            at: datetime = (await connection.execute(_CLOCK)).scalar_one()
            before = await positions.all_of(connection)
        logs = await self.reader.look()
        refilled = await self._refilled(before, logs) if self._blind else {}
        async with self._database.transaction() as connection:
            await positions.ensure(connection, logs.keys() - before.keys())
            await log_comparison.compare(connection, self.reader, before, logs, refilled)
            self.lags = await positions.note_lag(connection, {place: found.end for place, found in logs.items()}, at)
        return logs

    async def _refilled(self, before: Mapping[TopicPartition, Position], logs: Mapping[TopicPartition, Log]) -> dict[TopicPartition, int]:
        """Where a log was set back and has grown beyond the position since: another record stands where the last handled one stood.

        Only looked for when Kafka was away meanwhile, or this process was: a log is not set back under a running broker.
        """
        handled = {
            place: (position.next_offset - 1, position.last_appended)
            for place, position in before.items()
            if position.last_appended is not None and place in logs and place[0] not in self._compacted
        }
        wanted = {place: offset for place, (offset, _) in handled.items() if logs[place].start <= offset < logs[place].end}
        stands = await self.reader.appended_at(wanted)
        return {place: appended for place, appended in stands.items() if appended != handled[place][1]}
