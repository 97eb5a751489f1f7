"""`aftersales scheme`: schemes are checked before anybody is graded by them, and those that ship are shown."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from appraisal.documents import KINDS, SCHEMES
from appraisal.domain.document import plain
from appraisal.domain.indicators import INDICATORS, REGISTRY, Indicator, registered
from appraisal.domain.remedies import REMEDIES
from appraisal.domain.scheme_checks import Given, conflicts, findings
from appraisal.domain.scheme_findings import reader_findings
from appraisal.presets import PRESETS, Schemes, read_document, scheme_files
from common.contracts.yaml_files import Finding, YamlFile, as_yaml, read_yaml
from common.kernel.faults import Fault, place
from common.kernel.reference import Document, Documents, effective


def lint(
    files: Sequence[Path], posts: Sequence[str] = (), registry: Sequence[Indicator] = REGISTRY, calendars: Sequence[str] = ()
) -> list[Finding]:
    """All findings, by file and line; none exactly when every file is a scheme and they go together."""
    found: list[Finding] = []
    given: dict[str, tuple[Given, YamlFile]] = {}
    for path in files:
        name = str(path)
        try:
            read = _read(path)
        except Fault as fault:
            found.append(_finding(name, max(fault.line, 1), fault))
            continue
        found += [_finding(name, read.line_of(where), _again(where, line)) for where, line in read.twice()]
        if not isinstance(read.value, Mapping):
            found.append(_finding(name, 1, Fault((), "not_an_object", "a scheme is expected: id, version, name, cycle …")))
            continue
        checked = findings(read.value, posts, registry, calendars)
        faults = [*reader_findings(read.value), *checked, *_misnamed(path, read.value)]
        found += [_finding(name, read.line_of(fault.where), fault) for fault in faults]
        given[name] = Given(name, read.value, _is_shipped(read.value)), read
    together = conflicts(one for one, _ in given.values())
    found += [_finding(name, given[name][1].line_of(conflict.where), conflict) for name, conflict in together]
    order = {str(path): number for number, path in enumerate(files)}
    return sorted(set(found), key=lambda one: (order[one.file], one.line, one.rule, one.what))


def _read(path: Path) -> YamlFile:
    """The file; a `Fault` where it is no YAML, or nested too deep for a scheme."""
    try:
        read = read_yaml(path.read_bytes(), as_text=True)
    except OSError as problem:
        raise Fault((), "unreadable", f"the file cannot be read: {problem.strerror}") from None
    try:
        plain(read.value or {})
    except Fault as fault:
        raise Fault(fault.where, fault.rule, fault.what, line=read.line_of(fault.where)) from None
    return read


def registered_in(path: Path) -> tuple[Indicator, ...]:
    """The indicators that ship, and those of an enterprise's file; a `Fault` where it is none, `OSError` where it cannot be read."""
    value = read_yaml(path.read_bytes()).value
    if not isinstance(value, Mapping):
        raise Fault((), "not_an_object", "an indicator-registry is expected")
    return registered(INDICATORS.parse(INDICATORS.body_of(value)))


def _again(where: tuple[str | int, ...], line: int) -> Fault:
    return Fault(where, "twice", f"it stands in line {line} already")


def _misnamed(path: Path, document: Mapping[str, object]) -> Iterator[Fault]:
    """A file that is called as an installed scheme is, and holds another one: it would not be found by its name."""
    held = f"{document.get('id')}@{document.get('version')}"
    if "@" in path.stem and path.stem != held:
        yield Fault(("id",), "file_name", f"the file is called {path.stem} and holds {held}")


def _is_shipped(document: Mapping[str, object]) -> bool:
    path = PRESETS / f"{document.get('id')}@{document.get('version')}.yaml"
    return path in scheme_files(PRESETS) and read_document(path.read_bytes()) == document


def _finding(file: str, line: int, fault: Fault) -> Finding:
    where = place(fault.where)
    return Finding(file, line, fault.rule, f"{where}: {fault.what}" if where else fault.what, REMEDIES[fault.rule])


