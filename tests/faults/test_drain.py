"""SIGTERM under load: the service finishes its batch, sends what it decided and exits with 0; the next one goes on where it stood."""

from collections import Counter
from pathlib import Path

import pytest
from tests.faults.kit import HANGS, Counts, Wire, base_of, claim, lodged, read_topic, send, settled, until

from common.kafka import topic_admin
from common.kafka.broker import KafkaSettings
from devstack import Stack
from ops.processes import ServiceProcess, wait_until_ready

TOPIC = "complaint-claims"
CLAIMS = 3000


def quarrels(count: int) -> list[Wire]:
    """`count` claims about a third as many complaints, turn by turn: lodged, told, verification begun."""
    keys = [f"drained-{number}" for number in range(count // 3)]
    told = [claim("complaint.complainant_told", key, id=f"{key}-told", by="E1") for key in keys]
    begun = [claim("complaint.verification_begun", key, id=f"{key}-begun", by="E1") for key in keys]
    return [*(lodged(key) for key in keys), *told, *begun]


@pytest.mark.real
async def test_a_service_that_is_stopped_under_load_exits_with_0_and_the_next_one_finishes_everything_once(
    stack: Stack, tmp_path: Path
) -> None:
    await topic_admin.apply(KafkaSettings(stack.kafka, "tests"))
    claims = quarrels(CLAIMS)
    service = ServiceProcess("complaints", stack.kafka, stack.database_url, tmp_path)
    try:
        service.start()
        wait_until_ready(service)
        async with base_of(stack, "complaints") as base:
            await settled(stack, base, [TOPIC])
            before = await base.counts(TOPIC)
            await send(stack, claims[: CLAIMS * 2 // 3])

            async def some_are_handled() -> bool:
                return (await base.counts(TOPIC) - before).applied >= CLAIMS // 5

            await until("a fifth is handled", some_are_handled)
            assert service.stop(HANGS) == 0
            left = await base.counts(TOPIC) - before
            assert left.applied == left.events_in, "what it began it finished"
            unsent = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
            assert await base.one(unsent) == 0
            log = service.log.read_text()
            assert '"stopped"' in log
            for word in ("partitions_left_with_a_batch_running", "batch_failed", "outbox_left", "last_flush_failed", "Traceback"):
                assert word not in log

            await send(stack, claims[CLAIMS * 2 // 3 :])
            service.start()
            await settled(stack, base, [TOPIC])
            assert await base.counts(TOPIC) - before == Counts(CLAIMS, applied=CLAIMS, duplicates=0, dead=0)
            assert await base.one("SELECT count(*) FROM complaints WHERE id LIKE 'drained-%'") == CLAIMS // 3
            assert await base.one("SELECT count(*) FROM waiting WHERE aggregate LIKE 'complaints:drained-%'") == 0

            steps: dict[str, list[str]] = {}
            ids: Counter[str] = Counter()
            for found in await read_topic(stack, "complaints"):
                if found.key.startswith("drained-"):
                    steps.setdefault(found.key, []).append(found.type)
                    ids[found.headers["ce_id"]] += 1
            told = ["complaint.received", "complaint.acknowledged", "complaint.verification_started"]
            assert len(steps) == CLAIMS // 3
            assert Counter(tuple(types) for types in steps.values()) == {tuple(told): CLAIMS // 3}
            assert set(ids.values()) == {1}
    finally:
        assert service.stop() == 0
