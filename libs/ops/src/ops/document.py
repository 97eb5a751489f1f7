"""`aftersales document`: what the enterprise decides for itself is checked, looked at, compared, and put in force."""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from common.contracts.documents import DocumentActivated, DocumentControl
from common.kernel.faults import Fault
from common.kernel.instants import parse_date
from common.kernel.reference import STANDARD
from common.kernel.wall_clock import now
from ops.connection import kafka_settings
from ops.document_files import as_file, content_of, kinds, shipped, written_in
from ops.document_files import lint as findings_of
from ops.document_records import effective_from, send
from ops.document_topic import listed, published
from ops.terminal import JsonOption, KafkaOption, stop
from ops.terminal import show as show_table

app = typer.Typer(no_args_is_help=True, add_completion=False)

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False)]
Files = Annotated[list[Path], typer.Argument(exists=True, dir_okay=False)]
KindOption = Annotated[str, typer.Option("--kind", help="Which kind of document it is, where the file does not say so.")]
CalendarOption = Annotated[list[str] | None, typer.Option("--calendar", metavar="NAME", help="A calendar that was published.")]
PublishedOption = Annotated[bool, typer.Option("--published", help="As it was published, on Kafka, instead of as it ships.")]
Day = Annotated[str | None, typer.Option(metavar="DATE")]


@app.callback()
def document() -> None:
    """What the enterprise decides for itself: catalogues, rules, lists, calendars and policies, in versions that take effect."""


@app.command()
def lint(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False)], kind: KindOption = "", calendar: CalendarOption = None
) -> None:
    """Say everything that is wrong, `file:line: rule: what · remedy`; exit 1 when anything is."""
    found = [finding for file in files for finding in findings_of(file, kind=kind, calendars=tuple(calendar or ()))]
    for finding in found:
        typer.echo(str(finding))
    raise typer.Exit(1 if found else 0)


@app.command()
def show(
    ref: Annotated[str, typer.Argument(metavar="KIND[/NAME[@VERSION]]")], from_kafka: PublishedOption = False, kafka: KafkaOption = None
) -> None:
    """Print a document as a file: the one that ships, or with --published the one that is in force or was."""
    typer.echo(_text_of(ref, published=from_kafka, kafka=kafka), nl=False)


@app.command()
def diff(
    before: Annotated[str, typer.Argument(help="A file, or KIND/NAME@VERSION.")],
    after: Annotated[str, typer.Argument(help="A file, or KIND/NAME@VERSION.")],
    from_kafka: PublishedOption = False,
    kafka: KafkaOption = None,
) -> None:
    """Say what is different, field by field; exit 1 when anything is."""
    old, new = (dict(_leaves(_content(given, published=from_kafka, kafka=kafka))) for given in (before, after))
    lines = []
    for field in dict.fromkeys([*old, *new]):
        if field not in new:
            lines.append(f"- {field}: {old[field]}")
        elif field not in old:
            lines.append(f"+ {field}: {new[field]}")
        elif old[field] != new[field]:
            lines.append(f"~ {field}: {old[field]} → {new[field]}")
    typer.echo("\n".join(lines), nl=bool(lines))
    raise typer.Exit(1 if lines else 0)


@app.command("list")
def list_documents(kind: KindOption = "", kafka: KafkaOption = None, json: JsonOption = False) -> None:
    """List every published version, how it stands now, and who has written and approved it."""
    rows = [
        row for row in listed(published(kafka_settings(kafka, "document")), now()) if not kind or row["document"].startswith(f"{kind}/")
    ]
    columns = ("document", "standing", "effective_at", "number", "author", "reviewer", "approver", "approved_on")
    show_table("Documents", rows, columns, as_json=json)


