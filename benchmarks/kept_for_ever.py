"""What it takes to keep for ever what clocks and grades rest on: bytes on Kafka's disk, by topic, and for a million claims.

.venv/bin/python benchmarks/kept_for_ever.py [CASES]
"""

import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path

from common.contracts.topics import BY_NAME, SERVICES, TOPICS
from common.kafka import topic_admin
from devstack import Stack, stack
from ops.platform import Platform
from ops.processes import services
from ops.publishing import publish
from ops.simulation.quarter import SCHEME, Plan, simulate

_CASES = 400


def main() -> None:
    """Prints the table."""
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else _CASES
    with stack() as servers, tempfile.TemporaryDirectory() as folder:
        claims = asyncio.run(_quarter(servers, Path(folder), cases))
        sizes = _sizes(servers.folder)
    print(f"{cases} cases, {claims} claims")
    for kept in (True, False):
        names = [topic.name for topic in TOPICS if (topic.retention is None) is kept]
        for name in sorted(names, key=lambda name: -sizes[name]):
            print(f"  {name:24} {sizes[name]:>10,} bytes {sizes[name] / claims:8.0f} a claim")
        total = sum(sizes[name] for name in names)
        word = "for ever" if kept else "for a time"
        print(f"kept {word}: {total:,} bytes, {total / claims:.0f} a claim, {total / claims / 1000:.2f} GB for a million claims")


async def _quarter(servers: Stack, folder: Path, cases: int) -> int:
    """A quarter through the four services, closed and graded; how many claims it was."""
    platform = Platform(servers.kafka, servers.database_url, SERVICES)
    await topic_admin.apply(platform.settings)
    sent = simulate(Plan(cases=cases))
    with services(servers.kafka, servers.database_url, folder):
        await publish(platform.settings, sent)
        await platform.settled(600)
        await platform.close_cycle("2026Q3", SCHEME, for_real=True)
        await platform.settled(600)
    return len(sent)


def _sizes(folder: Path) -> Counter[str]:
    """The bytes of each topic's logs; the indexes beside them are small, and as large as they are set to be."""
    found: Counter[str] = Counter()
    for file in folder.rglob("*.log"):
        topic = file.parent.name.rpartition("-")[0]
        if topic in BY_NAME:
            found[topic] += file.stat().st_size
    return found


if __name__ == "__main__":
    main()
