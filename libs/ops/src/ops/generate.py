"""`aftersales generate`: schemas and pages that are made from the code, written into a checkout, or checked against it."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from common.contracts.topics import SERVICES
from ops.contract_files import EXAMPLES, SCHEMAS, event_types, is_ours, pretty, schema_of
from ops.contract_gate import Change, changes
from ops.documents import asyncapi, event_pages, interface_pages, metrics_page, service_tables


def run(arguments: Sequence[str]) -> int:
    """Schemas, event pages, metrics page, AsyncAPI and the tables of the services' READMEs, made from the code.

    0 when everything is written or, with --check, up to date; 1 when something is not, or a contract would break.
    """
    parser = argparse.ArgumentParser(prog="aftersales generate", description="Makes schemas and pages from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is not what would be written")
    parser.add_argument("--root", type=Path, default=Path(), metavar="FOLDER", help="the checkout (default: this folder)")
    parser.add_argument("--break", action="store_true", dest="may_break", help="write schemas even if they break their readers")
    options = parser.parse_args(arguments)
    root: Path = options.root
    if not (root / EXAMPLES).is_dir():
        parser.error(f"{root.absolute()} is no checkout of the project: it has no {EXAMPLES}")
    broken = [f"{type}: {change}" for type, found in contract_changes(root).items() for change in found if change.breaking]
    if broken and not options.may_break:
        sys.stderr.write("".join(f"{line}\n" for line in broken))
        sys.stderr.write("A contract that others rely on would break: publish a new type with `.v2` beside the old one (CONTRIBUTING.md)\n")
        return 1
    stale = list(_stale(root))
    if options.check:
        sys.stderr.write("".join(f"stale: {path} (aftersales generate writes it)\n" for path, _ in stale))
        return 1 if stale else 0
    for path, text in stale:
        _write(root / path, text)
        sys.stdout.write(f"{'wrote' if text is not None else 'removed'} {path}\n")
    return 0


def contract_changes(root: Path) -> dict[str, list[Change]]:
    """Event type → how its code differs from its schema in the checkout; a type that is gone is a break."""
    models = event_types()
    found: dict[str, list[Change]] = {}
    for file in sorted((root / SCHEMAS).glob("*.json")):
        type = file.name.removesuffix(".json")
        if type not in models:
            found[type] = [Change("type_removed", "data", True)]
            continue
        differences = changes(json.loads(file.read_text("utf-8")), schema_of(models[type]), ours=is_ours(models[type]))
        if differences:
            found[type] = differences
    return found


def documents() -> dict[Path, str]:
    """Path in the checkout → text of everything that is made from the code."""
    made = {SCHEMAS / f"{type}.json": pretty(schema_of(model)) for type, model in event_types().items()}
    made |= {Path("docs/events") / name: text for name, text in event_pages.pages().items()}
    made |= {Path("docs/interfaces") / name: text for name, text in interface_pages.pages().items()}
    made[Path("docs/metrics.md")] = metrics_page.page()
    made[Path("docs/asyncapi.json")] = pretty(asyncapi.document(version("aftersales-common")))
    return made


def _stale(root: Path) -> Iterator[tuple[Path, str | None]]:
    """What is to be written, and with None what is to be removed: the folders hold nothing else."""
    made = documents()
    for path, text in made.items():
        file = root / path
        if not file.is_file() or file.read_text("utf-8") != text:
            yield path, text
    for service in SERVICES:
        file = service_tables.readme(service)
        before = (root / file).read_text("utf-8")
        if (text := service_tables.with_tables(before, service)) != before:
            yield file, text
    for folder in sorted({path.parent for path in made if path.parent != Path("docs")}):
        for file in sorted((root / folder).glob("*")):
            if folder / file.name not in made:
                yield folder / file.name, None


def _write(path: Path, text: str | None) -> None:
    if text is None:
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
