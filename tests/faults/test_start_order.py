"""Services that are started before what they need become ready by themselves, or say what is missing and end."""

import asyncio
import importlib.util
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.faults.kit import HANGS

from common.contracts.topics import SERVICES, consumed_by
from common.kafka import topic_admin
from common.kafka.broker import KafkaSettings
from devstack import Stack
from ops.processes import ServiceProcess, wait_until_ready

HERE = [name for name in SERVICES if importlib.util.find_spec(f"{name}.app")]


@contextmanager
def started(stack: Stack, folder: Path, names: list[str], **settings: str) -> Iterator[dict[str, ServiceProcess]]:
    """Services that have been started and no more."""
    folder.mkdir(exist_ok=True)
    processes = {name: ServiceProcess(name, stack.kafka, stack.database_url, folder, settings) for name in names}
    try:
        for process in processes.values():
            process.start()
        yield processes
    finally:
        for process in processes.values():
            process.kill()


def let_pass(seconds: float, processes: dict[str, ServiceProcess]) -> None:
    """Lets the services try for so long; none of them may end or say that it is ready."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for process in processes.values():
            assert process.process is not None
            assert process.process.poll() is None, process.log.read_text()
            assert not process.is_ready
        time.sleep(0.2)


def logs_when(processes: dict[str, ServiceProcess], says: Callable[[str], bool], limit: float = HANGS) -> None:
    """Waits until each log holds what it must say."""
    end = time.monotonic() + limit
    for process in processes.values():
        while not says(process.log.read_text()):
            assert time.monotonic() < end, process.log.read_text()
            time.sleep(0.1)


@pytest.mark.real
@pytest.mark.proof
def test_services_started_before_all_that_they_need_become_ready_by_themselves(fresh_stack: Stack, tmp_path: Path, proof: bool) -> None:
    seconds = 20 if proof else 4
    fresh_stack.kill_kafka()
    fresh_stack.kill_postgres()
    with started(fresh_stack, tmp_path, HERE) as processes:
        logs_when(processes, lambda log: "the database at" in log and "is down, or refuses this client" in log)
        let_pass(seconds, processes)
        fresh_stack.start_postgres()
        logs_when(processes, lambda log: f"Kafka at {fresh_stack.kafka} is down, or refuses this client" in log)
        let_pass(seconds, processes)
        fresh_stack.start_kafka()
        logs_when(processes, lambda log: "create them with `aftersales topics apply`" in log)
        with started(fresh_stack, tmp_path / "hasty", HERE[:1], start_seconds="3") as hasty:
            assert hasty[HERE[0]].process.wait(60) == 1  # type: ignore[union-attr]  # it was started
            assert "gave_up" in hasty[HERE[0]].log.read_text()
        let_pass(1, processes)
        for name, process in processes.items():
            assert set(read_by(name)) <= set(re.split("[ ,:]+", process.log.read_text()))
        asyncio.run(topic_admin.apply(KafkaSettings(fresh_stack.kafka, "tests")))
        for process in processes.values():
            wait_until_ready(process, 60)
            assert process.get("/health/live")[0] == 200
        for process in processes.values():
            assert process.stop() == 0


def read_by(service: str) -> list[str]:
    """The topics that a service reads, and those of its dead letters."""
    topics = consumed_by(service)
    return [topic.name for topic in topics] + [topic.dead_letters(service) for topic in topics]


@pytest.mark.real
@pytest.mark.parametrize("down", ["Kafka", "the database"])
def test_a_service_that_waits_for_too_long_says_for_what_and_ends_with_status_1(down: str, stack: Stack, tmp_path: Path) -> None:
    process = ServiceProcess("intake", stack.kafka, stack.database_url, tmp_path, {"start_seconds": "5"})
    if down == "Kafka":
        process.kafka = "127.0.0.1:1"
    if down == "the database":
        process.database_url = "postgresql://postgres:secret@127.0.0.1:1/postgres"
    process.start()
    assert process.process is not None
    try:
        assert process.process.wait(60) == 1
    finally:
        process.kill()
    (last,) = [line for line in map(json.loads, process.log.read_text().splitlines()) if line["event"] == "gave_up"]
    assert last["for_"].startswith(f"{down} at 127.0.0.1:1 ")
    assert "secret" not in process.log.read_text()


def test_all_four_services_are_here() -> None:
    assert list(SERVICES) == HERE