def run(words: Sequence[str]) -> int:
    """Schemes: what is wrong with a file of one, all of it with lines and remedies; and those that ship or were published.

    Exit 0 when nothing was found, 1 with findings or where there is no such scheme, 2 for wrong options.
    """
    options = _parser().parse_args(words)
    action: Callable[[argparse.Namespace], int] = options.action
    return action(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="aftersales scheme", description=str(run.__doc__).partition("\n")[0])
    actions = parser.add_subparsers(required=True, metavar="lint|show|list")
    one = actions.add_parser("lint", help="say what is wrong, `file:line: rule: what · remedy`; exit 1 when anything is")
    one.add_argument("files", nargs="+", type=Path, metavar="FILE", help="schemes that are to be in force together")
    one.add_argument("--post", action="append", default=[], metavar="NAME", help="a post that the enterprise has beside the ordinary ones")
    one.add_argument("--registry", type=Path, metavar="FILE", help="the indicators that the enterprise has registered for itself")
    one.add_argument("--calendar", action="append", default=[], metavar="NAME", help="one that the enterprise has published")
    one.add_argument("--json", action="store_true", help="one JSON object a line (aftersales schema scheme-lint)")
    one.set_defaults(action=_lint)
    one = actions.add_parser("show", help="print a scheme as the file that it was: to begin with, or to look at")
    one.add_argument("name", help="such as department-360 or department-360@1; without a version the highest")
    one.set_defaults(action=_show)
    _where(one)
    one = actions.add_parser("list", help="the schemes that ship, and on a running platform those that were published")
    one.set_defaults(action=_list)
    _where(one)
    return parser


def _where(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--database", metavar="URL", help="the PostgreSQL server, for what was published; else DATABASE_URL, or only what ships"
    )


def _lint(options: argparse.Namespace) -> int:
    try:
        registry = REGISTRY if options.registry is None else registered_in(options.registry)
    except (Fault, OSError) as problem:
        sys.stderr.write(f"--registry {options.registry}: {problem}; see aftersales document lint.\n")
        return 2
    found = lint(options.files, options.post, registry, options.calendar)
    for finding in found:
        sys.stdout.write((json.dumps(asdict(finding), ensure_ascii=False) if options.json else str(finding)) + "\n")
    return 1 if found else 0


def _show(options: argparse.Namespace) -> int:
    documents = _published(options)
    shipped = {path.stem: path for path in scheme_files(PRESETS)}
    published = {reference: records[0] for reference, records in _by_reference(documents).items()}
    versions = [one for one in {**shipped, **published} if options.name in (one, one.partition("@")[0])]
    if not versions:
        sys.stderr.write(f"There is no scheme {options.name}: there are {', '.join(sorted({**shipped, **published}))}.\n")
        return 1
    reference = max(versions, key=lambda one: int(one.partition("@")[2]))
    if (found := published.get(reference)) is None:
        sys.stdout.write(shipped[reference].read_text("utf-8"))
    else:
        sys.stdout.write(as_yaml(found.body))
    return 0


def _list(options: argparse.Namespace) -> int:
    lines = [(scheme.reference, f"{scheme.zh} {scheme.en}") for scheme in (Schemes().find(path.stem) for path in scheme_files(PRESETS))]
    documents = _published(options)
    for reference, records in _by_reference(documents).items():
        lines.append((reference, f"{_names(records[0])}; {_standing(records)}"))
    width = max(len(reference) for reference, _ in lines)
    for reference, text in lines:
        sys.stdout.write(f"{reference:<{width}}  {text}\n")
    return 0


def _published(options: argparse.Namespace) -> Documents:
    """The documents that appraisal has read; none where no database is named. Ends the command where it cannot be read."""
    url = options.database or os.environ.get("DATABASE_URL", "")  # noqa: TID251 - the same default as every command on a running platform
    if not url:
        return Documents(KINDS)
    from common.store import documents
    from common.store.database import looked_up, why_away

    try:
        return asyncio.run(looked_up(url, "appraisal", lambda connection: documents.read(connection, KINDS)))
    except Exception as error:
        if (text := why_away(error)) is None:
            raise
        sys.stderr.write(f"The database of appraisal cannot be read: {text}\n")
        raise SystemExit(1) from None


def _by_reference(documents: Documents) -> dict[str, tuple[Document, ...]]:
    """Every record of each published version of a scheme, by `house@3`."""
    versions = sorted({(one.name, one.version) for one in documents if one.kind == SCHEMES.name})
    return {f"{name}@{version}": documents.published(SCHEMES.name, name, version) for name, version in versions}


def _names(document: Document) -> str:
    names = document.body.get("name")
    return " ".join(str(names.get(language, "")) for language in ("zh", "en")) if isinstance(names, Mapping) else ""


def _standing(records: Sequence[Document]) -> str:
    """How a version stands: who names it means it, whether or not there is a higher one."""
    if (counts := effective(SCHEMES, records)) is None:
        return "draft" if all(one.standing == "draft" for one in records) else "awaits approval"
    return f"from {counts.effective_at.isoformat(timespec='seconds')} on, approved by {counts.control.get('approver')}"
