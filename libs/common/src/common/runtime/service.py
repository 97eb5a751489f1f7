"""A whole service in one call: `service("complaints", settings, handlers=HANDLERS, unit_of_work=UnitOfWork, …)`."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import ModuleType
from typing import Any

import uvicorn
from faststream.asgi import AsgiFastStream, AsgiResponse, get
from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from common.contracts.groups import groups_of
from common.contracts.topics import TOPICS, consumed_by
from common.kafka.broker import Broker, KafkaSettings, subscribe
from common.kafka.log_reader import LogReader
from common.kafka.records import from_kafka
from common.kernel.reference import Kind
from common.runtime import logging
from common.runtime.chassis import Chassis
from common.runtime.consumer import EventConsumer
from common.runtime.handling import HandlerTable
from common.runtime.jobs import jobs_in
from common.runtime.log_watch import LogWatch
from common.runtime.metrics import ChassisMetrics
from common.runtime.relay import Relay
from common.runtime.settings import ServiceSettings
from common.runtime.timers import TimerWorker
from common.runtime.unit_of_work import UnitOfWork
from common.sla.policy import load_policy
from common.store.database import Database, kind_of
from common.store.documents import DocumentsCache
from common.store.replica_name import ReplicaName

VERSION = "0.1.0"
CASE_BATCH = 400
"""So many events at most are one transaction: half as many cost a tenth more each, since a transaction has some twenty round trips."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """How topics are read that are taken in large batches, set-based, instead of one use case an event (appraisal's `kpi-facts`)."""

    max_records: int
    handle: Callable[[Chassis, Sequence[Any]], Awaitable[None]]


class Application(AsgiFastStream):
    """The ASGI side of a service: `/metrics`, `/health/live`, `/health/ready`, `/asyncapi.json`."""

    def __init__(self, chassis: Chassis) -> None:
        super().__init__(
            chassis.broker,
            logger=None,
            asgi_routes=_routes(chassis),
            on_shutdown=[chassis.drain],
            after_shutdown=[chassis.stop],
        )
        self.chassis = chassis
        chassis.broker.before_start = chassis.start

        @get(include_in_schema=False)
        async def asyncapi(scope: Any) -> AsgiResponse:  # noqa: ARG001 - the shape of a route
            return AsgiResponse(self.schema.to_specification().to_json().encode(), 200, {"content-type": "application/json"})

        self.mount("/asyncapi.json", asyncapi)


def service(
    name: str,
    settings: ServiceSettings,
    *,
    handlers: HandlerTable,
    unit_of_work: type[UnitOfWork],
    jobs: ModuleType | None = None,
    bulk: Bulk | None = None,
    documents: Sequence[Kind[Any]] = (),
    own_metrics: Callable[[CollectorRegistry], Any] = lambda _: None,
) -> Application:
    """The service `name`, ready to be run: nothing connects before `run`. `documents` are the kinds that it decides by."""
    kafka = KafkaSettings(settings.kafka_bootstrap_servers, f"{name}-{settings.replica}", settings.kafka_prefix)
    database = Database(settings.database_url, name)
    metrics = ChassisMetrics(name, VERSION, load_policy(name).stages, CollectorRegistry(), prefix=settings.kafka_prefix)
    relay = Relay(database, kafka, kafka.client_id, transactional_id=f"{name}-relay", keep_days=settings.outbox_keep_days)
    reader = LogReader(kafka, {group: [topic.name for topic in topics] for group, topics in groups_of(name).items()})
    consumer = EventConsumer(name, database, handlers, unit_of_work, DocumentsCache(name, documents), metrics, relay.wake, reader.unread)
    timers = TimerWorker(
        name,
        database,
        handlers,
        unit_of_work,
        consumer.documents,
        metrics,
        is_leader=lambda: relay.is_leader,
        wake=relay.wake,
        partitions=sum(topic.partitions for topic in consumed_by(name)),
        max_lag_wait=settings.max_lag_wait,
        replay_idle=timedelta(seconds=settings.replay_idle_seconds),
    )
    chassis = Chassis(
        name=name,
        settings=settings,
        kafka=kafka,
        database=database,
        broker=Broker(kafka),
        consumer=consumer,
        relay=relay,
        replica=ReplicaName(database, settings.replica),
        watch=LogWatch(database, reader, {topic.name for topic in consumed_by(name) if topic.compacted}),
        timers=timers,
        metrics=metrics,
        topics=_topics_of(name),
        consumed=consumed_by(name),
        jobs=jobs_in(jobs),
        own_metrics=own_metrics(metrics.registry),
    )
    _subscribe(chassis, bulk)
    return Application(chassis)


def _subscribe(chassis: Chassis, bulk: Bulk | None) -> None:
    """One subscriber for each consumer group of the service, which begins once the chassis has started."""
    chassis.broker.before_start = chassis.start

    async def on_cases(batch: Sequence[Any]) -> None:
        await chassis.consumer.consume([from_kafka(record) for record in batch])

    async def on_bulk(batch: Sequence[Any]) -> None:
        assert bulk is not None
        await chassis.consumer.see_documents()
        await bulk.handle(chassis, batch)

    for group, topics in groups_of(chassis.name).items():
        size, handle = (bulk.max_records, on_bulk) if bulk is not None and topics[0].bulk else (CASE_BATCH, on_cases)
        names, replica = [topic.name for topic in topics], chassis.settings.replica
        subscribe(chassis.broker, names, group=group, replica=replica, max_records=size, handle=handle)


def _topics_of(name: str) -> list[str]:
    """Every topic that the service reads or writes."""
    own = [topic.name for topic in TOPICS if name in topic.producers or name in topic.consumers]
    return own + [topic.dead_letters(name) for topic in consumed_by(name)]


def _routes(chassis: Chassis) -> list[tuple[str, Any]]:
    @get(include_in_schema=False)
    async def live(scope: Any) -> AsgiResponse:  # noqa: ARG001 - the shape of a route
        return AsgiResponse(b"alive\n", 200)

    @get(include_in_schema=False)
    async def ready(scope: Any) -> AsgiResponse:  # noqa: ARG001 - the shape of a route
        problems = await chassis.problems()
        return AsgiResponse(("\n".join(problems) or "ready").encode() + b"\n", 503 if problems else 200)

    @get(include_in_schema=False)
    async def metrics(scope: Any) -> AsgiResponse:  # noqa: ARG001 - the shape of a route
        try:
            await chassis.refresh_metrics()
        except Exception as error:
            if kind_of(error) == "defect":
                raise
        return AsgiResponse(generate_latest(chassis.metrics.registry), 200, {"content-type": CONTENT_TYPE_PLAIN_0_0_4})

    return [("/health/live", live), ("/health/ready", ready), ("/metrics", metrics)]


class _Server(uvicorn.Server):
    """Stops on the first signal and exits with 0: uvicorn would raise the signal again once it has stopped."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def run(application: Application) -> None:
    """Runs the service until SIGTERM or SIGINT; exits with 1 when it could not start."""
    chassis = application.chassis
    settings = chassis.settings
    logging.configure(chassis.name, settings.log_level)
    config = uvicorn.Config(
        application,
        host=settings.http_host,
        port=settings.http_port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    server = _Server(config)

    def give_up() -> None:
        server.should_exit = True

    chassis.on_failure = give_up
    disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it untyped
    asyncio.run(server.serve())
    sys.exit(1 if chassis.failed else 0)
