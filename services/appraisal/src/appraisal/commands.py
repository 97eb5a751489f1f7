"""Appraisal's part of the command line: `aftersales grade`.

Only the kernel and the domain at the top, the rest inside the functions that need it: `calculate` starts in under half a second.
"""

import os
import sys
from io import BufferedReader
from pathlib import Path
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from appraisal.domain.question import FindScheme, answer
from common.kernel.faults import Fault
from common.kernel.json_lines import answer_lines, error


class _PlainGroup(TyperGroup):
    """A group whose `--help` costs nothing until it is asked for.

    Typer validates every declared option, its own `--help` too, with pydantic, whose import takes a fifth of a second.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _help_if_asked(ctx, args[:1])
        return super().parse_args(ctx, args)


class _PlainCommand(TyperCommand):
    """The same for a command; it takes its options as the words that they are."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _help_if_asked(ctx, args)
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_PlainGroup, no_args_is_help=True, add_help_option=False, add_completion=False)


@app.callback()
def grade() -> None:
    """Grades: compute one, and see why."""


@app.command(cls=_PlainCommand, add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def calculate(context: typer.Context) -> None:
    """Answer questions about grades: JSON lines on standard input, one answer a line on standard output, in the same order.

    The services grade with the same code. Needs no Kafka and no database. A question that cannot be answered gets an
    error with a code, the field and what was expected, and the next one goes on.

    --schemes DIR  a folder of installed schemes, files called ID@VERSION.yaml; may be given several times.
    """
    from appraisal.presets import Schemes

    find_scheme = Schemes(*_folders(context)).find
    questions = cast(BufferedReader, sys.stdin.buffer)
    try:
        answer_lines(questions, sys.stdout.buffer, lambda question: _answered(question, find_scheme))
    except BrokenPipeError:
        # Whoever reads has gone; without this the interpreter would complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None


@app.command(cls=TyperCommand, add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def explain(context: typer.Context) -> None:
    """Why a published grade is what it is: EMPLOYEE --cycle 2026Q3; its parts, facts and events, and what was missing for the next."""
    from appraisal.explain_command import run

    raise typer.Exit(run(context.args))


def _answered(question: dict[str, Any], find_scheme: FindScheme) -> dict[str, Any]:
    try:
        return answer(question, find_scheme)
    except Fault as fault:
        return error(fault)


def _help_if_asked(context: Any, words: list[str]) -> None:
    if "--help" in words:
        typer.echo(context.get_help())
        context.exit()


def _folders(context: typer.Context) -> list[Path]:
    folders = []
    words = iter(context.args)
    for word in words:
        option, given, folder = word.partition("=")
        if option != "--schemes":
            context.fail(f"No such option: {option}")
        folder = folder if given else next(words, "")
        if not folder or not Path(folder).is_dir():
            context.fail(f"--schemes names no folder: {folder!r}")
        folders.append(Path(folder))
    return folders


if __name__ == "__main__":
    app()
