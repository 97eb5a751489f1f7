"""How org snapshots, ratings, cycles and grades are stored, and how a cycle's inputs are found."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from appraisal.domain.cycle import Cycle
from appraisal.domain.grading import Rating
from appraisal.domain.org import OrgSnapshot, together
from appraisal.domain.scheme import Scheme
from appraisal.presets import find_scheme
from appraisal.tables import CycleRow, GradeRow, OrgSnapshotRow, RatingRow
from common.runtime.unit_of_work import UnitOfWork as ChassisUnitOfWork
from common.store import outbox, parked, positions
from common.store.aggregates import Aggregates


class UnitOfWork(ChassisUnitOfWork):
    """What a use case of appraisal may read and change."""

    org_snapshots = Aggregates(OrgSnapshotRow, OrgSnapshot)
    ratings = Aggregates(RatingRow, Rating)
    cycles = Aggregates(CycleRow, Cycle)

    def scheme(self, reference: str) -> Scheme | None:
        """The scheme of that reference, None when there is none."""
        return find_scheme(reference)


_CLOSING = text(f"""
SELECT id FROM cycles c WHERE state ->> 'status' = 'closing' AND {parked.not_parked("'cycles:' || c.id")} ORDER BY id
""")  # noqa: S608 - the part that is put in is a constant of ours
_ASKED_TO_CLOSE = text("SELECT count(*) FROM cycles WHERE state ->> 'status' = 'closing'")
_CURRENT = text("SELECT DISTINCT ON (grade_key) document FROM grades ORDER BY grade_key, version DESC")
_VERSIONS = text("""
SELECT version, document, inputs FROM grades WHERE subject = :subject AND starts_with(grade_key, :cycle)
""")
_ONE = text("id = :id")
# by the event that asked for it: the watermarks of one close are none for the next
_WATERMARKS = text("""
UPDATE cycles SET state = jsonb_set(state, '{watermarks}', CAST(:watermarks AS jsonb))
WHERE id = :id AND state ->> 'status' = 'closing' AND state ->> 'requested_by' = :requested_by
""")


async def closing_cycles(connection: AsyncConnection) -> list[str]:
    """The cycles that somebody has asked to close and that are not graded yet; one that is parked waits for its redrive."""
    return list((await connection.execute(_CLOSING)).scalars())


async def cycle_of(connection: AsyncConnection, id: str) -> Cycle:
    """One cycle as it stands now."""
    (found,) = await UnitOfWork.cycles.find(connection, _ONE, {"id": id})
    return found


async def set_watermarks(connection: AsyncConnection, cycle: Cycle, watermarks: Mapping[str, int]) -> None:
    """Notes up to where a closing cycle will look; nothing when another replica has closed it meanwhile."""
    await connection.execute(_WATERMARKS, {"id": cycle.id, "requested_by": cycle.requested_by, "watermarks": json.dumps(watermarks)})


async def has_passed(connection: AsyncConnection, watermarks: Mapping[str, int]) -> bool:
    """Whether everything before the watermarks was handled."""
    passed = {f"{topic}/{partition}": offset for (topic, partition), offset in (await positions.next_offsets(connection)).items()}
    return all(passed.get(place, 0) >= end for place, end in watermarks.items())


async def has_unsent_facts(connection: AsyncConnection) -> bool:
    """Whether facts that appraisal itself has decided are still on their way to `kpi-facts`."""
    return await outbox.has_unsent(connection, "kpi-facts")


_IN_FORCE = text("""
id IN (SELECT DISTINCT ON (state ->> 'org_id') id FROM org_snapshots WHERE CAST(state ->> 'effective_at' AS timestamptz) < :before
       ORDER BY state ->> 'org_id', CAST(state ->> 'effective_at' AS timestamptz) DESC)
""")
_OF_CYCLE = text("state ->> 'cycle' = :cycle AND state ->> 'scheme' = :scheme")


async def org_as_of(connection: AsyncConnection, before: datetime) -> OrgSnapshot | None:
    """The organisation just before an instant: the latest snapshot of each part that HR describes by itself, put together."""
    found = await UnitOfWork.org_snapshots.find(connection, _IN_FORCE, {"before": before})
    return together(found) if found else None


async def ratings_of(connection: AsyncConnection, cycle: str, scheme: str) -> list[Rating]:
    """Every rating of a cycle."""
    return await UnitOfWork.ratings.find(connection, _OF_CYCLE, {"cycle": cycle, "scheme": scheme})


async def latest_grades(connection: AsyncConnection, cycle_key: str) -> dict[str, GradeRow]:
    """The current version of each grade of a cycle, by its key."""
    table = GradeRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it to tables only
    found = await connection.execute(select(table).where(table.c.cycle_key == cycle_key).order_by(table.c.grade_key, table.c.version))
    return {row["grade_key"]: GradeRow(**row) for row in found.mappings()}


async def unfinished(connection: AsyncConnection) -> dict[str, int]:
    """What somebody has asked for and does not have yet, for the operator's command line: cycles that are to be closed."""
    return {"cycles": (await connection.execute(_ASKED_TO_CLOSE)).scalar_one()}


async def current_grades(connection: AsyncConnection) -> list[dict[str, Any]]:
    """The current version of every grade, as it was published, ordered by its key."""
    return list((await connection.execute(_CURRENT)).scalars())


async def grade_versions(connection: AsyncConnection, subject: str, cycle: str) -> list[Mapping[str, Any]]:
    """Every version of the grades that a subject has in a cycle: `version`, `document` and `inputs`."""
    return [dict(row) for row in (await connection.execute(_VERSIONS, {"subject": subject, "cycle": f"{cycle}|"})).mappings()]


_COUNTS = text("""
SELECT document->>'scheme' AS scheme, grade, count(*) AS number FROM grades GROUP BY 1, 2
""")


async def grade_counts(connection: AsyncConnection) -> dict[tuple[str, str], int]:
    """How many grades were published, by scheme and grade."""
    return {(row.scheme, row.grade): row.number for row in await connection.execute(_COUNTS)}


async def add_grades(connection: AsyncConnection, grades: Sequence[GradeRow]) -> None:
    """Appends versions of grades, one statement for all."""
    if grades:
        names = GradeRow.__table__.columns.keys()  # type: ignore[attr-defined]  # SQLModel adds it to tables only
        await connection.execute(insert(GradeRow), [_columns(row, names) for row in grades])


def _columns(row: GradeRow, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}
