"""Records that Kafka has lost, or that nobody would read, are found and said; until a person has spoken nothing counts as caught up."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiokafka import TopicPartition
from tests.faults.kit import Base, base_of, complaints_here, ends, keys_of_partition, lodged, send, settled, until
from tests.faults.lost import command, commit, committed, delete_before, make_anew, what_doctor_finds_bad

from common.contracts.topics import consumed_by
from common.kafka import topic_admin
from common.kafka.settings import KafkaSettings
from common.kernel.wall_clock import now
from common.runtime.service import Application
from common.store import positions
from devstack import Stack, open_stack
from devstack.settings import read

pytestmark = pytest.mark.real

TOPIC = "complaint-claims"
HOLES = """
SELECT topic, partition, kind, position_before, position_after FROM log_holes
WHERE partition = 0 AND topic = 'complaint-claims' ORDER BY id
"""
ACCEPT = "UPDATE log_holes SET ended_at = now(), ended_by = 'tests', reason = 'seen' WHERE ended_at IS NULL"


@pytest.fixture(scope="module")
def own_stack() -> Iterator[Stack]:
    """Servers of these tests alone: they delete topics and records."""
    running = open_stack(settings=replace(read(), kafka_bootstrap_servers=None, database_url=None))
    yield running
    running.stop(keep_logs=False)


@pytest.fixture
async def cluster(own_stack: Stack) -> Stack:
    """Every topic new and empty, and no database of complaints."""
    await topic_admin.apply(KafkaSettings(own_stack.kafka, "tests"))
    for topic in (TOPIC, "reference-documents"):
        await make_anew(own_stack, topic)
    async with base_of(own_stack, "postgres") as server:
        await server.run('DROP DATABASE IF EXISTS "complaints" WITH (FORCE)')
    return own_stack


def claims(count: int, prefix: str) -> list[Any]:
    """So many complaints on partition 0."""
    return [lodged(key) for key in keys_of_partition(0, count, prefix)]


async def hole(base: Base, kind: str) -> dict[str, Any]:
    """The hole on partition 0, as soon as one of this kind is open."""

    async def found() -> bool:
        return bool(await base.one("SELECT count(*) FROM log_holes WHERE ended_at IS NULL AND kind = $1 AND partition = 0", kind))

    await until(f"{kind} is found", found)
    (row,) = await base.rows(HOLES)
    return dict(row)


async def known(base: Base, prefix: str) -> int:
    """How many complaints whose id begins so the service has."""
    return int(await base.one("SELECT count(*) FROM complaints WHERE id LIKE $1", f"{prefix}%"))


async def caught_up(application: Application) -> Any:
    """Up to when the service says that it has seen everything."""
    chassis = application.chassis
    assert chassis.timers is not None
    async with chassis.database.transaction() as connection:
        return await positions.caught_up_at(connection, expected=chassis.timers._partitions, max_lag_wait=chassis.settings.max_lag_wait)


async def seen_read_but_not_caught_up(application: Application, base: Base) -> bool:
    """Whether the service has seen that it has read all there is, and yet does not say that it has caught up."""

    async def read() -> bool:
        return not await base.rows("SELECT FROM consumer_progress WHERE caught_up_at IS NULL OR behind_since IS NOT NULL")

    await until("the service has read all there is", read)
    return await caught_up(application) is None


async def catches_up(application: Application) -> None:
    """Returns when the service says that it has caught up."""

    async def so() -> bool:
        return await caught_up(application) is not None

    await until("the service has caught up", so)


@pytest.mark.parametrize("fewer", [True, False])
async def test_a_topic_made_anew_is_read_from_its_start_and_nobody_has_caught_up_before_a_person_says_so(
    cluster: Stack, fewer: bool
) -> None:
    async with complaints_here(cluster) as application, base_of(cluster, "complaints") as base:
        await send(cluster, claims(8, "old"))
        await settled(cluster, base, [TOPIC])
        await catches_up(application)
        await make_anew(cluster, TOPIC)
        number = 3 if fewer else 20
        await send(cluster, claims(number, "new"))
        found = await hole(base, "made_anew")

        async def all_known() -> bool:
            return await known(base, "new") == number

        await until("the new topic's records are handled", all_known)
        assert await base.one("SELECT next_offset FROM consumer_progress WHERE topic = $1 AND partition = 0", TOPIC) == number
        assert await seen_read_but_not_caught_up(application, base)
        await base.run(ACCEPT)
        await catches_up(application)
        assert found["position_before"] >= 8, "or more, where the new topic was read before anybody looked"


async def test_records_that_were_deleted_unread_are_a_hole_of_their_number(cluster: Stack) -> None:
    async with complaints_here(cluster), base_of(cluster, "complaints") as base:
        await send(cluster, claims(2, "read"))
        await settled(cluster, base, [TOPIC])
    await send(cluster, claims(16, "unread"))
    await delete_before(cluster, TOPIC, 0, 18)
    await send(cluster, claims(3, "after"))
    async with complaints_here(cluster) as application, base_of(cluster, "complaints") as base:
        assert await hole(base, "deleted_unread") == {
            "topic": TOPIC, "partition": 0, "kind": "deleted_unread", "position_before": 2, "position_after": 18
        }  # fmt: skip
        await settled(cluster, base, [TOPIC])
        assert (await known(base, "unread"), await known(base, "after")) == (0, 3)
        assert await seen_read_but_not_caught_up(application, base)
        assert "complaints holes" in await what_doctor_finds_bad(cluster)
        assert "deleted_unread" in (await command(cluster, "holes", "list", "--service", "complaints"))[1]
        accept = ("holes", "accept", "--service", "complaints", "--by", "Wang", "--reason")
        assert (await command(cluster, *accept, " "))[0] == 2, "a reason is given"
        assert (await command(cluster, *accept, "sent again by the hotline", "--topic", TOPIC, "--partition", "0"))[0] == 0
        await catches_up(application)
        assert "complaints holes" not in await what_doctor_finds_bad(cluster)
        assert await base.one("SELECT ended_by || ': ' || reason FROM log_holes") == "Wang: sent again by the hotline"


async def test_a_batch_that_begins_after_the_position_is_not_handled_when_what_lies_between_was_deleted(cluster: Stack) -> None:
    async with complaints_here(cluster) as application, base_of(cluster, "complaints") as base:
        await send(cluster, claims(2, "read"))
        await settled(cluster, base, [TOPIC])
        (consumer,) = [consumer for topics, consumer in application.chassis.broker.consumers() if TOPIC in topics]
        await base.run("UPDATE consumer_progress SET halted = true WHERE partition = 0 AND topic = $1", TOPIC)

        async def paused() -> bool:
            return TopicPartition(TOPIC, 0) in consumer.paused()

        await until("the partition is paused", paused)
        async with application.chassis.watch._looking:  # nobody looks at the logs meanwhile
            await send(cluster, claims(5, "unread"))
            await delete_before(cluster, TOPIC, 0, 7)
            await send(cluster, claims(2, "after"))
            await base.run("UPDATE consumer_progress SET halted = false")

            async def refused() -> bool:
                return application.chassis.consumer._failures > 0 or await known(base, "after") > 0

            await until("the batch has come", refused)
            assert await known(base, "after") == 0
        assert (await hole(base, "deleted_unread"))["position_before"] == 2
        await settled(cluster, base, [TOPIC])
        assert await known(base, "after") == 2


async def test_a_new_service_on_an_old_cluster_finds_no_hole_in_what_it_never_was_to_read(cluster: Stack) -> None:
    await send(cluster, claims(9, "forgotten"))
    await delete_before(cluster, TOPIC, 0, 6)
    async with complaints_here(cluster) as application, base_of(cluster, "complaints") as base:
        await settled(cluster, base, [TOPIC])
        await catches_up(application)
        assert not await base.rows(HOLES)
        assert await known(base, "forgotten") == 3


async def test_a_group_whose_offsets_are_set_to_the_start_reads_duplicates_and_finds_no_hole(cluster: Stack) -> None:
    async with complaints_here(cluster), base_of(cluster, "complaints") as base:
        await send(cluster, claims(12, "c"))
        await settled(cluster, base, [TOPIC])
        before = await base.counts(TOPIC)
    await commit(cluster, TOPIC, {0: 0})
    async with complaints_here(cluster) as application, base_of(cluster, "complaints") as base:
        await catches_up(application)

        async def reread() -> bool:
            return await committed(cluster, TOPIC, 0) == 12

        await until("everything was read again", reread)
        assert not await base.rows(HOLES)
        assert await base.counts(TOPIC) == before


async def test_a_database_that_is_older_than_the_groups_offsets_is_found_and_what_was_skipped_is_read(cluster: Stack) -> None:
    async with complaints_here(cluster), base_of(cluster, "complaints") as base:
        await send(cluster, claims(5, "before"))
        await settled(cluster, base, [TOPIC])
    async with base_of(cluster, "postgres") as server:
        await server.run('DROP DATABASE IF EXISTS "backup"')
        await server.run('CREATE DATABASE "backup" TEMPLATE "complaints"')
    async with complaints_here(cluster), base_of(cluster, "complaints") as base:
        await send(cluster, claims(30, "later"))
        await settled(cluster, base, [TOPIC])
    async with base_of(cluster, "postgres") as server:
        await server.run('DROP DATABASE "complaints" WITH (FORCE)')
        await server.run('ALTER DATABASE "backup" RENAME TO "complaints"')
    await send(cluster, claims(4, "after"))
    assert "complaints offsets" in await what_doctor_finds_bad(cluster)
    async with complaints_here(cluster) as application, base_of(cluster, "complaints") as base:
        await settled(cluster, base, [TOPIC])
        await catches_up(application)
        (found,) = await base.rows(f"SELECT kind, position_before, position_after, ended_by FROM log_holes WHERE topic = '{TOPIC}'")
        assert dict(found) == {"kind": "skipped", "position_before": 5, "position_after": 35, "ended_by": "records"}
        assert (await known(base, "before"), await known(base, "later"), await known(base, "after")) == (5, 30, 4)


async def test_a_position_beyond_the_end_is_a_log_that_was_set_back_until_its_last_record_is_there_again(cluster: Stack) -> None:
    # a broker cannot be made to lose acknowledged records while it runs: the position is moved instead, which looks the same from here
    async with complaints_here(cluster) as application, base_of(cluster, "complaints") as base:
        await send(cluster, claims(6, "kept"))
        await settled(cluster, base, [TOPIC])
        await catches_up(application)
        appended = await base.one("SELECT last_appended FROM consumer_progress WHERE topic = $1 AND partition = 0", TOPIC)
        await base.run("UPDATE consumer_progress SET next_offset = 9, last_appended = 1 WHERE topic = $1 AND partition = 0", TOPIC)
        found = await hole(base, "set_back")
        assert (found["position_before"], found["position_after"]) == (9, 6)
        await send(cluster, claims(3, "others"))
        await settled(cluster, base, [TOPIC])
        assert await known(base, "others") == 3
        assert await seen_read_but_not_caught_up(application, base), "the log is as long as before, but its last record is another one"
        await base.run("UPDATE log_holes SET position_before = 6, last_appended = $1", appended)
        await catches_up(application)
        assert await base.one("SELECT ended_by FROM log_holes") == "records"


async def test_a_log_that_was_set_back_and_filled_again_while_nobody_looked_is_found_by_its_last_record(cluster: Stack) -> None:
    async with complaints_here(cluster), base_of(cluster, "complaints") as base:
        await send(cluster, claims(6, "kept"))
        await settled(cluster, base, [TOPIC])
    async with base_of(cluster, "complaints") as base:  # what the service handled is not what stands there
        await base.run("UPDATE consumer_progress SET last_appended = last_appended - 1 WHERE topic = $1 AND partition = 0", TOPIC)
    async with complaints_here(cluster) as application, base_of(cluster, "complaints") as base:
        found = await hole(base, "set_back")
        assert (found["position_before"], found["position_after"]) == (6, 0)
        await settled(cluster, base, [TOPIC])
        assert await seen_read_but_not_caught_up(application, base)


async def test_timers_stand_still_over_a_hole_and_fire_when_it_is_accepted(cluster: Stack) -> None:
    async with complaints_here(cluster) as application, base_of(cluster, "complaints") as base:
        await send(cluster, claims(1, "early"))
        await settled(cluster, base, [TOPIC])
        await catches_up(application)
        await make_anew(cluster, TOPIC)
        await hole(base, "made_anew")
        long_ago = now() - timedelta(days=30)
        await send(cluster, [lodged(key, at=long_ago) for key in keys_of_partition(0, 2, "late")])
        await settled(cluster, base, [TOPIC])
        timers = application.chassis.timers
        assert timers is not None
        assert await timers.fire() == 0
        breached = "SELECT count(*) FROM clocks WHERE outcome = 'breached'"
        assert await base.one(breached) == 0
        await base.run(ACCEPT)

        async def told() -> bool:
            return bool(await base.one(breached))

        await until("the breaches are told", told)


async def test_one_replica_shows_the_lag_of_all_partitions_also_of_those_that_nobody_reads(cluster: Stack) -> None:
    async with complaints_here(cluster) as application, base_of(cluster, "complaints") as base:
        await settled(cluster, base, [TOPIC])
        await base.run("UPDATE consumer_progress SET halted = true WHERE topic = $1", TOPIC)
        (consumer,) = [consumer for topics, consumer in application.chassis.broker.consumers() if TOPIC in topics]
        consumer.unsubscribe()
        await send(cluster, claims(7, "unowned"))
        gauge = application.chassis.metrics.lag

        async def seen() -> bool:
            samples = {(s.labels["topic"], s.labels["partition"]): s.value for family in gauge.collect() for s in family.samples}
            return samples.get((TOPIC, "0")) == 7 and len(samples) == len(await _all_partitions(cluster))

        await until("the lag of all partitions is shown", seen)
        assert "complaints partitions" in await what_doctor_finds_bad(cluster)


async def _all_partitions(stack: Stack) -> list[tuple[str, int]]:
    return [(topic.name, partition) for topic in consumed_by("complaints") for partition in await ends(stack, topic.name)]
