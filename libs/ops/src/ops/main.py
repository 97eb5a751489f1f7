"""The `aftersales` command: finds a sub-command's module only when it is named, so that each starts as fast as it can."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

ENTRY_POINTS = "aftersales.commands"


class Command(NamedTuple):
    """Where a sub-command is ("ops.clock:app": a Typer app, or a function that becomes a command) and what it does."""

    target: str
    help: str


# One line a sub-command. Services bring theirs as entry points of the group `aftersales.commands`.
COMMANDS: dict[str, Command] = {
    "clock": Command("ops.clock:app", "Working time, deadlines and SLA clocks, calculated from JSON lines."),
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
    _run(_found(target), f"aftersales {name}", rest)
    return 0


def _run(found: Any, name: str, arguments: Sequence[str]) -> None:
    import typer

    if not isinstance(found, typer.Typer):
        app = typer.Typer(add_completion=False)
        app.command()(found)
        found = app
    found(args=list(arguments), prog_name=name)


def _found(target: str) -> Any:
    module, _, attribute = target.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), attribute)
    return found


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
    text = getattr(getattr(found, "info", None), "help", None) or found.__doc__ or ""
    return str(text).strip().partition("\n")[0]
