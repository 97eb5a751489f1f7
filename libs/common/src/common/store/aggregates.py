"""How one kind of aggregate is stored: its table, and the two functions between row and domain."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, cast, get_type_hints, overload

import structlog
from sqlalchemy import Table, bindparam, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel

from common.contracts.event import Claim, Event
from common.kernel.errors import Refused, TooEarly

log = structlog.get_logger(__name__)

A = TypeVar("A")
L = TypeVar("L", covariant=True)
IdOf = str | Callable[[Any], str | None]


# The keys are sorted before the first of them is locked, so that two transactions never wait for each other.
_LOCK_NAMES = text("""
SELECT count(CAST(pg_advisory_xact_lock(key) AS text)) FROM (
    SELECT DISTINCT hashtextextended(name, 0) AS key FROM unnest(CAST(:names AS text[])) AS t (name) ORDER BY key
) AS sorted
""")


async def lock_names(connection: AsyncConnection, refs: Iterable[str]) -> None:
    """Locks aggregates by their names until the transaction ends, also those that do not exist yet.

    Whoever creates an aggregate and whoever begins to wait for it exclude each other by this: a row that is not there cannot be locked.
    """
    names = sorted(refs)
    if names:
        await connection.execute(_LOCK_NAMES, {"names": names})


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row that this version cannot read: a shape that it does not know, or spoilt. Its aggregate is parked, all others go on."""

    reason: str


class UnitOfWork(Protocol):
    """What the aggregates need of the unit of work on which they are declared."""

    def staged(self, aggregates: "Aggregates[Any]", id: str) -> Any: ...

    def stage(self, aggregates: "Aggregates[Any]", aggregate: Any, *, new: bool) -> None: ...

    def reject(self, claim: Claim, refused: Refused) -> None: ...

    def wait(self, early: TooEarly) -> None: ...


@dataclass(frozen=True, slots=True)
class Load(Generic[L]):
    """One aggregate that an event names: `required` makes an event wait until it exists, else the use case may get None."""

    aggregates: "Aggregates[Any]"
    id_of: Callable[[Event], str | None]
    required: bool


class Aggregates(Generic[A]):
    """Declared on a service's unit of work: `complaints = Aggregates(ComplaintRow, to_row=…, to_domain=…)`.

    The row has the columns `id` (the aggregate's) and `sequence` (counts its published events; the chassis keeps it).
    """

    def __init__(self, row: type[SQLModel], *, to_row: Callable[[A], SQLModel], to_domain: Callable[[Any], A]) -> None:
        self.row = row
        self.to_row = to_row
        self.to_domain = to_domain
        self.table: Table = cast("Table", row.__table__)  # type: ignore[attr-defined]  # SQLModel adds it to tables only
        self.name: str = self.table.name
        """The table's name, which is also the first part of every reference to an aggregate."""

    @property
    def kind(self) -> type[A]:
        """The class of the aggregates."""
        return cast("type[A]", get_type_hints(self.to_domain)["return"])

    def ref(self, id: str) -> str:
        """How timers, clocks and parked records name one aggregate: `complaints:C1`."""
        return f"{self.name}:{id}"

    @overload
    def __get__(self, uow: None, owner: type[UnitOfWork]) -> "Aggregates[A]": ...
    @overload
    def __get__(self, uow: UnitOfWork, owner: type[UnitOfWork]) -> "Staged[A]": ...
    def __get__(self, uow: UnitOfWork | None, owner: type[UnitOfWork]) -> "Aggregates[A] | Staged[A]":
        return self if uow is None else Staged(self, uow)

    def by(self, id: IdOf) -> "Load[A]":
        """The aggregate that the event names must exist; an event that comes before it waits."""
        return Load(self, _id_of(id), required=True)

    def maybe(self, id: IdOf) -> "Load[A | None]":
        """The aggregate that the event names may exist; the handler gets None where it does not."""
        return Load(self, _id_of(id), required=False)

    async def lock(self, connection: AsyncConnection, ids: Sequence[str]) -> dict[str, tuple[A, int] | UnreadableRow]:
        """Those of `ids` that exist, with their sequence, locked in the order of their ids."""
        found = await connection.execute(select(self.table).where(self.table.c.id.in_(ids)).order_by(self.table.c.id).with_for_update())
        return {row.id: self._read(row) for row in found}

    def _read(self, row: Any) -> tuple[A, int] | UnreadableRow:
        try:
            return self.to_domain(row), row.sequence  # the driver's row has the columns by name, as one of SQLModel would
        except Exception as error:  # whatever the row holds: one row must not stop the others
            log.error("row_unreadable", aggregate=self.ref(row.id), exc_info=error)
            return UnreadableRow(f"its row cannot be read: {type(error).__name__}")

    async def write(self, connection: AsyncConnection, new: Sequence[tuple[A, int]], changed: Sequence[tuple[A, int]]) -> None:
        """Writes new and changed aggregates, one statement each."""
        if new:
            await connection.execute(insert(self.table), [self._columns(*entry) for entry in new])
        if changed:
            columns = [self._columns(*entry) for entry in changed]
            names = [name for name in columns[0] if name != "id"]
            statement = update(self.table).where(self.table.c.id == bindparam("id_")).values({name: bindparam(name) for name in names})
            await connection.execute(statement, [{"id_": values.pop("id"), **values} for values in columns])

    def _columns(self, aggregate: A, sequence: int) -> dict[str, Any]:
        row = self.to_row(aggregate)
        names = self.table.columns.keys()
        return {**{name: getattr(row, name) for name in names}, "sequence": sequence}


def _id_of(id: IdOf) -> Callable[[Event], str | None]:
    if callable(id):
        return id
    return lambda event: getattr(event, id)


@dataclass(frozen=True, slots=True)
class Staged(Generic[A]):
    """One kind of aggregate, as the use case of one event sees it: what was loaded, and what it has staged so far."""

    aggregates: Aggregates[A]
    uow: UnitOfWork

    def get(self, id: str) -> A | None:
        """The aggregate, or None; reading one that the handler did not declare is an error."""
        return cast("A | None", self.uow.staged(self.aggregates, id))

    def save(self, aggregate: A) -> None:
        """Stages a changed aggregate."""
        self.uow.stage(self.aggregates, aggregate, new=False)

    def settle(self, claim: Claim, decision: A | Refused | TooEarly) -> A | None:
        """The changed aggregate, staged; None when a rule refuses the claim, or when the claim has to wait for an earlier one."""
        match decision:
            case Refused() as refused:
                self.uow.reject(claim, refused)
            case TooEarly() as early:
                self.uow.wait(early)
            case changed:
                self.save(changed)
                return changed
        return None

    def add(self, aggregate: A) -> None:
        """Stages a new aggregate; one that exists already is an error."""
        self.uow.stage(self.aggregates, aggregate, new=True)
