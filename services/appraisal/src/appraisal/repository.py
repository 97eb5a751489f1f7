"""How org snapshots, ratings, cycles and grades are stored, and how a cycle's inputs are found."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from appraisal.domain.appraising import Rating
from appraisal.domain.closing import Closing, ClosingState
from appraisal.domain.org import Member, OrgSnapshot
from appraisal.domain.scheme import Scheme
from appraisal.presets import find_scheme
from appraisal.tables import CycleRow, GradeRow, OrgSnapshotRow, RatingRow
from common.runtime.unit_of_work import UnitOfWork as ChassisUnitOfWork
from common.store.aggregates import Aggregates


def _org_row(org: OrgSnapshot) -> OrgSnapshotRow:
    return OrgSnapshotRow(id=org.id, org_id=org.org_id, effective_at=org.effective_at, members=[asdict(one) for one in org.members])


def _org(row: OrgSnapshotRow) -> OrgSnapshot:
    return OrgSnapshot(row.id, row.org_id, row.effective_at, tuple(Member(**one) for one in row.members))


def _rating_row(rating: Rating) -> RatingRow:
    return RatingRow(**asdict(rating))


def _rating(row: RatingRow) -> Rating:
    return Rating(row.id, row.rating_id, row.cycle, row.scheme, row.appraisee, row.appraiser, row.score)


def _cycle_row(closing: Closing) -> CycleRow:
    return CycleRow(**{**asdict(closing), "cut": dict(closing.cut)})


def _cycle(row: CycleRow) -> Closing:
    return Closing(
        id=row.id,
        cycle=row.cycle,
        scheme=row.scheme,
        state=ClosingState(row.state),
        as_of=row.as_of,
        for_real=row.for_real,
        requested_by=row.requested_by,
        replay_of=row.replay_of,
        cut=row.cut,
    )


class UnitOfWork(ChassisUnitOfWork):
    """What a use case of appraisal may read and change."""

    org_snapshots = Aggregates(OrgSnapshotRow, to_row=_org_row, to_domain=_org)
    ratings = Aggregates(RatingRow, to_row=_rating_row, to_domain=_rating)
    cycles = Aggregates(CycleRow, to_row=_cycle_row, to_domain=_cycle)

    def scheme(self, reference: str) -> Scheme | None:
        """The scheme of that reference, None when there is none."""
        return find_scheme(reference)


_PASSED = text("SELECT topic || '/' || partition AS place, next_offset FROM consumer_progress")
_UNSENT_FACTS = text("SELECT EXISTS (SELECT FROM outbox WHERE published_at IS NULL AND aggregatetype = 'kpi-facts')")


_CLOSING = text("""
SELECT id FROM cycles c WHERE state = 'closing' AND NOT EXISTS (SELECT FROM parked_keys p WHERE p.aggregate = 'cycles:' || c.id) ORDER BY id
""")


async def closing_cycles(connection: AsyncConnection) -> list[str]:
    """The cycles that somebody has asked to close and that are not graded yet; one that is parked waits for its redrive."""
    return list((await connection.execute(_CLOSING)).scalars())


async def cycle_of(connection: AsyncConnection, id: str) -> Closing:
    """One cycle as it stands now."""
    table = CycleRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it to tables only
    row = (await connection.execute(select(table).where(table.c.id == id))).mappings().one()
    return _cycle(CycleRow(**row))


async def set_cut(connection: AsyncConnection, closing: Closing, cut: Mapping[str, int]) -> None:
    """Notes up to where a closing cycle will look."""
    table = CycleRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it to tables only
    await connection.execute(table.update().where(table.c.id == closing.id).values(cut=dict(cut)))


async def has_passed(connection: AsyncConnection, cut: Mapping[str, int]) -> bool:
    """Whether everything before `cut` was handled."""
    passed = {row.place: row.next_offset for row in await connection.execute(_PASSED)}
    return all(passed.get(place, 0) >= end for place, end in cut.items())


async def has_unsent_facts(connection: AsyncConnection) -> bool:
    """Whether facts that appraisal itself has decided are still on their way to `kpi-facts`."""
    return bool((await connection.execute(_UNSENT_FACTS)).scalar_one())


async def org_as_of(connection: AsyncConnection, before: datetime) -> OrgSnapshot | None:
    """The latest org snapshot that was in force before an instant."""
    table = OrgSnapshotRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it to tables only
    found = await connection.execute(select(table).where(table.c.effective_at < before).order_by(table.c.effective_at.desc()).limit(1))
    row = found.mappings().one_or_none()
    return None if row is None else _org(OrgSnapshotRow(**row))


async def ratings_of(connection: AsyncConnection, cycle: str, scheme: str) -> list[Rating]:
    """Every rating of a cycle."""
    table = RatingRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it to tables only
    found = await connection.execute(select(table).where(table.c.cycle == cycle, table.c.scheme == scheme).order_by(table.c.id))
    return [_rating(RatingRow(**row)) for row in found.mappings()]


async def latest_grades(connection: AsyncConnection, cycle_key: str) -> dict[str, GradeRow]:
    """The current version of each grade of a cycle, by its key."""
    table = GradeRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it to tables only
    found = await connection.execute(select(table).where(table.c.cycle_key == cycle_key).order_by(table.c.grade_key, table.c.version))
    return {row["grade_key"]: GradeRow(**row) for row in found.mappings()}


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
