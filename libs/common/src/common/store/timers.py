"""The timers in the database: when something becomes true on a clock because time passes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.sla.clock import Clock
from common.store import parked, positions

AT_ONCE = 200
"""So many timers fire in one transaction."""

_ARM = text("""
INSERT INTO timers (id, aggregate, kind, due_at, state, version, replayed)
SELECT i, a, 'clock', coalesce(d, 'infinity'), CASE WHEN d IS NULL THEN 'cancelled' ELSE 'armed' END, v, r
FROM unnest(CAST(:ids AS text[]), CAST(:aggregates AS text[]), CAST(:dues AS timestamptz[]), CAST(:versions AS int[]),
            CAST(:replayed AS boolean[])) AS x (i, a, d, v, r)
ON CONFLICT (id) DO UPDATE SET due_at = excluded.due_at, state = excluded.state, version = excluded.version
WHERE timers.version < excluded.version
""")
# statement_timestamp() stands still within the statement, so that the index is asked for what is due; clock_timestamp() would be
# asked of every timer that is armed.
_DUE = text(f"""
SELECT id, aggregate, due_at, version FROM timers t
WHERE state = 'armed' AND due_at < least(statement_timestamp(), CAST(:caught_up AS timestamptz)) AND {parked.not_parked("t.aggregate")}
  AND NOT (replayed AND (
        CAST(:caught_up AS timestamptz) < clock_timestamp() - CAST(:stale_after AS interval) OR {positions.REPLAYED_LATELY}))
ORDER BY due_at, id LIMIT :at_once
""")  # noqa: S608 - the parts that are put in are constants of ours
_FIRE = text("""
UPDATE timers SET state = 'fired' FROM unnest(CAST(:ids AS text[]), CAST(:versions AS int[])) AS t (id, version)
WHERE timers.id = t.id AND timers.version = t.version AND timers.state = 'armed'
RETURNING timers.id, timers.aggregate, timers.due_at, timers.version, clock_timestamp() AS fired_at
""")
_REARM = text("UPDATE timers SET state = 'armed' WHERE id = ANY(CAST(:ids AS text[]))")
_NEXT = text("""
SELECT extract(epoch FROM min(due_at) - clock_timestamp())::float FROM timers WHERE state = 'armed' AND due_at < 'infinity'
""")
_OVERDUE = text(f"""
SELECT count(*) AS number, coalesce(extract(epoch FROM now() - min(due_at)), 0)::float AS oldest_seconds,
       count(*) FILTER (WHERE {parked.not_parked("t.aggregate")}) AS not_parked
FROM timers t WHERE state = 'armed' AND due_at < now()
""")  # noqa: S608 - the part that is put in is a constant of ours
_OF = text("SELECT due_at, state, version FROM timers WHERE id = :id")


@dataclass(frozen=True, slots=True)
class Overdue:
    """The timers whose instant has passed: how many, since how many seconds the oldest, and how many of them no park holds back."""

    number: int
    oldest_seconds: float
    not_parked: int


async def arm(connection: AsyncConnection, clocks: Sequence[Clock]) -> None:
    """Writes the timer of each clock: armed for its next instant, cancelled where there is none; a newer version is never undone."""
    await connection.execute(
        _ARM,
        {
            "ids": [clock.id for clock in clocks],
            "aggregates": [clock.aggregate for clock in clocks],
            "dues": [clock.timer.due_at for clock in clocks],
            "versions": [clock.timer.version for clock in clocks],
            "replayed": [bool(clock.replay_of) for clock in clocks],
        },
    )


async def due(connection: AsyncConnection, caught_up: datetime, replay_idle: timedelta) -> list[Any]:
    """What may fire: due before `caught_up`; of a replayed history only once that has been idle for `replay_idle`. The oldest first."""
    limits = {"caught_up": caught_up, "at_once": AT_ONCE, "replay_idle": replay_idle, "stale_after": positions.CAUGHT_UP_STALE_AFTER}
    return list(await connection.execute(_DUE, limits))


async def fire(connection: AsyncConnection, rows: Sequence[Any]) -> list[Any]:
    """Fires those of `rows` that are still armed in the same version, and returns them, the oldest first."""
    fired = await connection.execute(_FIRE, {"ids": [row.id for row in rows], "versions": [row.version for row in rows]})
    return sorted(fired, key=lambda row: (row.due_at, row.id))


async def rearm(connection: AsyncConnection, ids: Sequence[str]) -> None:
    """Arms timers again whose case was parked."""
    await connection.execute(_REARM, {"ids": list(ids)})


async def seconds_until_next(connection: AsyncConnection) -> float | None:
    """How long it is until the next armed timer is due, negative when it is overdue; None when there is none."""
    found: float | None = (await connection.execute(_NEXT)).scalar_one()
    return found


async def overdue(connection: AsyncConnection) -> Overdue:
    """What should have fired by now."""
    return Overdue(**(await connection.execute(_OVERDUE)).mappings().one())


async def of_clock(connection: AsyncConnection, id: str) -> dict[str, Any] | None:
    """The timer of one clock, with `due_at`, `state` and `version`; None when it has none."""
    row = (await connection.execute(_OF, {"id": id})).mappings().one_or_none()
    return None if row is None else dict(row)
