"""Many records of a megabyte each: what is handed on at once is bounded by bytes, and memory with it."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.faults.kit import Wire, base_of, lodged, send, settled

from common.kafka import topic_admin
from common.kafka.broker import BATCH_BYTES, KafkaSettings, in_parts
from devstack import Stack
from ops.processes import ServiceProcess, wait_until_ready

TOPIC = "complaint-claims"
MEGABYTE = 1000 * 1000


def records(*sizes: int) -> tuple[SimpleNamespace, ...]:
    return tuple(SimpleNamespace(value=bytes(size) if size else None) for size in sizes)


def test_parts_are_bounded_keep_the_order_and_leave_nothing_out() -> None:
    batch = records(*[3 * MEGABYTE] * 5, 0, 0, 9 * MEGABYTE, 1)
    parts = list(in_parts(batch))
    assert [len(part) for part in parts] == [2, 2, 3, 1, 1]
    assert tuple(record for part in parts for record in part) == batch
    assert all(sum(len(record.value or b"") for record in part) <= BATCH_BYTES for part in parts if len(part) > 1)


def a_megabyte_that_nobody_can_read(number: int) -> Wire:
    fine = lodged(f"L{number}", id=f"large-{number}")
    return Wire(fine.topic, fine.key, b"{" + b"x" * MEGABYTE, fine.headers)


@pytest.mark.real
async def test_two_hundred_megabytes_of_bad_input_do_not_fill_the_memory(stack: Stack, tmp_path: Path) -> None:
    await topic_admin.apply(KafkaSettings(stack.kafka, "tests"))
    service = ServiceProcess("complaints", stack.kafka, stack.database_url, tmp_path)
    try:
        service.start()
        wait_until_ready(service)
        before = peak(service)
        async with base_of(stack, "complaints") as base:
            await send(stack, [a_megabyte_that_nobody_can_read(number) for number in range(250)])
            await settled(stack, base, [TOPIC])
            assert await base.one("SELECT count(*) FROM dead_letters WHERE event_id LIKE 'large-%'") == 250
            await base.run("DELETE FROM dead_letters WHERE event_id LIKE 'large-%'")  # the next tests list what is open
        assert peak(service) - before < 150
    finally:
        service.stop()


def peak(service: ServiceProcess) -> float:
    """The most memory that the process has had, in MB."""
    assert service.process is not None
    (line,) = (line for line in Path(f"/proc/{service.process.pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
