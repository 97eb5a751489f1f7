"""The timers in the database: when time makes something true on a clock, and when an aggregate is to be woken."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.kernel.wake_ups import WakeUp, WakeUps
from common.sla.clock import Clock
from common.store import parked, positions

AT_ONCE = 200
"""So many timers fire in one transaction."""
_COLUMNS = ("ids", "aggregates", "reasons", "dues", "states", "versions", "replays")

# A wake-up that an event has overtaken is written as fired under the version that was armed.
_SET = text("""
INSERT INTO timers (id, kind, aggregate, reason, due_at, state, version, replay_of)
SELECT i, :kind, a, w, coalesce(d, 'infinity'), s, v, r
FROM unnest(CAST(:ids AS text[]), CAST(:aggregates AS text[]), CAST(:reasons AS text[]), CAST(:dues AS timestamptz[]),
            CAST(:states AS text[]), CAST(:versions AS int[]), CAST(:replays AS text[])) AS x (i, a, w, d, s, v, r)
ON CONFLICT (id) DO UPDATE SET due_at = excluded.due_at, state = excluded.state, version = excluded.version, replay_of = excluded.replay_of
WHERE timers.version < excluded.version
   OR (timers.version = excluded.version AND timers.state = 'armed' AND excluded.state = 'fired')
""")
_WAKE_UPS = text("""
SELECT aggregate, reason, due_at, state, version, replay_of FROM timers
WHERE kind = 'wake' AND aggregate = ANY(CAST(:aggregates AS text[]))
""")
# statement_timestamp() stands still within the statement, so that the index is asked for what is due; clock_timestamp() would be
# asked of every timer that is armed.
_DUE = text(f"""
SELECT id, aggregate, version FROM timers t
WHERE state = 'armed' AND due_at < least(statement_timestamp(), CAST(:caught_up AS timestamptz)) AND {parked.not_parked("t.aggregate")}
  AND NOT (replay_of <> '' AND (
        CAST(:caught_up AS timestamptz) < clock_timestamp() - CAST(:stale_after AS interval) OR {positions.REPLAYED_LATELY}))
ORDER BY due_at, kind DESC, id LIMIT :at_once
""")  # noqa: S608 - the parts that are put in are constants of ours
_FIRE = text("""
UPDATE timers SET state = 'fired' FROM unnest(CAST(:ids AS text[]), CAST(:versions AS int[])) AS t (id, version)
WHERE timers.id = t.id AND timers.version = t.version AND timers.state = 'armed'
RETURNING timers.id, timers.kind, timers.aggregate, timers.reason, timers.due_at, timers.version, timers.replay_of,
          clock_timestamp() AS fired_at
""")
_REARM = text("UPDATE timers SET state = 'armed' WHERE id = ANY(CAST(:ids AS text[]))")
_NEXT = text(f"""
SELECT extract(epoch FROM due_at - clock_timestamp())::float FROM timers t
WHERE state = 'armed' AND due_at < 'infinity' AND {parked.not_parked("t.aggregate")} ORDER BY due_at LIMIT 1
""")  # noqa: S608 - the part that is put in is a constant of ours
_OVERDUE = text(f"""
SELECT count(*) AS number, coalesce(extract(epoch FROM now() - min(due_at)), 0)::float AS oldest_seconds,
       count(*) FILTER (WHERE {parked.not_parked("t.aggregate")}) AS not_parked,
       count(*) FILTER (WHERE kind = 'wake') AS wake_ups
FROM timers t WHERE state = 'armed' AND due_at < now()
""")  # noqa: S608 - the part that is put in is a constant of ours
FIRST_DUE = f"SELECT min(due_at) FROM timers t WHERE state = 'armed' AND {parked.not_parked('t.aggregate')}"  # noqa: S608 - the part that is put in is a constant of ours
"""SQL for another table's statement: when the next timer is due."""
_OF = text("SELECT due_at, state, version FROM timers WHERE id = :id")


