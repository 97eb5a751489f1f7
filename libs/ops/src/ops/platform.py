"""A running platform, looked at from outside: have the services finished, what did they do, which grades are there."""

import asyncio
import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from common.contracts.claims.appraisal import CycleCloseRequested
from common.contracts.envelope import encode
from common.contracts.event import Envelope
from common.contracts.topics import BY_NAME, consumed_by, topic_of
from common.kafka.settings import KafkaSettings
from common.kernel.ids import derived_id
from common.kernel.wall_clock import now
from common.store import outbox, positions, timers
from ops import contributed
from ops.connection import database
from ops.publishing import publish
from ops.simulation.claims import Sent


@dataclass(frozen=True, slots=True)
class Platform:
    """Where it runs."""

    kafka: str
    database_url: str
    services: tuple[str, ...]
    prefix: str = ""
    """What stands before every name on Kafka."""

    @property
    def settings(self) -> KafkaSettings:
        """Its Kafka, for a client that looks at it from outside."""
        return KafkaSettings(self.kafka, "aftersales-platform", self.prefix)

    def environment(self) -> dict[str, str]:
        """The environment in which a command finds this platform."""
        where = {"KAFKA_BOOTSTRAP_SERVERS": self.kafka, "KAFKA_PREFIX": self.prefix, "DATABASE_URL": self.database_url}
        return {**os.environ, **where}  # noqa: TID251 - a child gets what its parent has

    async def counts(self) -> dict[str, dict[str, int]]:
        """What each service took in and gave out, from its database, with its lag: the report of the demo (interfaces 2)."""
        ends = await self.ends()
        found = {}
        for service in self.services:
            async with database(self.database_url, service) as connection:
                published, unpublished = await outbox.counts(connection)
                counts = {**await positions.totals(connection), "published": published, "outbox_unpublished": unpublished}
                passed = await positions.next_offsets(connection)
            own = {topic.name for topic in consumed_by(service)}
            counts["lag"] = sum(end - passed.get(place, 0) for place, end in ends.items() if place[0] in own)
            found[service] = counts
        return found

    async def ends(self) -> dict[tuple[str, int], int]:
        """Where each partition that its services read ends now, by topic and partition."""
        kafka = self.settings
        topics = {topic.name for service in self.services for topic in consumed_by(service)}
        places = [TopicPartition(kafka.topic(name), partition) for name in sorted(topics) for partition in range(BY_NAME[name].partitions)]
        async with AIOKafkaConsumer(**kafka.client()) as consumer:
            return {(kafka.name_of(place.topic), place.partition): end for place, end in (await consumer.end_offsets(places)).items()}

    async def settled(self, limit: float = 120, every: float = 0.4) -> None:
        """Returns when everything that was sent has had its effect: no lag, nothing unsent, due or unfinished.

        It looks `every` so many seconds. TimeoutError, with what is left, after `limit` seconds.
        """
        end = time.monotonic() + limit
        calm = 0
        while calm < 2:  # an event may be between two services at the first look
            left = await self._left()
            calm = 0 if left else calm + 1
            if left and time.monotonic() > end:
                raise TimeoutError(f"still at work after {limit:g} seconds: {left}")
            await asyncio.sleep(every)

    async def _left(self) -> dict[str, Any]:
        left: dict[str, Any] = {}
        try:
            counts = await self.counts()
        except (asyncpg.PostgresError, OSError) as error:
            return {"databases": type(error).__name__}
        for service, found in counts.items():
            async with database(self.database_url, service) as connection:
                due = (await timers.overdue(connection)).not_parked
                unfinished = await contributed.unfinished(service, connection)
            if found["lag"] or found["outbox_unpublished"] or due or any(unfinished.values()):
                left[service] = {"lag": found["lag"], "unpublished": found["outbox_unpublished"], "timers_due": due, **unfinished}
        return left

    async def close_cycle(self, cycle: str, scheme: str, *, as_of: datetime | None = None, for_real: bool = False) -> None:
        """Asks for the close of a cycle with all that is known now, or as of another instant; one that lies ahead is a plan."""
        moment = as_of or now()
        asked_at = min(moment, now())
        key = f"{cycle}|{scheme}"
        claim = CycleCloseRequested(cycle_key=key, cycle=cycle, scheme=scheme, as_of=moment, for_real=for_real)
        id = derived_id(asked_at, "aftersales", key, moment.isoformat())
        value, headers = encode(claim, Envelope(id, "/aftersales/operator", claim.TYPE, key, asked_at, asked_at), key=key)
        topic = topic_of(CycleCloseRequested).name
        await publish(self.settings, [Sent(asked_at, topic, key, value, tuple(headers))])

    async def grades(self) -> list[dict[str, Any]]:
        """The current version of every grade, as it was published, ordered by its key."""
        found: list[dict[str, Any]] = []
        for service, current_grades in contributed.functions(contributed.GRADES).items():
            async with database(self.database_url, service) as connection:
                found += await current_grades(connection)
        return found


def grades_digest(grades: Sequence[Mapping[str, Any]]) -> str:
    """One name for a set of current grades: equal in two runs exactly when every grade is the same from the same inputs."""
    lines = sorted("|".join(str(grade[name]) for name in ("grade_key", "score_exact", "grade", "digest")) for grade in grades)
    return f"sha256:{hashlib.sha256(chr(10).join(lines).encode()).hexdigest()}"
