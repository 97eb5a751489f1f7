"""What HR has said of every organisation, in each service's database: append-only, and read by each replica as far as it is new to it."""

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.kernel.parties import Change, Kind, Organisation
from common.kernel.staff import Member

REVISION = "SELECT count(*) AS changes, coalesce(max(number), 0) AS newest_change FROM organisation_changes"
"""SQL for another table's statement: by these two a process sees whether it knows everything."""
_REVISION = text(REVISION)
_READ = text("""
SELECT change AS id, org_id, kind, effective_at, recorded_at, CAST(members AS text) AS members, leaver, part, parts, number
FROM organisation_changes WHERE number <> ALL(CAST(:known AS bigint[])) ORDER BY number
""")
_ADD = text("""
INSERT INTO organisation_changes (change, part, parts, org_id, kind, effective_at, recorded_at, members, leaver)
VALUES (:id, :part, :parts, :org_id, :kind, :effective_at, :recorded_at, CAST(:members AS jsonb), :leaver)
ON CONFLICT (change, part) DO NOTHING
""")
_MEMBERS = TypeAdapter(tuple[Member, ...])


class PartiesCache:
    """The organisation of a service as one process knows it."""

    def __init__(self) -> None:
        self._organisation = Organisation()
        self._numbers: list[int] = []

    async def now(self, connection: AsyncConnection, revision: Any = None) -> Organisation:
        """The organisation that the transaction sees; only what is new is read. `revision` is a row of `REVISION`, if one was read."""
        revision = revision or (await connection.execute(_REVISION)).one()
        if (revision.changes, revision.newest_change) != (len(self._numbers), max(self._numbers, default=0)):
            await self._read_new(connection)
            if len(self._numbers) != revision.changes:  # what is known here is not there any more: the database was restored
                self._organisation, self._numbers = Organisation(), []
                await self._read_new(connection)
        return self._organisation

    async def _read_new(self, connection: AsyncConnection) -> None:
        rows = (await connection.execute(_READ, {"known": self._numbers})).mappings().all()
        self._organisation = self._organisation.with_some([_change(**row) for row in rows])
        self._numbers = [*self._numbers, *(row["number"] for row in rows)]


async def read(connection: AsyncConnection) -> Organisation:
    """Everything that HR has said."""
    return await PartiesCache().now(connection)


async def save(connection: AsyncConnection, changes: Sequence[Change]) -> None:
    """Adds changes; one that is there already stays as it is."""
    for change in changes:
        values = {
            "id": change.id,
            "part": change.part,
            "parts": change.parts,
            "org_id": change.org_id,
            "kind": change.kind.name,
            "effective_at": change.effective_at,
            "recorded_at": change.recorded_at,
            "members": _MEMBERS.dump_json(change.members).decode(),
            "leaver": change.leaver,
        }
        await connection.execute(_ADD, values)


def _change(*, kind: str, members: str, number: int, **row: object) -> Change:  # noqa: ARG001 - the row has its number for the cache
    return Change(kind=Kind[kind], members=_MEMBERS.validate_json(members, strict=True, extra="forbid"), **row)  # type: ignore[arg-type]  # as declared
