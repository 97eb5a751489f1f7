"""How aggregates are stored: one table a kind, one row an aggregate, its state as one JSON document of the domain's own dataclass."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, cast, overload

import structlog
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json
from sqlalchemy import DateTime, Table, TextClause, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import Field, SQLModel

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
    names = list(refs)
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


class Document(SQLModel):
    """The columns of every table of aggregates; a service names one: `class WorkOrderRow(Document, table=True): __tablename__ = …`."""

    id: str = Field(primary_key=True)
    sequence: int
    """How many events of the aggregate were published; the chassis keeps it."""
    version: int
    """The shape in which the state was written: how many upcasters there were, and one."""
    state: dict[str, Any] = Field(sa_type=JSONB)
    recorded_at: datetime = Field(sa_type=DateTime(timezone=True))
    """When the newest of the events was recorded that the aggregate has heard of; the chassis keeps it."""


NOTHING_RECORDED = datetime(1970, 1, 1, tzinfo=UTC)
"""When the events of an aggregate were recorded that has heard of none, or that was stored without it."""


class Row(NamedTuple, Generic[A]):
    """One aggregate with what the chassis keeps of it."""

    value: A
    sequence: int
    recorded_at: datetime = NOTHING_RECORDED


_READ = "SELECT id, sequence, version, recorded_at, CAST(state AS text) AS state FROM {table} WHERE {which} ORDER BY id"
_LOCK = _READ.replace("{which}", "id = ANY(CAST(:ids AS text[]))") + " FOR UPDATE"
_INSERT = """
INSERT INTO {table} (id, sequence, version, state, recorded_at) SELECT i, n, :version, CAST(s AS jsonb), r
FROM unnest(CAST(:ids AS text[]), CAST(:sequences AS int[]), CAST(:states AS text[]), CAST(:recorded AS timestamptz[])) AS x (i, n, s, r)
"""
_UPDATE = """
UPDATE {table} SET sequence = n, version = :version, state = CAST(s AS jsonb), recorded_at = r
FROM unnest(CAST(:ids AS text[]), CAST(:sequences AS int[]), CAST(:states AS text[]), CAST(:recorded AS timestamptz[])) AS x (i, n, s, r)
WHERE id = i
"""

Upcast = Callable[[dict[str, Any]], dict[str, Any]]
_CLOCKS = {"clocks"}


class Aggregates(Generic[A]):
    """Declared on a service's unit of work: `complaints = Aggregates(ComplaintRow, Complaint)`.

    The state is what the dataclass holds, but for its `clocks`, which are rows of their own. A field that is new has a default,
    with which older states are read. Where a default is not enough, `upcasts` has a function for each step from one shape to the
    next, the oldest first: it takes the stored document and gives the one that the next version would have written.
    """

    def __init__(self, row: type[Document], kind: type[A], *, upcasts: Sequence[Upcast] = ()) -> None:
        self.table = cast("Table", row.__table__)  # type: ignore[attr-defined]  # SQLModel adds it to tables only
        self.name = self.table.name
        """The table's name, which is also the first part of every reference to an aggregate."""
        self.kind = kind
        self._upcasts = tuple(upcasts)
        self._adapter = TypeAdapter(kind)
        self._lock, self._insert, self._update = (text(statement.format(table=self.name)) for statement in (_LOCK, _INSERT, _UPDATE))

    @property
    def version(self) -> int:
        """The shape in which states are written now."""
        return len(self._upcasts) + 1

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

    async def lock(self, connection: AsyncConnection, ids: Sequence[str]) -> dict[str, Row[A] | UnreadableRow]:
        """Those of `ids` that exist, locked in the order of their ids."""
        return {row.id: self._of(row) for row in await connection.execute(self._lock, {"ids": ids})}

    async def find(self, connection: AsyncConnection, which: TextClause, values: Mapping[str, object]) -> list[A]:
        """The aggregates whose rows meet the condition `which`, by id, not locked; one that cannot be read is an error."""
        rows = await connection.execute(text(_READ.format(table=self.name, which=which.text)), dict(values))
        return [self.read(row.state, row.version) for row in rows]

    async def write(self, connection: AsyncConnection, new: Sequence[Row[A]], changed: Sequence[Row[A]]) -> None:
        """Writes new and changed aggregates, one statement each."""
        for statement, entries in ((self._insert, new), (self._update, changed)):
            if entries:
                values = {
                    "ids": [cast("Any", row.value).id for row in entries],
                    "sequences": [row.sequence for row in entries],
                    "states": [self.state(row.value) for row in entries],
                    "recorded": [row.recorded_at for row in entries],
                    "version": self.version,
                }
                await connection.execute(statement, values)

    def state(self, aggregate: A) -> str:
        """The document in which an aggregate is stored."""
        return self._adapter.dump_json(aggregate, exclude=_CLOCKS).decode()

    def read(self, state: str | bytes, version: int) -> A:
        """The aggregate of a document that was written in this shape; `ValueError` for one that this release does not know."""
        if version != self.version:
            state = self._upcast(state, version)
        return self._adapter.validate_json(state, strict=True, extra="forbid")

    def _upcast(self, state: str | bytes, version: int) -> bytes:
        if version not in range(1, self.version):
            raise ValueError(f"written in shape {version}, and the newest that is known is {self.version}")
        document = from_json(state)
        for upcast in self._upcasts[version - 1 :]:
            document = upcast(document)
        return to_json(document)

    def _of(self, row: Any) -> Row[A] | UnreadableRow:
        try:
            return Row(self.read(row.state, row.version), row.sequence, row.recorded_at)
        except Exception as error:  # whatever the row holds: one row must not stop the others
            log.error("row_unreadable", aggregate=self.ref(row.id), exc_info=error)
            return UnreadableRow(f"its row cannot be read: {_reason(error)}")


def _reason(error: Exception) -> str:
    """What is wrong with a document, and where in it; no value, and no name that is none of ours."""
    if not isinstance(error, ValidationError):
        return type(error).__name__
    first = error.errors()[0]
    place = ["state", *first["loc"]]
    if first["type"] == "unexpected_keyword_argument":
        place[-1] = "<unknown>"
    return f"{'.'.join(map(str, place))}: {first['type']}"


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

    def answer(self, claim: Claim, decision: A | Refused | TooEarly) -> A | None:
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
