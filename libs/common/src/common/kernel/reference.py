"""Reference documents: the rules that an enterprise decides for itself, each version effective by event time (D1-17, D11-20).

Which version counts at an instant follows from what was published alone, in whatever order it became known (ADR 0019).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import resources
from importlib.resources.abc import Traversable
from operator import itemgetter
from typing import Any, Generic, Literal, TypeVar, cast

from common.kernel.documents import Node, Wording
from common.kernel.faults import Fault

WORDING = Wording(
    fields=("bad_value", "fields are expected"),
    items=("bad_value", "a list is expected"),
    text=("bad_value", "a text is expected"),
    missing=("missing_field", "the field is missing"),
    rule="bad_value",
    names=lambda _: "names that are texts are expected",
)
"""How documents refuse a wrong value, unless their kind has a wording of its own."""
T = TypeVar("T")
V = TypeVar("V")

EVER = datetime(1970, 1, 1, tzinfo=UTC)
"""Since when what ships with the first release of a service is effective: no event may have happened before."""
STANDARD = "standard"
"""The name of a document of which there is one of its kind."""

_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
HEAD = ("kind", "name", "version")
"""What a file says of its document beside the body."""

Standing = Literal["draft", "issued", "approved"]
"""A draft never takes effect; what was issued does where its kind asks for no approval; what was approved does everywhere."""


@dataclass(slots=True)
class Findings:
    """What is wrong in one part of a document does not hide what is wrong in another."""

    found: list[Fault] = field(default_factory=list)

    def of(self, read: Callable[[], T]) -> T | None:
        """What `read` reads; None where it finds a fault, which is noted."""
        try:
            return read()
        except Fault as fault:
            self.found.append(fault)
            return None

    def entries(self, body: Node, name: str, read: Callable[[Node], T], *, beside: Iterable[str] = ()) -> list[T]:
        """What `read` makes of each entry of the only field that a body has, but for those `beside` it that it may have."""
        if self.of(lambda: body.fields(required=(name,))) is None:
            return []
        self.of(lambda: body.fields(known=(name, *beside)))
        table = body.field(name)
        return self.each(map(table.field, table.fields()), read)

    def each(self, nodes: Iterable[Node], read: Callable[[Node], T]) -> list[T]:
        """What `read` makes of each part that it can read."""
        return [value for node in nodes if (value := self.of(lambda node=node: read(node))) is not None]  # type: ignore[misc]  # binds this node


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """A kind of document that a service decides by. `parse` makes its value from the body of a document, or raises a `Fault`."""

    name: str
    parse: Callable[[Mapping[str, Any]], T]
    needs_approval: bool = False
    """Whether somebody else than its author has to approve a document before it takes effect."""
    presets: str = ""
    """The package, and a folder in it after a slash, whose folder of the kind's name holds the versions that ship,
    `<name>@<version>.yaml`; empty where none do."""
    faults: Callable[[Mapping[str, Any]], Iterable[Fault]] | None = None
    """All that is wrong with a body, for whoever writes one; None where the first that `parse` finds has to do."""
    remedies: Mapping[str, str] = field(default_factory=dict)
    """What to do about a fault, by its rule, beyond what is said of documents of every kind."""
    named_by: str = ""
    """The field of the body that is the document's name, beside `version`; empty where a file says `kind`, `name` and `version`."""

    as_text: bool = False
    """Whether the values in a file are read as text: `18:00` and `79.5` are what they look like, and no number is a binary float."""

    @classmethod
    def collected(cls, name: str, read: "Callable[[Node, Findings], T]", **more: Any) -> "Kind[T]":
        """A kind whose reader goes on after a fault: `read` asks each part of the body by itself."""

        def parse(body: Mapping[str, Any]) -> T:
            findings = Findings()
            value = findings.of(lambda: read(Node(body, (), WORDING), findings))
            if findings.found:
                raise findings.found[0]
            return cast("T", value)

        def faults(body: Mapping[str, Any]) -> list[Fault]:
            findings = Findings()
            findings.of(lambda: read(Node(body, (), WORDING), findings))
            return findings.found

        return cls(name, parse, faults=faults, **more)

    def preset_files(self) -> list[tuple[str, int, Traversable]]:
        """The files of the versions that ship, with name and version, in the order of both."""
        if not self.presets:
            return []
        package, _, folder = self.presets.partition("/")
        found = []
        for file in resources.files(package).joinpath(folder, self.name).iterdir():
            name, _, version = file.name.removesuffix(".yaml").partition("@")
            if file.name.endswith(".yaml") and version:
                found.append((name, int(version), file))
        return sorted(found, key=itemgetter(0, 1))

    def body_of(self, file: Mapping[str, Any]) -> dict[str, Any]:
        """The body of a document as a file states it: without what the file says of the document, unless that belongs to the body."""
        return {name: value for name, value in file.items() if self.named_by or name not in HEAD}


