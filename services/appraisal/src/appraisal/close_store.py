"""The `close_inputs` table: what a close has found when it began to grade, for as long as it is under way.

It is written and read in parts of some thousand entries: one of 10,000 people is too large to be put into words at one stretch, during
which nothing else in the process could go on.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_type_hints

from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from appraisal.domain.cycle import Cycle
from appraisal.domain.inputs import CloseInputs

_FIELDS: Mapping[str, TypeAdapter[Any]] = {name: TypeAdapter(kind) for name, kind in get_type_hints(CloseInputs).items()}
_ENTRIES = 1_000
_PARTS = 20
"""So many parts are sent in one statement."""
_FROZEN = text("SELECT field, content FROM close_inputs WHERE cycle_key = :id AND requested_by = :requested_by ORDER BY part")
_FREEZE = text("""
INSERT INTO close_inputs (cycle_key, requested_by, part, field, content)
SELECT :id, :requested_by, part, field, content
FROM unnest(CAST(:parts AS int[]), CAST(:fields AS text[]), CAST(:contents AS text[])) AS x (part, field, content)
""")
_FORGET = text("DELETE FROM close_inputs WHERE cycle_key = :id")


async def find(connection: AsyncConnection, cycle: Cycle) -> CloseInputs | None:
    """What the close that is under way has found when it began to grade; None before it did."""
    rows = (await connection.execute(_FROZEN, {"id": cycle.id, "requested_by": cycle.requested_by})).all()
    return await asyncio.to_thread(_put_together, [(row.field, row.content) for row in rows]) if rows else None


async def freeze(connection: AsyncConnection, cycle: Cycle, found: CloseInputs) -> CloseInputs:
    """Keeps what a close has found until it ends; what another replica has found for it before counts instead. The cycle is locked."""
    if (frozen := await find(connection, cycle)) is not None:
        return frozen
    parts = await asyncio.to_thread(_parts, found)
    for start in range(0, len(parts), _PARTS):
        fields, contents = zip(*parts[start : start + _PARTS], strict=True)
        numbers = list(range(start, start + len(fields)))
        values = {"id": cycle.id, "requested_by": cycle.requested_by, "parts": numbers, "fields": list(fields), "contents": list(contents)}
        await connection.execute(_FREEZE, values)
    return found


async def forget(connection: AsyncConnection, cycle: Cycle) -> None:
    """What a close has found is gone: it is over, or nothing rests on it yet and it is gathered anew."""
    await connection.execute(_FORGET, {"id": cycle.id})


def _parts(found: CloseInputs) -> list[tuple[str, str]]:
    """Each field of what was found, in as many pieces as it needs, at least one."""
    return [(name, kind.dump_json(piece).decode()) for name, kind in _FIELDS.items() for piece in _pieces(getattr(found, name))]


def _pieces(entries: tuple[Any, ...] | Mapping[str, Any]) -> Iterator[tuple[Any, ...] | dict[str, Any]]:
    """A field in pieces, each of its own kind: a part of a sequence is one, and so is a part of a mapping."""
    listed = tuple(entries.items()) if isinstance(entries, Mapping) else entries
    for start in range(0, max(1, len(listed)), _ENTRIES):
        piece = listed[start : start + _ENTRIES]
        yield dict(piece) if isinstance(entries, Mapping) else piece


def _put_together(parts: Iterable[tuple[str, str]]) -> CloseInputs:
    found: dict[str, Any] = {}
    for name, content in parts:
        piece = _FIELDS[name].validate_json(content)
        if name not in found:
            found[name] = piece
        elif isinstance(piece, dict):
            found[name].update(piece)
        else:
            found[name] = (*found[name], *piece)
    return CloseInputs(**found)
