"""How organisations, ratings, cycles and grades are stored, and how a cycle's inputs are found."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic_core import to_json
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from appraisal.documents import KINDS, scheme_at
from appraisal.domain.cycle import Cycle, CycleStatus, span_under
from appraisal.domain.org import DescribedOrganisation
from appraisal.domain.period import Span
from appraisal.domain.rating import Rating
from appraisal.domain.scheme import Scheme
from appraisal.domain.year_end import EarlierGrade
from appraisal.tables import CycleRow, GradeRow, OrganisationRow, RatingRow
from common.kernel.documents import Plain
from common.kernel.errors import Refused
from common.kernel.exact import parse_exact
from common.runtime.unit_of_work import UnitOfWork as ChassisUnitOfWork
from common.store import documents, outbox, parked, parties, positions
from common.store.aggregates import Aggregates


class UnitOfWork(ChassisUnitOfWork):
    """What a use case of appraisal may read and change."""

    organisations = Aggregates(OrganisationRow, DescribedOrganisation)
    ratings = Aggregates(RatingRow, Rating)
    cycles = Aggregates(CycleRow, Cycle)

    def scheme(self, reference: str, instant: datetime) -> Scheme | Refused:
        """The scheme of that reference which is in force at an instant."""
        return scheme_at(self.documents, reference, instant)


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


_PAGE = text("""
id IN (SELECT id FROM ratings WHERE state ->> 'cycle' = :cycle AND state ->> 'scheme' = :scheme AND id > :after
       ORDER BY id LIMIT :page)
""")
_AT_ONCE = 1_000


async def freeze(connection: AsyncConnection) -> None:
    """Lets every statement of a transaction see the same state of the database; called before any other."""
    await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))


async def ratings_of(connection: AsyncConnection, cycle: str, scheme: str) -> list[Rating]:
    """Every rating of a cycle with all its revisions, read page by page."""
    values: dict[str, Any] = {"cycle": cycle, "scheme": scheme, "page": _AT_ONCE}
    found: list[Rating] = []
    while page := await UnitOfWork.ratings.find(connection, _PAGE, {**values, "after": found[-1].id if found else ""}):
        found += page
    return found


class LatestGrade(NamedTuple):
    """The newest version of a grade that there is, as far as the next one builds on it."""

    version: int
    digest: str
    requested_by: str
    outcomes: list[dict[str, Any]]


_LATEST = text("""
SELECT DISTINCT ON (grade_key) grade_key, version, digest, requested_by, outcomes FROM grades
WHERE grade_key = ANY(CAST(:keys AS text[])) ORDER BY grade_key, version DESC
""")
_DISCLOSED = text("""
SELECT DISTINCT ON (grade_key) subject, inputs -> 'disclosed' AS disclosed FROM grades
WHERE cycle_key = :cycle_key AND requested_by <> :requested_by
ORDER BY grade_key, version DESC
""")
_HAS_PUBLISHED = text("SELECT EXISTS (SELECT FROM grades WHERE cycle_key = :id AND requested_by = :requested_by)")
_EARLIER = text("""
SELECT DISTINCT ON (g.subject, g.document ->> 'cycle')
       g.subject, g.document ->> 'cycle' AS cycle, g.grade, g.inputs ->> 'score_exact' AS score_exact,
       g.document ->> 'score_exact' IS NOT NULL AS told, g.digest, g.inputs ->> 'replay_of' AS replay_of
FROM grades g
WHERE split_part(g.document ->> 'scheme', '@', 1) = :scheme AND g.document ->> 'cycle' = ANY(CAST(:cycles AS text[]))
      AND CAST(g.document ->> 'as_of' AS timestamptz) <= :as_of