@dataclass(frozen=True, slots=True)
class Timer:
    """One timer that has fired: that of a clock, or a wake-up."""

    id: str
    kind: Literal["clock", "wake"]
    aggregate: str
    reason: str
    due_at: datetime
    version: int
    replay_of: str
    fired_at: datetime

    @property
    def wake_up(self) -> WakeUp:
        """The wake-up that it is."""
        return WakeUp(self.aggregate, self.reason, self.due_at, "armed", self.version, self.replay_of)


@dataclass(frozen=True, slots=True)
class Overdue:
    """The timers whose instant has passed: how many, since how many seconds the oldest, how many of them no park holds back, and how
    many are wake-ups; the others are of clocks."""

    number: int
    oldest_seconds: float
    not_parked: int
    wake_ups: int = 0


async def arm(connection: AsyncConnection, clocks: Sequence[Clock]) -> None:
    """Writes the timer of each clock: armed for its next instant, cancelled where there is none; a newer version is never undone."""
    rows = [
        (clock.id, clock.aggregate, "", timer.due_at, "cancelled" if timer.due_at is None else "armed", timer.version, clock.replay_of)
        for clock in clocks
        for timer in (clock.timer,)
    ]
    await _set(connection, "clock", rows)


async def load_wake_ups(connection: AsyncConnection, wake_ups: WakeUps, aggregates: Collection[str]) -> None:
    """Reads the wake-ups of aggregates that are locked already, also those that have fired or were cancelled."""
    if aggregates:
        wake_ups.load(WakeUp(**row) for row in (await connection.execute(_WAKE_UPS, {"aggregates": list(aggregates)})).mappings())


async def save_wake_ups(connection: AsyncConnection, wake_ups: WakeUps) -> None:
    """Writes what was set, moved, cancelled or fired; a newer version is never undone."""
    changed = [wake_ups.known[key] for key in sorted(wake_ups.changed)]
    if changed:
        rows = [(one.id, one.aggregate, one.reason, one.due_at, one.state, one.version, one.replay_of) for one in changed]
        await _set(connection, "wake", rows)


async def _set(connection: AsyncConnection, kind: Literal["clock", "wake"], rows: Sequence[tuple[object, ...]]) -> None:
    columns = dict(zip(_COLUMNS, (list(column) for column in zip(*rows, strict=True)), strict=True))
    await connection.execute(_SET, {"kind": kind, **columns})


async def due(connection: AsyncConnection, caught_up: datetime, replay_idle: timedelta) -> list[Any]:
    """What may fire: due before `caught_up`; of a replayed history only once that has been idle for `replay_idle`. The oldest first."""
    limits = {"caught_up": caught_up, "at_once": AT_ONCE, "replay_idle": replay_idle, "stale_after": positions.CAUGHT_UP_STALE_AFTER}
    return list(await connection.execute(_DUE, limits))


async def fire(connection: AsyncConnection, rows: Sequence[Any]) -> list[Timer]:
    """Fires those of `rows` that are still armed in the same version, and returns them, the oldest first.

    Of the same instant a wake-up comes first: what it does then is in time, and a deadline is broken just after it.
    """
    fired = await connection.execute(_FIRE, {"ids": [row.id for row in rows], "versions": [row.version for row in rows]})
    return sorted((Timer(**row) for row in fired.mappings()), key=lambda row: (row.due_at, row.kind == "clock", row.id))


async def rearm(connection: AsyncConnection, ids: Sequence[str]) -> None:
    """Arms timers again whose case was parked."""
    await connection.execute(_REARM, {"ids": list(ids)})


async def seconds_until_next(connection: AsyncConnection) -> float | None:
    """How long it is until the next armed timer is due, negative when it is overdue; None when there is none that no park holds back."""
    found: float | None = (await connection.execute(_NEXT)).scalar_one_or_none()
    return found


async def overdue(connection: AsyncConnection) -> Overdue:
    """What should have fired by now."""
    return Overdue(**(await connection.execute(_OVERDUE)).mappings().one())


async def of_clock(connection: AsyncConnection, id: str) -> dict[str, Any] | None:
    """The timer of one clock, with `due_at`, `state` and `version`; None when it has none."""
    row = (await connection.execute(_OF, {"id": id})).mappings().one_or_none()
    return None if row is None else dict(row)
