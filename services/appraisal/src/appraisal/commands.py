"""Appraisal's part of the command line: `aftersales grade`.

Only the kernel and the domain at the top, the rest inside the functions that need it: `calculate` starts in under half a second.
"""

import json
import sys
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from appraisal.domain.errors import NotGradable
from appraisal.domain.question import FindScheme, answer
from common.kernel.errors import Malformed

_IS_JSON = ("duplicate_key", "number_out_of_range", "unstorable_text")  # refused, yet JSON: the question's id can be told


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
    for line in sys.stdin.buffer:
        told = json.dumps(answer_line(line, find_scheme), ensure_ascii=False)
        sys.stdout.buffer.write(told.encode("utf-8") + b"\n")
        sys.stdout.buffer.flush()  # a caller that asks one question at a time waits for this answer


def answer_line(line: bytes, find_scheme: FindScheme) -> dict[str, object]:
    """The answer to one line: the question's `id`, and either what `domain.question.answer` tells or an `error`.

    A line that is no JSON object has the `id` null.
    """
    from common.contracts.strict_json import strict_json

    try:
        question = strict_json(line, field="question")
    except Malformed as error:
        asked_by = _id_in(line) if error.rule in _IS_JSON else None
        return _error(asked_by, "bad_json", error.field.removeprefix("question").lstrip("."), f"{error.rule}: {error.reason}")
    if not isinstance(question, dict):
        return _error(None, "bad_question", "", "a question is a JSON object on one line")
    try:
        return {"id": question.get("id"), **answer(question, find_scheme)}
    except NotGradable as error:
        return _error(question.get("id"), error.code, error.field, error.message)


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


def _error(asked_by: object, code: str, field: str, message: str) -> dict[str, object]:
    return {"id": asked_by, "error": {"code": code, "field": field, "message": message}}


def _id_in(line: bytes) -> str | int | None:
    try:
        question = json.loads(line)
        asked_by = question["id"]
        json.dumps(asked_by, ensure_ascii=False).encode("utf-8")
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return asked_by if isinstance(asked_by, str | int) else None


if __name__ == "__main__":
    app()
