"""A database that comes back from a backup, by the words of the runbook: nothing is lost, nothing is doubled."""

import asyncio
import time
from pathlib import Path

import pytest
from tests.counted import PROOF
from tests.faults.killing import CYCLE, Watch, clear, look_at, play
from tests.faults.kit import base_of, until
from tests.faults.lost import command
from tests.faults.test_kill import assert_in_order, assert_nothing_lost, assert_same_decisions

from common.contracts.topics import SERVICES
from devstack import Stack
from ops.platform import Platform
from ops.processes import services, wait_until_ready
from ops.publishing import publish
from ops.simulation.quarter import SCHEME, Plan, simulate

_SEED = 9


async def at_work(stack: Stack, service: str, handled: int) -> None:
    """Returns when a service has handled so many records."""
    watch = Watch(stack.database_url)
    looking = asyncio.create_task(watch.look())
    async with asyncio.timeout(60):
        await watch.until(lambda: watch.of(service) >= handled)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)


async def runs_to_its_end(platform: Platform) -> None:
    """Everything is handled, and the cycle is closed and graded."""
    await platform.settled(90)
    await platform.close_cycle(CYCLE, SCHEME, for_real=True)
    await platform.settled(60)


@pytest.mark.real
@pytest.mark.proof
@pytest.mark.parametrize("service", SERVICES if PROOF else ["appraisal"])
async def test_a_restored_database_with_restored_offsets_ends_as_if_nothing_had_happened(
    fresh_stack: Stack, tmp_path: Path, service: str
) -> None:
    sent = simulate(Plan(seed=_SEED, cases=60 if PROOF else 20))
    ids = {dict(record.headers)["ce_id"].decode() for record in sent}
    platform = Platform(fresh_stack.kafka, fresh_stack.database_url, SERVICES)

    await clear(fresh_stack)
    with services(fresh_stack.kafka, fresh_stack.database_url, tmp_path / "undisturbed") as running:
        await play(fresh_stack, running, sent)
    wanted = await look_at(fresh_stack)

    await clear(fresh_stack)
    with services(fresh_stack.kafka, fresh_stack.database_url, tmp_path / "restored") as running:
        await publish(platform.settings, sent[: len(sent) // 2])
        await at_work(fresh_stack, service, wanted.counts[service]["events_in"] // 4)
        running[service].kill()  # a backup is taken in the midst of work
        async with base_of(fresh_stack, "postgres") as server:
            await server.run(f'CREATE DATABASE "backup" TEMPLATE "{service}"')
        async with base_of(fresh_stack, "backup") as backup:
            kept = await backup.one("SELECT sum(events_in) FROM consumer_progress")
        running[service].start()
        await publish(platform.settings, sent[len(sent) // 2 :])
        await platform.settled(90)
        async with base_of(fresh_stack, service) as base:
            lost = await base.one("SELECT sum(events_in) FROM consumer_progress") - kept
        assert lost > 0

        # the words of the runbook
        assert running[service].stop() == 0
        async with base_of(fresh_stack, "postgres") as server:
            await server.run(f'DROP DATABASE "{service}"')
            await server.run(f'ALTER DATABASE "backup" RENAME TO "{service}"')
        status, text = await command(fresh_stack, "restore-offsets", "--service", service, "--dry-run")
        assert status == 0, text
        at = time.monotonic()

        async def restored() -> bool:
            status, text = await command(fresh_stack, "restore-offsets", "--service", service)
            assert status == 0 or "stop every replica" in text, text
            return status == 0

        await until("the group is empty and its offsets are set", restored)
        took = time.monotonic() - at
        running[service].start()
        # a backup tells how far behind the service was when it was taken; by the time it is ready it has looked how far it is now
        await asyncio.to_thread(wait_until_ready, running[service])
        await runs_to_its_end(platform)
        async with base_of(fresh_stack, service) as base:
            assert await base.one("SELECT count(*) FROM log_holes") == 0, "the offsets were set, so nothing was skipped"
    found = await look_at(fresh_stack)

    text = f"{service}: {lost} events handled after the backup; {len(sent)} claims, {found.repeated} sent again; restored in {took:.0f} s"
    print(f"\n{text}")  # noqa: T201 - the counts are what the proof is for
    assert_nothing_lost(found, sent, ids, text)
    assert_same_decisions(wanted, found, text)
    assert_in_order(found, sent, text, restored=service)
