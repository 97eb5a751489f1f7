"""The `aftersales` command: finds a sub-command's module only when it is named, so that each starts as fast as it can."""

import sys
from collections.abc import Sequence
from importlib import import_module
from types import FunctionType
from typing import Any, NamedTuple

ENTRY_POINTS = "aftersales.commands"


class Command(NamedTuple):
    """Where a sub-command is, as "module:name", and what it does.

    The name is a Typer app, or a function from the words after the sub-command's name to the exit status: Typer costs
    three tenths of a second as soon as it reads an option.
    """

    target: str
    help: str


# One line a sub-command. Services bring theirs as entry points of the group `aftersales.commands`.
COMMANDS: dict[str, Command] = {
    "demo": Command("ops.demo:run", "The main job on real servers: events in, grades out, in a minute."),
    "simulate": Command("ops.simulate:run", "A seeded quarter of service, published or written as JSON lines."),
    "generate": Command("ops.generate:run", "Schemas, event pages, metrics page and AsyncAPI, made from the code."),
    "schema": Command("ops.schema:run", "The JSON Schema of an interface or an event."),
    "topics": Command("ops.topics:app", "Topics on Kafka: what differs from the topics table, and making it so."),
    "doctor": Command("ops.doctor:app", "Is everything there, does it run and keep up, and what to do where not."),
    "run": Command("ops.run:app", "Kafka, PostgreSQL and the four services on this machine until Ctrl-C."),
    "dead-letters": Command("ops.dead_letters:app", "What the services could not handle, why, and the way back."),
    "outbox": Command("ops.outbox:app", "What the services have decided: on Kafka, or still on its way there."),
    "holes": Command("ops.holes:app", "Records that Kafka lost before they were read, and going on without them."),
    "restore-offsets": Command("ops.restore_offsets:app", "A service reads on from where its restored database stands."),
    "resume": Command("ops.resume:app", "Partitions that stopped after too many defects in a row go on."),
    "clock": Command("ops.clock:run", "Working time, deadlines and SLA clocks: calculated from JSON lines, and explained."),
    "sla": Command("ops.sla:app", "How the promises of a period were kept: met, breached, open, by stage, region, priority or person."),
    "document": Command("ops.document:app", "What the enterprise decides for itself: documents are checked, compared and put in force."),
    "what-if": Command("ops.what_if:app", "What another promise or calendar would have meant for the clocks of a period."),
    "kpi": Command("ops.kpi:app", "What was measured for the indicators of a period, by region, product, problem type, team …"),
    "calendar": Command("ops.calendar:app", "Working days and hours become known: a calendar is published to the services."),
    "policy": Command("ops.policy:app", "What the services promise: policies are checked and put in force."),
    "cycle": Command("ops.cycle:app", "Appraisal cycles: which there are, what one waits for, and closing one."),
    "replay": Command("ops.replay.command:run", "A foreign log becomes our events and figures, by a mapping of declarations."),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the sub-command that the arguments name; the exit status is its own, 2 when there is none of that name."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("--help", "-h"):
        sys.stdout.write(_overview())
        return 0 if words else 2
    name, rest = words[0], words[1:]
    target = COMMANDS[name].target if name in COMMANDS else _contributed().get(name)
    if target is None:
        sys.stderr.write(f"aftersales: there is no command {name!r}; aftersales --help lists them\n")
        return 2
    found = _found(target)
    if isinstance(found, FunctionType):
        return int(found(rest))
    found(args=rest, prog_name=f"aftersales {name}")  # a Typer app ends the process with its own status
    return 0


def _found(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def _contributed() -> dict[str, str]:
    from importlib.metadata import entry_points

    return {point.name: point.value for point in entry_points(group=ENTRY_POINTS)}


def _overview() -> str:
    lines = {name: command.help for name, command in COMMANDS.items()}
    for name, target in _contributed().items():
        lines.setdefault(name, _help_of(target))
    width = max(map(len, lines))
    listed = "\n".join(f"  {name:<{width}}  {text}" for name, text in sorted(lines.items()))
    return f"Usage: aftersales COMMAND …\n\nCommands (each has its own --help):\n{listed}\n"


def _help_of(target: str) -> str:
    try:
        found = _found(target)
    except (ImportError, AttributeError) as problem:
        return f"(cannot be loaded: {problem})"
    described = getattr(found, "registered_callback", None)  # Typer keeps an app's help with its callback
    text = found.__doc__ if described is None else described.callback.__doc__
    return str(text or "").strip().partition("\n")[0]
