"""Why a cycle that was asked to close is not closed yet, in words for whoever is called at night."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts.kpi_facts import KpiRecorded
from common.store import holes, outbox, parked, positions


async def waits_of(connection: AsyncConnection, cycle: Mapping[str, Any]) -> list[str]:
    """What a closing cycle waits for, a sentence each, with what to do; the first one is what to look at first."""
    ref = f"cycles:{cycle['cycle_key']}"
    if (found := next((row for row in await parked.listed(connection) if row["id"] == ref), None)) is not None:
        return [
            f"a person: grading met a defect ({found['reason']}) and the cycle is parked since {found['since']:%Y-%m-%d %H:%M}. "
            f"Mend and deploy, then: aftersales dead-letters redrive '{ref}'"
        ]
    waits = []
    if (hole := await holes.open_hole(connection)) is not None:
        waits.append(f"the end of a hole, records that are missing on Kafka ({hole}): aftersales holes list")
    if cycle["lacks_organisation"]:
        waits.append("an organisation described from before the cycle's end: HR's system has to send org.described to org-claims")
    if not cycle["watermarks"]:
        waits.append("appraisal to look at the ends of its topics, within a second: does it run? aftersales doctor")
    waits += _behind(cycle["watermarks"], await positions.next_offsets(connection))
    if await outbox.has_unsent(connection, KpiRecorded.TOPIC):
        waits.append("facts of appraisal's own that are on their way to kpi-facts: aftersales outbox list")
    return waits or ["nothing any more: it is graded within seconds, a large organisation within minutes"]


def _behind(watermarks: Mapping[str, int], passed: Mapping[tuple[str, int], int]) -> Iterator[str]:
    for place, end in sorted(watermarks.items()):
        topic, _, partition = place.rpartition("/")
        position = passed.get((topic, int(partition)), 0)
        if position < end:
            behind = f"{end - position} records of {topic}, partition {partition} (handled up to {position} of {end})"
            yield f"{behind}: aftersales doctor shows the lag"
