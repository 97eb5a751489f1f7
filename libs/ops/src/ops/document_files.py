"""Documents as files: which kind a file is of, what it says, and the files that ship with the services."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from common.contracts.documents import DocumentName, DocumentVersion, ref_of
from common.contracts.topics import SERVICES
from common.contracts.yaml_files import Finding, as_yaml, read_yaml
from common.kernel.faults import Fault
from common.kernel.reference import HEAD, Kind
from common.sla.rulebook import CALENDARS, POLICIES
from common.sla.rulebook import KINDS as RULE_KINDS
from ops import calendar_lint, policy_lint
from ops.calendar import calendar_in, is_calendar
from ops.document_lint import REMEDIES, findings, refused

ENTRY_POINTS = "aftersales.documents"
"""The kinds of document by which services decide, beside calendars and policies."""
_REMEDIES = {POLICIES.name: policy_lint.REMEDIES, CALENDARS.name: calendar_lint.REMEDIES}
_NAME, _VERSION = TypeAdapter(DocumentName), TypeAdapter(DocumentVersion)


@dataclass(frozen=True, slots=True)
class Written:
    """What a file says: a version of a document."""

    kind: Kind[Any]
    name: str
    version: int
    body: Mapping[str, Any]
    remarks: str = ""

    @property
    def ref(self) -> str:
        """`complaint-triggers/standard@2`."""
        return ref_of(self.kind.name, self.name, self.version)


@cache
def kinds() -> dict[str, Kind[Any]]:
    """Every kind of document that is installed here, by name."""
    found = [kind for point in entry_points(group=ENTRY_POINTS) for kind in point.load()]
    return {kind.name: kind for kind in (*RULE_KINDS, *sorted(found, key=lambda kind: str(kind.name)))}


def lint(file: Path, *, kind: str = "", calendars: tuple[str, ...] = ()) -> list[Finding]:
    """The findings in a file of whichever kind; `calendars` are those that were published, for policies that name one."""
    remedies: dict[str, str] = dict(REMEDIES)

    def faults(document: Mapping[str, Any]) -> Iterator[Fault]:
        try:
            found = kind_of(document, kind)
        except Fault as fault:
            yield fault
            return
        remedies.update(_REMEDIES.get(found.name, found.remedies))
        yield from _faults(found, content_of(file.read_bytes(), kind), calendars)

    return findings(file, faults, expected="a document is expected: kind, name, version, and what it says", remedies=remedies)


def kind_of(document: Mapping[str, Any], given: str = "") -> Kind[Any]:
    """The kind of a document, by its own word or by the one that is given; a `Fault` `unknown_kind`."""
    name = given or document.get("kind")
    if name is None:
        by_head = [kind for kind in kinds().values() if kind.named_by and kind.named_by in document]
        if by_head or is_calendar(document):
            return by_head[0] if by_head else CALENDARS
    if not isinstance(name, str) or name not in kinds():
        raise Fault(("kind",), "unknown_kind", f"one of {', '.join(kinds())} is expected")
    return kinds()[name]


def content_of(raw: bytes, given: str = "") -> Any:
    """What a file says, its values as the kind of its document reads them; what it says of the document itself is never made text."""
    value = read_yaml(raw).value
    try:
        as_text = isinstance(value, Mapping) and kind_of(value, given).as_text
    except Fault:
        return value
    return read_yaml(raw, as_text=True).value | {name: value[name] for name in HEAD if name in value} if as_text else value


def _faults(kind: Kind[Any], document: Mapping[str, Any], calendars: tuple[str, ...]) -> Iterator[Fault]:
    if kind is POLICIES:
        yield from policy_lint.faults(document, calendars)
        return
    if kind is CALENDARS:
        yield from calendar_lint.faults(document)
        return
    yield from _of_head(kind, document)
    body = kind.body_of(document)
    yield from kind.faults(body) if kind.faults is not None else refused(lambda: kind.parse(body))


def _of_head(kind: Kind[Any], document: Mapping[str, Any]) -> Iterator[Fault]:
    for field, takes in ((kind.named_by or "name", _NAME), ("version", _VERSION)):
        if field not in document:
            yield Fault((field,), "missing_field", "the field is missing")
            continue
        try:
            takes.validate_python(document[field], strict=True)
        except ValidationError:
            expected = "a whole number from 1" if field == "version" else "small letters, digits, - and _, at most 48"
            yield Fault((field,), "bad_value", f"{expected} is expected" if field == "version" else f"{expected} are expected")


def written_in(file: Path, given: str = "") -> Written:
    """What a file says that has no findings."""
    document = content_of(file.read_bytes(), given)
    kind = kind_of(document, given)
    if kind is CALENDARS:
        event = calendar_in(document)
        return Written(kind, event.name, event.version, event.body, event.control.remarks)
    return Written(kind, document[kind.named_by or "name"], document["version"], kind.body_of(document))


def shipped(kind: Kind[Any]) -> dict[tuple[str, int], str]:
    """The files of a kind that ship, as text, by name and version."""
    if kind is not POLICIES:
        return {(name, version): file.read_text("utf-8") for name, version, file in kind.preset_files()}
    found = {}
    for service in filter(policy_lint.keeps_clocks, SERVICES):
        file = resources.files(service).joinpath("policy.yaml")
        found[service, read_yaml(file.read_bytes()).value["version"]] = file.read_text("utf-8")
    return dict(sorted(found.items()))


def as_file(kind: str, name: str, version: int, body: Mapping[str, Any]) -> str:
    """A published document as the file that would be activated again."""
    if kind == CALENDARS.name:
        body = {"calendar": body}
    own = kinds().get(kind)
    head = {} if own is not None and own.named_by else dict(zip(HEAD, (kind, name, version), strict=True))
    return as_yaml({**head, **body})
