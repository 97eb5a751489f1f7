"""`make faults`: every fault, so often, and what it lost and doubled; exit 1 unless all of it is right.

python -m tests.faults.table [--only NAME …] [--runs N] [--json FILE] [--seed N]
"""

import argparse
import asyncio
import json
import logging
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random

from tests.faults.killing import CYCLE, Left, Watch, clear, look_at, play
from tests.faults.table import losses, members, records, servers
from tests.faults.table.comparing import compared, shown
from tests.faults.table.quarter import Quarter, Stuck
from tests.faults.table.row import Row

from common.contracts.topics import SERVICES
from devstack import Stack, stack
from devstack.settings import read
from ops.platform import Platform
from ops.processes import services
from ops.simulation.claims import Sent
from ops.simulation.quarter import Plan, simulate

ROWS: Sequence[Row] = [*members.ROWS, *records.ROWS, *losses.ROWS, *servers.ROWS]
_CASES = 60
_REPLICAS = 2
_QUIET = "10"
"""Seconds after which a history has ended for the services: the enterprise may be slow on a machine that starts so many processes."""
_LIMIT = 600.0
"""Seconds for one quarter, whatever is done in it."""
_LINE = "{fault:<58} {runs:>4} {lost:>5} {doubled:>8} {digest:>7} {recovered:>13} {seconds:>6}  {verdict}"


@dataclass(slots=True)
class Result:
    """One line of the table."""

    name: str
    fault: str
    runs: int = 0
    lost: int = 0
    doubled: int = 0
    digest_equal: bool = True
    recovered: list[float] = field(default_factory=list)
    seconds: float = 0
    wrong: int = 0

    @property
    def is_right(self) -> bool:
        """Whether it was tried, and nothing is lost, doubled or otherwise wrong."""
        return self.runs > 0 and self.digest_equal and not (self.lost or self.doubled or self.wrong)

    def line(self) -> str:
        """As it is printed."""
        slowest = f"{sorted(self.recovered)[len(self.recovered) // 2]:.1f} – {max(self.recovered):.1f} s" if self.recovered else "never"
        return _LINE.format(
            fault=self.fault,
            runs=self.runs,
            lost=self.lost,
            doubled=self.doubled,
            digest="equal" if self.digest_equal else "other",
            recovered=slowest,
            seconds=f"{self.seconds:.0f} s",
            verdict="right" if self.is_right else "WRONG",
        )


def main(arguments: Sequence[str]) -> int:
    """Prints the table; 1 unless every row is right."""
    parser = argparse.ArgumentParser(prog="make faults", description="Inflicts every fault on a simulated quarter and tells what it did.")
    names = [row.name for row in ROWS]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", default=names, help=f"of {', '.join(names)}")
    parser.add_argument("--runs", type=int, metavar="N", help="so many runs of each row")
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes the table there as well")
    parser.add_argument("--seed", type=int, default=5, help="where and when the faults strike follows from it")
    options = parser.parse_args(arguments)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it says a thousand times that Kafka is away, as it was asked to be
    chosen = [replace(row, runs=options.runs or row.runs) for row in ROWS if row.name in options.only]
    began = time.monotonic()
    results = asyncio.run(_table(chosen, options.seed))
    _say(f"\nseed {options.seed}, {_CASES} cases in the quarter, {_REPLICAS} replicas of each service, {time.monotonic() - began:.0f} s\n")
    _say(
        _LINE.format(
            fault="fault",
            runs="runs",
            lost="lost",
            doubled="doubled",
            digest="digest",
            recovered="recovered in",
            seconds="took",
            verdict="",
        )
    )
    for result in results:
        _say(result.line())
    _say("lost and doubled: against the same quarter undisturbed · recovered in: median – slowest, from the end of the fault")
    if options.json:
        lines = [{**asdict(result), "right": result.is_right} for result in results]
        options.json.write_text(json.dumps({"seed": options.seed, "rows": lines}, indent=1) + "\n", encoding="utf-8")
    return 0 if all(result.is_right for result in results) else 1


async def _table(rows: Sequence[Row], seed: int) -> list[Result]:
    folder = Path(tempfile.mkdtemp(prefix="aftersales-faults-"))
    _say(f"logs of the services, kept when something is wrong: {folder}")
    sent = simulate(Plan(seed=seed, cycle=CYCLE, cases=_CASES))
    with stack(settings=replace(read(), kafka_bootstrap_servers=None, database_url=None)) as common:
        _say(f"{common.kafka_name}, {common.postgres_name}; {len(sent)} claims; first undisturbed")
        await clear(common)
        began = time.monotonic()
        with services(common.kafka, common.database_url, folder / "undisturbed") as running:
            await play(common, running, sent)
        wanted = await look_at(common)
        _say(f"undisturbed: {sum(map(len, wanted.decisions.values()))} decisions, {wanted.digest[:19]}…, {time.monotonic() - began:.0f} s")
        results = [await _row(row, common, sent, wanted, Random(f"{seed} {row.name}"), folder / row.name) for row in rows]
    if all(result.is_right for result in results):
        shutil.rmtree(folder)
    return results


async def _row(row: Row, common: Stack, sent: Sequence[Sent], wanted: Left, random: Random, folder: Path) -> Result:
    """All runs of one row, in as many quarters as it takes."""
    result = Result(row.name, row.fault)
    began = time.monotonic()
    _say(f"\n{row.name}: {row.fault}")
    try:
        with row.servers() if row.servers else nullcontext(common) as used:
            while result.runs < row.runs:
                times = min(row.at_once, row.runs - result.runs)
                if not await _quarter(row, times, used, sent, wanted, random, folder / str(result.runs), result):
                    break
    except Exception as problem:  # noqa: BLE001 - the other rows are still to be seen
        result.wrong += 1
        _say(f"  {type(problem).__name__}: {problem}")
        _say("".join(traceback.format_exception(problem)[-3:]))
    result.seconds = time.monotonic() - began
    _say(f"  {result.line()}")
    return result


async def _quarter(
    row: Row, times: int, used: Stack, sent: Sequence[Sent], wanted: Left, random: Random, folder: Path, result: Result
) -> bool:
    """One quarter with its faults; whether it came to its end."""
    await clear(used)
    with services(used.kafka, used.database_url, folder, settings={"replay_idle_seconds": _QUIET}, replicas=_REPLICAS) as running:
        quarter = Quarter(used, Platform(used.kafka, used.database_url, SERVICES), running, sent, random, folder, Watch(used.database_url))
        ended = True
        try:
            async with asyncio.timeout(_LIMIT):
                await row.story(quarter, times)
                await quarter.settle()
                await quarter.close()
        except* (Stuck, TimeoutError) as stuck:
            ended = False
            result.wrong += 1
            for problem in stuck.exceptions:
                _say(f"  stuck: {problem}; logs: {folder}")
        died = [title for title, one in running.items() if one.process is None or one.process.poll() is not None]
        if died:
            quarter.wrong.append(f"{', '.join(died)} ended by itself")
    found = await compared(quarter, wanted)
    result.runs += quarter.inflicted if ended else times
    result.recovered += quarter.recovered
    result.lost += len(found.lost)
    result.doubled += len(found.doubled)
    result.wrong += len(found.wrong)
    result.digest_equal &= found.digest_equal
    for line in shown(found, folder):
        _say(f"  {line}")
    return ended


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
