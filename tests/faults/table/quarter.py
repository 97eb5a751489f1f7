"""One simulated quarter on running services: what a row of the table has in its hands to spoil, and how it sees the platform recover."""

import asyncio
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from tests.databases import database
from tests.faults.killing import CYCLE, Watch, publish_paced

from common.contracts.groups import groups_of
from common.contracts.topics import TOPICS
from devstack import Stack
from ops.platform import Platform
from ops.processes import ServiceProcess
from ops.publishing import publish
from ops.simulation.claims import Sent
from ops.simulation.quarter import SCHEME

AFTERSALES = str(Path(sys.executable).parent / "aftersales")
_AWAY = (OSError, TimeoutError, KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_LEADER = "SELECT owner FROM relay_lease WHERE until > clock_timestamp()"
_NEWEST = "SELECT coalesce(max(id), 0) FROM outbox"
_UNSENT = "SELECT count(*) FROM outbox WHERE published_at IS NULL AND refused IS NULL AND id <= $1"
_CLAIMS = {topic.name: topic.consumers[0] for topic in TOPICS if topic.kind == "claims"}
_CASE = re.compile(r"[RC]\d+-(\d+)")
_RECOVERS = 180.0


class Stuck(Exception):
    """The platform did not come back, or did not come to rest; the text says what is left."""


@dataclass(slots=True)
class Quarter:
    """A quarter under way."""

    stack: Stack
    platform: Platform
    services: Mapping[str, ServiceProcess]
    """By title."""
    sent: Sequence[Sent]
    """The claims of the simulator, in their order."""
    random: Random
    folder: Path
    watch: Watch
    inflicted: int = 0
    recovered: list[float] = field(default_factory=list)
    """Seconds from the end of each fault until everything that had come until then was handled and sent on."""
    letters: Counter[str] = field(default_factory=Counter)
    """By service, the dead letters that are right here."""
    beyond: str = ""
    """What the ids and cases that the row itself wrote begin with; they are not in the undisturbed run."""
    closed_before: bool = False
    """Whether the row closed the cycle itself in between, so that there are more versions of grades."""
    wrong: list[str] = field(default_factory=list)
    """What the row itself found wrong, in words."""

    @asynccontextmanager
    async def coming_in(self, part: Sequence[Sent] | None = None) -> AsyncIterator[None]:
        """Claims come in all the time while the block runs; it ends when all of them are sent."""
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(self.watch.look())
            sending = group.create_task(publish_paced(self.stack.kafka, self.sent if part is None else part, self.watch))
            try:
                yield
                await sending
            finally:
                sending.cancel()
                looking.cancel()

    async def publish(self, part: Sequence[Sent]) -> None:
        """Sends some claims."""
        await publish(self.platform.settings, part)

    async def send(self, part: Sequence[Sent]) -> None:
        """Sends some claims and waits until they have had their effects."""
        await self.publish(part)
        await self.settle()

    def halves(self) -> tuple[list[Sent], list[Sent]]:
        """The claims about one half of the cases, with all that is no case, and those about the other half.

        Whatever happens in between happens in the middle of no case: a case that falls silent would run into its deadlines.
        """
        numbers = {record.key: int(found[1]) for record in self.sent if (found := _CASE.match(record.key))}
        middle = sorted(set(numbers.values()))[len(set(numbers.values())) // 2]
        first = [record for record in self.sent if numbers.get(record.key, 0) < middle]
        return first, [record for record in self.sent if numbers.get(record.key, 0) >= middle]

    async def until(self, share: float) -> None:
        """Returns when this share of all claims was handled."""
        wanted = share * len(self.sent)
        await self.watch.until(lambda: self.handled() >= wanted)

    def handled(self) -> int:
        """How many claims were handled by now, while they are coming in."""
        return sum(self.watch.handled[owner].get(topic, 0) for topic, owner in _CLAIMS.items())

    def shares(self, times: int, last: float = 0.75) -> Iterator[float]:
        """So many points of progress, spread over the quarter."""
        return (last * (number + self.random.uniform(0.2, 0.8)) / times for number in range(times))

    @asynccontextmanager
    async def fault(self, times: int = 1) -> AsyncIterator[None]:
        """The block is a fault, from its beginning to its end; afterwards this waits until the platform has recovered."""
        yield
        self.inflicted += times
        began = time.monotonic()
        await self._recover(began + _RECOVERS)
        self.recovered.append(time.monotonic() - began)

    async def _recover(self, limit: float) -> None:
        ends = await self._patiently(self.platform.ends, limit)
        newest = await self._patiently(self._newest, limit)
        while left := await self._patiently(lambda: self._behind(ends, newest), limit):
            if time.monotonic() > limit:
                raise Stuck(f"not recovered after {_RECOVERS:g} s: {left}")
            await asyncio.sleep(0.2)

    async def _newest(self) -> dict[str, int]:
        return {service: await self.value(service, _NEWEST) for service in self.platform.services}

    async def _behind(self, ends: Mapping[tuple[str, int], int], newest: Mapping[str, int]) -> dict[str, str]:
        """By service what is left: of Kafka by what the groups have acknowledged, since a group may have been set back."""
        left = {}
        for service, unsent in [(service, await self.value(service, _UNSENT, newest[service])) for service in newest]:
            if unsent:
                left[service] = f"{unsent} unsent"
        for group, topics in groups_in(self.platform.services).items():
            acknowledged = await committed(self.stack.kafka, group)
            lag = sum(max(0, end - acknowledged.get(place, 0)) for place, end in ends.items() if place[0] in topics)
            if lag:
                left[group] = f"lag {lag}"
        return left

    async def _patiently(self, asked: Callable[[], Awaitable[Any]], limit: float) -> Any:
        """Asks again while a server is not back yet."""
        while True:
            try:
                return await asked()
            except _AWAY as error:
                if time.monotonic() > limit:
                    raise Stuck(f"a server is not back after {_RECOVERS:g} s: {type(error).__name__}") from error
                await asyncio.sleep(0.1)

    async def settle(self, limit: float = 120) -> None:
        """Returns when nothing is under way any more."""
        try:
            await self.platform.settled(limit)
        except TimeoutError as late:
            raise Stuck(str(late)) from late

    async def ask_to_close(self) -> None:
        """Somebody asks to close the cycle with all that is known now."""
        await self.platform.close_cycle(CYCLE, SCHEME, for_real=True)

    async def close(self) -> None:
        """The same, and it is closed."""
        await self.ask_to_close()
        await self.settle()

    async def value(self, service: str, query: str, *values: object) -> Any:
        """One value from the database of a service."""
        async with database(self.platform.database_url, service) as connection:
            return await connection.fetchval(query, *values)

    async def change(self, service: str, statement: str, *values: object) -> None:
        """Changes the database of a service by hand."""
        async with database(self.platform.database_url, service) as connection:
            await connection.execute(statement, *values)

    async def leader(self, service: str) -> ServiceProcess:
        """The replica that does what only one does."""
        owner = ""
        while not owner:
            owner = await self.value(service, _LEADER) or ""
            await asyncio.sleep(0.05)
        return next(one for one in self.replicas(service) if owner == f"{service}-{one.replica}")

    def replicas(self, service: str) -> list[ServiceProcess]:
        """The processes of a service."""
        return [one for one in self.services.values() if one.name == service]

    async def stop(self, service: str) -> None:
        """Every replica of a service, in good order."""
        await asyncio.gather(*(asyncio.to_thread(one.stop) for one in self.replicas(service)))

    def start(self, service: str) -> None:
        """Every replica of a service again."""
        for one in self.replicas(service):
            one.start()

    async def aftersales(self, *words: str) -> str:
        """What a command says, with the addresses in its environment as an operator has them; Stuck when it fails."""
        run = subprocess.run
        done = await asyncio.to_thread(
            run, [AFTERSALES, *words], env=self.platform.environment(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Stuck(f"aftersales {' '.join(words)} ended with {done.returncode}: {(done.stdout + done.stderr)[-400:]}")
        return done.stdout


def groups_in(services: Sequence[str]) -> dict[str, set[str]]:
    """The consumer groups of some services, each with its topics."""
    return {group: {topic.name for topic in topics} for service in services for group, topics in groups_of(service).items()}


async def committed(kafka: str, group: str) -> dict[tuple[str, int], int]:
    """What a group has acknowledged, by topic and partition."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka, request_timeout_ms=5000)
    try:
        await admin.start()
        found = await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()
    return {(place.topic, place.partition): at.offset for place, at in found.items()}


@contextmanager
def frozen(processes: Sequence[ServiceProcess]) -> Iterator[None]:
    """Some services stand still while the block runs."""
    for one in processes:
        one.freeze()
    try:
        yield
    finally:
        for one in processes:
            one.thaw()
