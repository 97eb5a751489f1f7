"""How many promises were kept: the service says after kill -9 what an undisturbed run has counted, for a window and for any period."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from tests.faults.kit import Base, base_of, settled, until
from tests.faults.timer_worker import worker_on
from tests.harness import claim, service_on

from common.contracts.claims.complaints import ComplainantTold, ComplaintLodged, VerificationBegun
from common.contracts.envelope import Record
from common.contracts.event import Claim
from common.kafka import topic_admin
from common.kafka.broker import KafkaSettings
from common.kernel.wall_clock import now
from common.runtime.metrics import ChassisMetrics
from common.sla.policy import load_policy
from devstack import Stack
from ops.processes import ServiceProcess, services

pytestmark = pytest.mark.real

TOPIC = "complaint-claims"
STAGES = ("acknowledged", "verification_started")
Kept = Counter[tuple[str, str]]
"""By stage and outcome."""

_OF_A_PERIOD = """
SELECT stage, outcome, count(*)::int AS number FROM clocks
WHERE outcome IN ('met', 'breached') AND closed_at >= $1 AND closed_at < $2 GROUP BY 1, 2
"""
_TOLD = """
SELECT split_part(aggregateid, ':', 3) AS stage, split_part(type, '.', 2) AS outcome,
       (SELECT (h ->> 1)::timestamptz FROM json_array_elements(headers) h WHERE h ->> 0 = 'ce_time') AS at
FROM outbox WHERE type IN ('sla_clock.met', 'sla_clock.breached')
"""


def told(number: int, begin: datetime) -> Iterator[Record]:
    """What is said about so many complaints of the last weeks: of five, three are acknowledged at once, one late and one never."""
    for n in range(number):
        id, at = f"P{n}", begin + timedelta(minutes=97 * n)
        said: list[tuple[Claim, datetime]] = [
            (ComplaintLodged(complaint_id=id, customer_id="K1", category="noise", region="north", handled_by="E1"), at)
        ]
        if n % 5 < 4:
            said.append((ComplainantTold(complaint_id=id, by="E1"), at + (timedelta(hours=1) if n % 5 < 3 else timedelta(days=14))))
        if n % 3:
            said.append((VerificationBegun(complaint_id=id, by="E2"), at + timedelta(hours=2)))
        yield from (claim(event, when) for event, when in sorted(said, key=lambda one: one[1]))


def outcomes(families: Iterable[Metric]) -> Kept:
    """What the counters of a process show."""
    return +Counter(
        {
            (sample.labels["stage"], sample.labels["outcome"]): int(sample.value)
            for family in families
            for sample in family.samples
            if sample.name == "aftersales_sla_outcomes_total"
        }
    )


def compliance(service: ServiceProcess, window: str) -> dict[str, float]:
    """What the gauge of a running service shows for each stage."""
    return {
        sample.labels["stage"]: sample.value
        for family in text_string_to_metric_families(service.get("/metrics")[1])
        for sample in family.samples
        if sample.name == "aftersales_sla_compliance_ratio" and sample.labels["window"] == window
    }


def ratios(kept: Kept) -> dict[str, float]:
    """Met as a share of all, by stage."""
    stages = {stage for stage, _ in kept}
    return {stage: float(Fraction(kept[stage, "met"], kept[stage, "met"] + kept[stage, "breached"])) for stage in stages}


async def undisturbed(database: str, records: list[Record]) -> Kept:
    """What the service counts when nothing happens to it."""
    async with service_on("complaints", database) as service:
        registry = CollectorRegistry()
        service.consumer.metrics = ChassisMetrics("complaints", "test", STAGES, registry)
        service.timers = worker_on(service.database, load_policy("complaints"), metrics=service.consumer.metrics)
        await service.apply(records)
        await service.let_time_pass()
        return outcomes(registry.collect())


async def send(stack: Stack, records: list[Record]) -> None:
    """What is said about one complaint lands at once: a service that catches up between two of its claims would tell a breach first."""
    settings = {"acks": "all", "enable_idempotence": True, "linger_ms": 500, "max_batch_size": 1024 * 1024}
    async with AIOKafkaProducer(bootstrap_servers=stack.kafka, **settings) as producer:
        for record in records:
            await producer.send(record.topic, record.value, key=record.key, headers=list(record.headers))
        await producer.flush()


async def of_period(base: Base, since: datetime, until: datetime) -> Kept:
    rows = await base.rows(_OF_A_PERIOD, since, until)
    return Counter({(row["stage"], row["outcome"]): row["number"] for row in rows})


async def test_compliance_after_kills_is_what_an_undisturbed_run_counted(fresh_stack: Stack, database: str, tmp_path: Path) -> None:
    begin = now() - timedelta(days=28)
    records = list(told(60, begin))
    wanted = await undisturbed(database, records)
    assert {stage: wanted[stage, "met"] for stage in STAGES} == {"acknowledged": 36, "verification_started": 40}
    assert sum(wanted.values()) == 4 * 60, "every clock has been decided"

    await topic_admin.apply(KafkaSettings(fresh_stack.kafka, "tests"))
    with services(fresh_stack.kafka, fresh_stack.database_url, tmp_path, ("complaints",)) as running:
        service = running["complaints"]
        async with base_of(fresh_stack, "complaints") as base:

            async def decided() -> int:
                return int(await base.one("SELECT count(*) FROM clocks WHERE outcome <> 'open'"))

            async def kill_after(number: int) -> None:
                async def so_many() -> bool:
                    return await decided() >= number

                await until(f"{number} clocks are decided", so_many)
                service.kill()
                service.start()

            async def shown() -> bool:
                return bool(compliance(service, "30d"))

            before = [record for record in records if int((record.key or b"P0")[1:]) < 30]
            await send(fresh_stack, before)
            await kill_after(10)
            await send(fresh_stack, records[len(before) :])
            await settled(fresh_stack, base, [TOPIC])
            await kill_after(sum(wanted.values()))
            await until("the new process shows the ratio", shown)

            assert outcomes(text_string_to_metric_families(service.get("/metrics")[1])) == Counter(), "it has counted nothing itself"
            assert compliance(service, "30d") == ratios(wanted)
            assert await of_period(base, begin, now()) == wanted
            first, last = begin + timedelta(days=1), begin + timedelta(days=3)
            said = await base.rows(_TOLD)
            of_two_days = Counter((row["stage"], row["outcome"]) for row in said if first <= row["at"] < last)
            assert await of_period(base, first, last) == of_two_days
            assert 0 < sum(of_two_days.values()) < sum(wanted.values())