ORDER BY g.subject, g.document ->> 'cycle', CAST(split_part(g.document ->> 'scheme', '@', 2) AS int) DESC, g.version DESC
""")
_CLOSE_BEFORE = text(f"""
SELECT id FROM cycles c WHERE state ->> 'status' = 'closing' AND split_part(state ->> 'scheme', '@', 1) = :scheme
       AND state ->> 'cycle' = ANY(CAST(:cycles AS text[])) AND CAST(state ->> 'as_of' AS timestamptz) <= :as_of
       AND {parked.not_parked("'cycles:' || c.id")} ORDER BY id LIMIT 1
""")  # noqa: S608 - the part that is put in is a constant of ours
_ADD_INPUTS = text("""
INSERT INTO grade_inputs (digest, content)
SELECT digest, CAST(content AS jsonb) FROM unnest(CAST(:digests AS text[]), CAST(:contents AS text[])) AS t (digest, content)
ORDER BY digest ON CONFLICT DO NOTHING
""")
_INPUTS = text("SELECT digest, content FROM grade_inputs WHERE digest = ANY(CAST(:digests AS text[]))")


async def latest_grades(connection: AsyncConnection, keys: Sequence[str]) -> dict[str, LatestGrade]:
    """The newest version of each of these grades that there is one of, by its key."""
    rows = await connection.execute(_LATEST, {"keys": keys})
    return {row.grade_key: LatestGrade(row.version, row.digest, row.requested_by, row.outcomes) for row in rows}


async def has_published(connection: AsyncConnection, cycle: Cycle) -> bool:
    """Whether the close that is under way has published grades already."""
    return bool((await connection.execute(_HAS_PUBLISHED, {"id": cycle.id, "requested_by": cycle.requested_by})).scalar_one())


async def disclosed(connection: AsyncConnection, cycle: Cycle) -> dict[str, Mapping[str, Any]]:
    """By appraisee what the versions of earlier closes have told of ratings (ADR 0021); absent where they have told nothing.

    Those of the close that is under way are no part of it: one that was interrupted goes on as it began.
    """
    rows = await connection.execute(_DISCLOSED, {"cycle_key": cycle.id, "requested_by": cycle.requested_by})
    return {row.subject.partition(":")[2]: row.disclosed for row in rows if row.disclosed is not None}


async def earlier_grades(
    connection: AsyncConnection, scheme: str, cycles: Sequence[str], as_of: datetime
) -> dict[str, dict[str, EarlierGrade]]:
    """By person the grades of these cycles under any version of a scheme, as they stood with the closes up to `as_of`."""
    if not cycles:
        return {}
    found: dict[str, dict[str, EarlierGrade]] = {}
    for row in await connection.execute(_EARLIER, {"scheme": scheme, "cycles": list(cycles), "as_of": as_of}):
        one = EarlierGrade(row.cycle, row.grade, parse_exact(row.score_exact), row.told, row.digest, row.replay_of)
        found.setdefault(row.subject.partition(":")[2], {})[row.cycle] = one
    return found


async def close_before(connection: AsyncConnection, scheme: str, cycles: Sequence[str], as_of: datetime) -> str | None:
    """A close of one of these cycles that is under way as of an instant up to `as_of`; whoever looks at its grades waits for it."""
    if not cycles:
        return None
    rows = await connection.execute(_CLOSE_BEFORE, {"scheme": scheme, "cycles": list(cycles), "as_of": as_of})
    return rows.scalar_one_or_none()


async def add_inputs(connection: AsyncConnection, contents: Mapping[str, str]) -> None:
    """Stores what digests are made of, as JSON by digest; what is stored already stays."""
    await connection.execute(_ADD_INPUTS, {"digests": list(contents), "contents": list(contents.values())})


async def contents_of(connection: AsyncConnection, digests: Sequence[str]) -> dict[str, Plain]:
    """What these digests are made of, as far as it is stored."""
    return {row.digest: row.content for row in await connection.execute(_INPUTS, {"digests": digests})}


async def unfinished(connection: AsyncConnection) -> dict[str, int]:
    """What somebody has asked for and does not have yet, for the operator's command line: cycles that are to be closed."""
    return {"cycles": (await connection.execute(_ASKED_TO_CLOSE)).scalar_one()}


