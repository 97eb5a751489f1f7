"""`aftersales policy`: policies are checked, and put in force."""

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from common.contracts.documents import DocumentActivated, ref_of
from common.contracts.topics import SERVICES
from common.contracts.yaml_files import read_yaml
from common.sla.rulebook import POLICIES
from ops.connection import kafka_settings
from ops.document_records import effective_from, send
from ops.policy_lint import keeps_clocks
from ops.policy_lint import lint as findings_of
from ops.terminal import KafkaOption, stop

app = typer.Typer(no_args_is_help=True, add_completion=False)

CalendarOption = Annotated[list[str] | None, typer.Option("--calendar", metavar="NAME", help="A calendar that was published.")]


@app.callback()
def policy() -> None:
    """What the services promise: policies are checked and put in force."""


@app.command()
def show(service: Annotated[str, typer.Argument(help=f"One of {', '.join(SERVICES)}.")]) -> None:
    """Print the policy that ships with a service: the file to begin with when something else is to be promised."""
    if not keeps_clocks(service):
        stop(f"No service {service} keeps clocks.", 2)
    typer.echo(resources.files(service).joinpath("policy.yaml").read_text("utf-8"), nl=False)


@app.command()
def lint(files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False)], calendar: CalendarOption = None) -> None:
    """Say what is wrong, `file:line: rule: what · remedy`; exit 1 when anything is."""
    found = [finding for file in files for finding in findings_of(file, calendars=tuple(calendar or ()))]
    for finding in found:
        typer.echo(str(finding))
    raise typer.Exit(1 if found else 0)


@app.command()
def activate(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    effective: Annotated[str | None, typer.Option("--effective", metavar="INSTANT", help="From when on; in 5 seconds by default.")] = None,
    open_clocks: Annotated[bool, typer.Option("--open-clocks", help="Open clocks go over to it too.")] = False,
    calendar: CalendarOption = None,
    kafka: KafkaOption = None,
) -> None:
    """Put a policy in force: for clocks that begin from then on, and with --open-clocks for those that run.

    The file is checked first, with exit 1 where it would not hold; an instant is RFC 3339 with an offset, and not of the past.
    """
    if found := findings_of(file, calendars=tuple(calendar or ())):
        stop("\n".join(map(str, found)))
    document = read_yaml(file.read_bytes()).value
    service, version = document["policy"], document["version"]
    event = DocumentActivated(
        document=ref_of(POLICIES.name, service, version),
        kind=POLICIES.name,
        name=service,
        version=version,
        effective_at=effective_from(effective),
        applies_to_open=open_clocks,
        body=document,
    )
    send(kafka_settings(kafka, "policy"), event)
    typer.echo(f"Activated {service}@{version}, effective {event.effective_at.isoformat(timespec='seconds')}.")
