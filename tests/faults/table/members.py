"""Rows in which services come, go, die and stand still."""

import asyncio
from functools import partial

from tests.faults.table.quarter import Quarter, frozen
from tests.faults.table.row import Row

from common.contracts.topics import SERVICES
from ops.processes import ServiceProcess

_CHANGES = 30
_PATIENCE = 6.0


async def churn(quarter: Quarter, times: int) -> None:
    """Replicas are killed, stopped and joined again, thirty times a run; one of each service is always there."""
    assert times == 1, "each run has a quarter of its own"
    async with quarter.coming_in(), quarter.fault():
        down: list[ServiceProcess] = []
        for share in quarter.shares(_CHANGES, last=0.85):
            try:
                async with asyncio.timeout(_PATIENCE):
                    await quarter.until(share)
            except TimeoutError:
                pass  # partitions wait for a member that has gone: the next change comes all the same
            await _change(quarter, down)
        for one in down:
            one.start()


async def _change(quarter: Quarter, down: list[ServiceProcess]) -> None:
    """The next change: somebody who is away joins, or somebody whose sibling is there is killed or stopped."""
    there = [one for one in quarter.services.values() if one not in down]
    free = [one for one in there if sum(other.name == one.name for other in there) > 1]
    how = quarter.random.choice(["join", "kill", "stop"])
    if down and (how == "join" or not free):
        down.pop(quarter.random.randrange(len(down))).start()
        return
    one = quarter.random.choice(free)
    if how == "stop":
        await asyncio.to_thread(one.stop)
    else:
        one.kill()
    down.append(one)


async def zombies(quarter: Quarter, times: int, *, seconds: float) -> None:
    """The leaders of several services stand still for longer than their leases, and go on as if nothing had been.

    Appraisal's is frozen in the middle of a close, so that versions of grades are in its hands while another one takes over.
    """
    left = times
    async with quarter.coming_in():
        for share in quarter.shares(-(-times // len(SERVICES))):
            await quarter.until(share)
            chosen = SERVICES[-left:] if left < len(SERVICES) else SERVICES
            left -= len(chosen)
            quarter.closed_before = True
            await quarter.ask_to_close()
            await asyncio.sleep(quarter.random.uniform(0, 1))
            leaders = [await quarter.leader(service) for service in chosen]
            async with quarter.fault(len(leaders)):
                with frozen(leaders):
                    await asyncio.sleep(seconds)


ROWS = [
    Row("churn", "two replicas, 30 kills, stops and joins a run", churn, runs=5, at_once=1),
    Row("zombie-12", "leaders frozen for 12 s (SIGSTOP)", partial(zombies, seconds=12), runs=10, at_once=10),
    Row("zombie-60", "leaders frozen for 60 s (SIGSTOP)", partial(zombies, seconds=60), runs=10, at_once=10),
]