async def cycles_asked_for(connection: AsyncConnection) -> list[dict[str, Any]]:
    """Every cycle that somebody has asked to close, for the operator's command line: where it stands, and what its close has found."""
    found = await UnitOfWork.cycles.find(connection, text("true"), {})
    return [
        {
            "cycle_key": one.id,
            "cycle": one.cycle,
            "scheme": one.scheme,
            "status": str(one.status),
            "as_of": one.as_of,
            "for_real": one.for_real,
            "watermarks": dict(one.watermarks),
            "closes_waiting": len(one.waiting),
            "planned_for": None if one.plan is None else one.plan.as_of,
            "lacks_organisation": one.status is CycleStatus.CLOSING and await _lacks_organisation(connection, one),
        }
        for one in found
    ]


async def _lacks_organisation(connection: AsyncConnection, cycle: Cycle) -> bool:
    scheme = scheme_at(await documents.read(connection, KINDS), cycle.scheme, cycle.as_of)
    span = scheme if isinstance(scheme, Refused) else span_under(scheme, cycle.cycle, cycle.as_of)
    return isinstance(span, Span) and not (await parties.read(connection)).as_of(cycle.as_of).before(span.end).members


async def current_grades(connection: AsyncConnection) -> list[dict[str, Any]]:
    """The current version of every grade, as it was published, ordered by its key."""
    return list((await connection.execute(_CURRENT)).scalars())


async def grade_versions(connection: AsyncConnection, subject: str, cycle: str) -> list[Mapping[str, Any]]:
    """Every version of the grades that a subject has in a cycle: `version`, `document` and `inputs`."""
    return [dict(row) for row in (await connection.execute(_VERSIONS, {"subject": subject, "cycle": f"{cycle}|"})).mappings()]


_COUNTS = text("""
SELECT split_part(cycle_key, '|', 2) AS scheme, grade, count(*) AS number FROM grades GROUP BY 1, 2
""")


async def grade_counts(connection: AsyncConnection) -> dict[tuple[str, str], int]:
    """How many grades were published, by scheme and grade."""
    return {(row.scheme, row.grade): row.number for row in await connection.execute(_COUNTS)}


_ADD_GRADES = text("""
INSERT INTO grades
    (grade_key, version, cycle_key, subject, score, grade, digest, requested_by, document, inputs, outcomes, recorded_at)
SELECT grade_key, version, cycle_key, subject, score, grade, digest, requested_by,
       CAST(document AS jsonb), CAST(inputs AS jsonb), CAST(outcomes AS jsonb), recorded_at
FROM unnest(CAST(:grade_key AS text[]), CAST(:version AS int[]), CAST(:cycle_key AS text[]), CAST(:subject AS text[]),
            CAST(:score AS text[]), CAST(:grade AS text[]), CAST(:digest AS text[]), CAST(:requested_by AS text[]),
            CAST(:document AS text[]), CAST(:inputs AS text[]), CAST(:outcomes AS text[]), CAST(:recorded_at AS timestamptz[]))
     AS t (grade_key, version, cycle_key, subject, score, grade, digest, requested_by, document, inputs, outcomes, recorded_at)
""")
_JSON = ("document", "inputs", "outcomes")


def grade_columns(grades: Sequence[GradeRow]) -> dict[str, list[Any]]:
    """Versions of grades as `add_grades` takes them, column by column; it is work, and needs no database."""
    names = GradeRow.__table__.columns.keys()  # type: ignore[attr-defined]  # SQLModel adds it to tables only
    columns = {name: [getattr(row, name) for row in grades] for name in names}
    return columns | {name: [to_json(value).decode() for value in columns[name]] for name in _JSON}


async def add_grades(connection: AsyncConnection, columns: Mapping[str, list[Any]]) -> None:
    """Appends versions of grades, one statement for all."""
    if columns["grade_key"]:
        await connection.execute(_ADD_GRADES, dict(columns))