@dataclass(frozen=True, slots=True)
class Document:
    """One record of one version of a document, as it was published; `effective_at` is never before it was."""

    kind: str
    name: str
    version: int
    effective_at: datetime
    body: Mapping[str, Any]
    event_id: str
    applies_to_open: bool = False
    standing: Standing = "issued"
    control: Mapping[str, Any] = field(default_factory=dict)
    """Number, author, reviewer, approver and dates (D11-20)."""

    @property
    def ref(self) -> str:
        """`complaint-triggers/standard@2`."""
        return f"{self.kind}/{self.name}@{self.version}"

    @property
    def number(self) -> str:
        """The number under which the enterprise controls it; empty where it has none."""
        return str(self.control.get("number", ""))


@dataclass(frozen=True, slots=True)
class Version(Generic[T]):
    """One version that takes effect. `content` is None where this release cannot read the document."""

    document: Document
    content: T | None

    @property
    def value(self) -> T:
        """What the document says; `LookupError` where it cannot be read: whatever needs it is parked, and nothing else."""
        if self.content is None:
            raise LookupError(f"document {self.document.ref} cannot be read")
        return self.content


class Documents:
    """All documents that were published to a service, and what those say that it decides by."""

    def __init__(self, kinds: Iterable[Kind[Any]], documents: Iterable[Document] = ()) -> None:
        self._kinds = {kind.name: kind for kind in kinds}
        self._records: dict[tuple[str, str], dict[int, tuple[Document, ...]]] = {}
        self._chains: dict[tuple[str, str], tuple[Version[Any], ...]] = {}
        self._contents: dict[str, Any] = {}
        for document in documents:
            versions = self._records.setdefault((document.kind, document.name), {})
            versions[document.version] = (*versions.get(document.version, ()), document)

    def with_one(self, document: Document) -> "Documents":
        """The documents after one more was published."""
        found = Documents(self._kinds.values(), (*self, document))
        found._contents = dict(self._contents)  # a version has one body, which is read once
        return found

    def __iter__(self) -> Iterator[Document]:
        return (one for versions in self._records.values() for records in versions.values() for one in records)

    def kind(self, name: str) -> Kind[Any] | None:
        """The kind of this name, where the service decides by it."""
        return self._kinds.get(name)

    def names(self, kind: Kind[Any]) -> list[str]:
        """The names of the documents of a kind."""
        return sorted(name for found, name in self._records if found == kind.name)

    def published(self, kind: str, name: str, version: int) -> tuple[Document, ...]:
        """Every record of one version; they have one body, and may differ in who has approved it and when."""
        return self._records.get((kind, name), {}).get(version, ())

    def newest(self, kind: str, name: str) -> int:
        """The highest version that was published; 0 where there is none."""
        return max(self._records.get((kind, name), ()), default=0)

    def at(self, kind: Kind[T], instant: datetime, name: str = STANDARD) -> T:
        """What the document of this name says that is effective at an instant; `LookupError` where there is none, or it cannot be read."""
        return self.version_at(kind, instant, name).value

    def version_at(self, kind: Kind[T], instant: datetime, name: str = STANDARD) -> Version[T]:
        """The version that is effective at an instant: the newest by then, before the first of all that one; `LookupError` for none."""
        chain = self.in_force(kind, name)
        if not chain:
            raise LookupError(f"no document {kind.name}/{name} is in force")
        return next((one for one in reversed(chain) if one.document.effective_at <= instant), chain[0])

    def in_force(self, kind: Kind[T], name: str = STANDARD) -> tuple[Version[T], ...]:
        """Every version that counts at some time, in the order of the instants from which it does."""
        key = kind.name, name
        if key not in self._chains:
            self._chains[key] = rising((one.document.effective_at, one.document.version, one) for one in self.versions(kind, name))
        return cast("tuple[Version[T], ...]", self._chains[key])

    def versions(self, kind: Kind[T], name: str = STANDARD) -> tuple[Version[T], ...]:
        """Every version that may take effect, by version; of several records of one that by which it does first."""
        records = sorted(self._records.get((kind.name, name), {}).items())
        found = [first for _, of_one in records if (first := effective(kind, of_one)) is not None]
        return tuple(Version(one, self._content(kind, one)) for one in found)

    def _content(self, kind: Kind[T], document: Document) -> T | None:
        if document.ref not in self._contents:
            self._contents[document.ref] = _content(kind, document)
        return cast("T | None", self._contents[document.ref])


def effective(kind: Kind[Any], records: Iterable[Document]) -> Document | None:
    """Of the records of one version, that by which it takes effect first; None where none of them has any effect."""
    enough = ("approved",) if kind.needs_approval else ("approved", "issued")
    return min((one for one in records if one.standing in enough), key=lambda one: (one.effective_at, one.event_id), default=None)


def rising(versions: Iterable[tuple[datetime, int, V]]) -> tuple[V, ...]:
    """By instant, then version; one that comes after a higher version has no effect."""
    found: list[tuple[int, V]] = []
    for _, version, one in sorted(versions, key=itemgetter(0, 1)):
        if not found or version > found[-1][0]:
            found.append((version, one))
    return tuple(one for _, one in found)


def _content(kind: Kind[T], document: Document) -> T | None:
    try:
        return kind.parse(document.body)
    except _UNREADABLE:  # another release has published it: one document must not stop what does not need it
        return None