@app.command()
def activate(
    file: File,
    kind: KindOption = "",
    calendar: CalendarOption = None,
    effective: Annotated[str | None, typer.Option("--effective", metavar="INSTANT", help="From when on; in 5 seconds by default.")] = None,
    open_clocks: Annotated[bool, typer.Option("--open-clocks", help="Of a policy: open clocks go over to it too.")] = False,
    draft: Annotated[bool, typer.Option("--draft", help="Publish it to be read; it has no effect yet.")] = False,
    number: Annotated[str, typer.Option(help="Under which the enterprise controls it.")] = "",
    author: Annotated[str | None, typer.Option(metavar="EMPLOYEE")] = None,
    reviewer: Annotated[str | None, typer.Option(metavar="EMPLOYEE")] = None,
    reviewed_on: Day = None,
    approver: Annotated[str | None, typer.Option(metavar="EMPLOYEE", help="Somebody else than the author.")] = None,
    approved_on: Day = None,
    issued_on: Day = None,
    remarks: str = "",
    kafka: KafkaOption = None,
) -> None:
    """Put a document in force, from an instant on; it is checked first, with exit 1 where it would not hold.

    Where its kind asks for approval, it takes effect once --author, --approver and --approved-on are said, now or by a second call
    with the same file.
    """
    if found := findings_of(file, kind=kind, calendars=tuple(calendar or ())):
        stop("\n".join(map(str, found)))
    people = {"author": author, "reviewer": reviewer, "approver": approver}
    days = {"reviewed_on": reviewed_on, "approved_on": approved_on, "issued_on": issued_on}
    one = written_in(file, kind)
    control = _control(people, days, number=number, status="draft" if draft else "in_force", remarks=remarks or one.remarks)
    settings = kafka_settings(kafka, "document")
    if any(known.body != one.body for known in published(settings).published(one.kind.name, one.name, one.version)):
        stop(f"{file}: version_taken: {one.ref} was published with other content · raise the version")
    event = DocumentActivated(
        document=one.ref,
        kind=one.kind.name,
        name=one.name,
        version=one.version,
        effective_at=effective_from(effective),
        applies_to_open=open_clocks,
        body=dict(one.body),
        control=control,
    )
    send(settings, event)
    waits = draft or (one.kind.needs_approval and not control.is_approved)
    from_when = "it has no effect yet" if waits else f"effective {event.effective_at.isoformat(timespec='seconds')}"
    typer.echo(f"Published {one.ref}; {from_when}.")


def _control(people: Mapping[str, str | None], days: Mapping[str, str | None], **more: Any) -> DocumentControl:
    """Who has written, reviewed and approved it, and when; ends the command where that cannot be."""
    if people["approver"] is not None and people["approver"] == people["author"]:
        stop("Nobody approves what he has written himself.", 2)
    try:
        return DocumentControl.model_validate({**people, **{name: _day(name, day) for name, day in days.items()}, **more})
    except ValidationError as error:
        stop(f"--{error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}", 2)


def _day(name: str, given: str | None) -> date | None:
    try:
        return None if given is None else parse_date(given, (name,))
    except Fault as fault:
        stop(f"--{name.replace('_', '-')} {given}: {fault.what}", 2)


def _text_of(ref: str, *, published: bool, kafka: str | None) -> str:
    kind, name, version = _parts(ref)
    if published:
        return _published_text(kind, name, version, kafka)
    files = {key: text for key, text in shipped(kinds()[kind]).items() if name in ("", key[0]) and version in (0, key[1])}
    if not files:
        stop(f"No document {ref} ships; aftersales document list names those that were published.", 2)
    return files[max(files, key=lambda key: key[1])] if name else next(iter(files.values()))


def _published_text(kind: str, name: str, version: int, kafka: str | None) -> str:
    documents, name = published(kafka_settings(kafka, "document")), name or STANDARD
    records = documents.published(kind, name, version)
    try:
        found = records[0] if records or version else documents.version_at(kinds()[kind], now(), name).document
    except LookupError:
        stop(f"No such version of {kind}/{name} was published; aftersales document list names those that were.", 2)
    return as_file(found.kind, found.name, found.version, found.body)


def _parts(ref: str) -> tuple[str, str, int]:
    kind, _, rest = ref.partition("/")
    name, _, version = rest.partition("@")
    if kind not in kinds() or (version and not version.isdecimal()):
        stop(f"{ref}: expected KIND/NAME@VERSION; there are the kinds {', '.join(kinds())}", 2)
    return kind, name, int(version or 0)


def _content(given: str, *, published: bool, kafka: str | None) -> Any:
    raw = Path(given).read_bytes() if Path(given).is_file() else _text_of(given, published=published, kafka=kafka).encode()
    try:
        return content_of(raw)
    except Fault as fault:
        stop(f"{given}: {fault}")


def _leaves(value: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a document that holds no others, with its place."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{where}.{name}".removeprefix("."))
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{where}[{number}]")
    else:
        yield where, value
