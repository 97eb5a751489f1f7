"""One running service: its database, broker, relay, timers and jobs, in the order in which they start and stop."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog

from common.contracts.topics import Topic
from common.kafka import membership
from common.kafka.broker import Broker, KafkaError, KafkaSettings, missing_topics
from common.kernel.errors import Malformed, Transient
from common.kernel.wall_clock import now
from common.runtime import health, sql_metrics
from common.runtime.consumer import STOP_AFTER, EventConsumer
from common.runtime.jobs import Job
from common.runtime.log_watch import LogWatch
from common.runtime.metrics import ChassisMetrics
from common.runtime.relay import Relay
from common.runtime.settings import ServiceSettings
from common.runtime.timers import TimerWorker
from common.store import dead_letters, migrations, outbox, parked, positions, waiting
from common.store.database import Database, kind_of
from common.store.dead_letters import DeadLetter
from common.store.replica_name import ReplicaName

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Chassis:
    """What a service stands on. `start` waits for everything it needs; `drain` and `stop` end it without losing anything."""

    name: str
    settings: ServiceSettings
    kafka: KafkaSettings
    database: Database
    broker: Broker
    consumer: EventConsumer
    relay: Relay
    replica: ReplicaName
    watch: LogWatch
    timers: TimerWorker
    metrics: ChassisMetrics
    topics: Sequence[str]
    consumed: Sequence[Topic]
    jobs: Sequence[Job] = ()
    own_metrics: Any = None
    """What the service's `metrics.declare` returned, for its jobs."""
    logged: dict[str, str] = field(default_factory=dict)
    """What a job has said in the log about each thing that it works on: said again when it changes."""
    on_failure: Callable[[], None] = lambda: None
    failed_workers: dict[str, str] = field(default_factory=dict)
    failed: bool = False
    ready: bool = False
    draining: bool = False
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self) -> None:
        """Waits for database, Kafka and topics, whichever comes last; gives up after the time that the settings allow."""
        try:
            await self._wait_for("the database", self._prepare_database)
            await self._wait_for("the replica's name", self._take_name)
            await self._wait_for("Kafka", self._find_topics)
            await self._wait_for("Kafka", self._look_first)
        except TimeoutError:
            self.fail()
            await asyncio.Event().wait()  # the process is ending; there is nothing to consume
        self._spawn("name", self._hold_name)
        self._spawn("relay", self.relay.run)
        self._spawn("relay lease", self.relay.lease.hold)
        self._spawn("lag", self._note_lag_for_ever)
        self._spawn("housekeeping", self._keep_house_for_ever)
        self._spawn("timers", self.timers.run)
        for job in self.jobs:
            self._spawn(f"job {job.name}", lambda job=job: self._run_job(job))  # type: ignore[misc]  # the default binds this job
        # what was imported lives as long as the process; batches of ten thousand records make the default thresholds pass all the time
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        self.ready = True
        log.info("started", topics=len(self.consumed))

    def fail(self) -> None:
        """Ends the process with an error: it cannot do its work, and another one could."""
        self.failed = True
        self.on_failure()

    async def problems(self) -> list[str]:
        """Why the service is not ready, in words."""
        if self.draining:
            return ["it is stopping"]
        if not self.ready:
            return ["it is starting"]
        return [*(f"{name}: {error}" for name, error in self.failed_workers.items()), *await health.problems(self.broker, self.database)]

    async def drain(self) -> None:
        """Says that no more work is wanted; the broker then finishes its batch."""
        self.draining = True

    async def stop(self) -> None:
        """Sends what was decided and closes everything; called when nothing is consumed any more."""
        await self._end([task for task in self._tasks if not task.get_name().startswith("relay")])
        try:
            async with asyncio.timeout(5):
                await self.relay.flush()
        except TimeoutError:
            log.warning("outbox_left_for_the_next_start")
        await self._end(self._tasks)
        self.replica.release()
        await self.watch.reader.close()
        await self.database.close()
        log.info("stopped")

    async def _end(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def refresh_metrics(self) -> None:
        """Reads the gauges that come from the database, on the one replica that shows them."""
        if not (self.ready and self.relay.is_leader):
            sql_metrics.clear(self.metrics)
            if self.own_metrics is not None:
                self.own_metrics.clear()
            return
        async with self.database.transaction() as connection:
            rulebook = (await self.consumer.documents.now(connection)).rulebook
            await sql_metrics.refresh(connection, self.metrics, rulebook)

    async def _wait_for(self, what: str, attempt: Callable[[], Awaitable[str | None]]) -> None:
        """Tries until `attempt` says nothing is missing; when the time is over, says what still is."""
        missing: str | None = f"{what} at {self._address(what)} did not answer"
        try:
            async with asyncio.timeout(self.settings.start_seconds):
                while (missing := await self._missing(what, attempt)) is not None:
                    log.warning("waiting", for_=missing)
                    await asyncio.sleep(1)
        except TimeoutError:
            log.error("gave_up", for_=missing, after_seconds=self.settings.start_seconds)
            raise

    async def _missing(self, what: str, attempt: Callable[[], Awaitable[str | None]]) -> str | None:
        try:
            return await attempt()
        except (OSError, TimeoutError, KafkaError) as error:
            # a wrong password, mechanism or host name looks exactly like a server that is down
            return f"{what} at {self._address(what)} is down, or refuses this client ({type(error).__name__})"
        except Exception as error:
            if kind_of(error) != "transient":
                raise
            return f"{what} at {self._address(what)} is not ready ({type(error).__name__})"

    def _address(self, what: str) -> str:
        return self.kafka.bootstrap_servers if what == "Kafka" else f"{self.database.url.host}:{self.database.url.port}"

    async def _prepare_database(self) -> None:
        await self.database.create_if_missing()
        await migrations.upgrade(self.database)

    async def _take_name(self) -> str | None:
        if await self.replica.take():
            return None
        return f"its own name: another process of {self.name} runs as replica {self.settings.replica}, and each needs its own name"

    async def _hold_name(self) -> None:
        await self.replica.hold()
        log.error("replica_name_lost", replica=self.settings.replica)
        self.failed_workers["replica"] = "another process has its name"
        self.fail()

    async def _find_topics(self) -> str | None:
        missing = await missing_topics(self.kafka, self.topics)
        return f"topics {', '.join(missing)}: create them with `aftersales topics apply`" if missing else None

    async def _look_first(self) -> None:
        """Nothing is consumed before the positions were held against the logs: a restored database would be passed over."""
        await self.watch.look()

    def _spawn(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        self._tasks.append(asyncio.create_task(self._keep_running(name, run), name=name))

    async def _keep_running(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """A worker that ends by a defect makes the service unready, tells, and is started again."""
        while True:
            try:
                return await run()
            except Exception as error:
                self.failed_workers[name] = type(error).__name__
                log.error("worker_failed", worker=name, exc_info=error)
                await asyncio.sleep(1)
                self.failed_workers.pop(name, None)

    async def _note_lag_for_ever(self) -> None:
        while True:
            try:
                async with asyncio.timeout(15):
                    await self.note_lag()
                await asyncio.sleep(0.5)
            except Exception as error:
                if kind_of(error) == "defect" and not isinstance(error, KafkaError):
                    raise
                log.warning("lag_unknown", error=type(error).__name__)
                await asyncio.sleep(2)

    async def note_lag(self) -> None:
        """Goes where a position was set anew; on the replica that leads, holds all positions against their logs and shows the lag."""
        await self.watch.follow(self.broker)
        if self.relay.is_leader:
            await self.watch.look()
        else:
            self.watch.rest()
        self.metrics.lags(self.watch.lags)

    async def ends_of(self, topics: Collection[str]) -> dict[str, int]:
        """Where each partition of topics that this service reads ends now, by a look that notes holes: `{"kpi-facts/0": 1234}`."""
        try:
            logs = await self.watch.look()
        except KafkaError as error:
            raise Transient("Kafka does not say where its topics end") from error
        return {f"{topic}/{partition}": found.end for (topic, partition), found in logs.items() if topic in topics}

    async def _keep_house_for_ever(self) -> None:
        while True:
            try:
                await self._dead_letter_expired()
                if self.relay.is_leader:
                    await self.consumer.resume_stranded()
                await self._redrive()
                await self._pause_halted()
                self._end_if_fenced()
            except Exception as error:
                if kind_of(error) == "defect":
                    raise
                log.warning("housekeeping_waits", error=type(error).__name__)
            await asyncio.sleep(1)

    def _end_if_fenced(self) -> None:
        for topics, consumer in self.broker.consumers():
            if membership.fenced(consumer):
                log.error("replica_fenced", topics=len(topics), replica=self.settings.replica)
                self.fail()

    async def _dead_letter_expired(self) -> None:
        """What has waited for too long becomes a dead letter."""
        async with self.database.transaction() as connection:
            found = await waiting.expired(connection, timedelta(hours=self.settings.wait_hours))
            letters = list(found.letters)
            for wait in found.events:
                rule = wait.missing if wait.missing == waiting.UNKNOWN_AGGREGATE else "missing_predecessor"
                problem = Malformed(rule, field="data", reason=f"waited {self.settings.wait_hours:g} hours for: {wait.missing}")
                letters.append(DeadLetter.of(wait.received, problem, forget=True))
            await outbox.insert(connection, await dead_letters.insert(connection, self.name, letters, now()))
            await parked.park(connection, (), found.spoilt)

    async def _redrive(self) -> None:
        """Replays parked aggregates that an operator has released; one that fails again loses its mark."""
        while True:
            async with self.database.reading() as connection:
                found = await parked.next_redrive(connection)
            if found is None:
                return
            await self.consumer.redrive(found)

    async def _pause_halted(self) -> None:
        """After 50 defects in a row a partition stops, until `aftersales resume` clears the mark."""
        for topic, partition in self.consumer.halts_wanted():
            log.error("partition_halted", topic=topic, partition=partition, defects_in_a_row=STOP_AFTER)
            async with self.database.transaction() as connection:
                await positions.halt(connection, (topic, partition))
        async with self.database.reading() as connection:
            halted = await positions.halted(connection)
        for _, consumer in self.broker.consumers():
            for place in consumer.assignment():
                if (self.kafka.name_of(place.topic), place.partition) in halted:
                    consumer.pause(place)
                elif place in consumer.paused():
                    consumer.resume(place)

    async def _run_job(self, job: Job) -> None:
        while True:
            if self.relay.is_leader:
                try:
                    await job.function(self)
                except Exception as error:
                    if kind_of(error) == "defect":
                        raise
                    log.warning("job_waits", job=job.name, error=type(error).__name__)
            await asyncio.sleep(job.seconds)
