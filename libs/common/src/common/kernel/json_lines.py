"""Questions as JSON lines in, one answer a line out: the loop behind the `calculate` commands (interfaces 1)."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from common.kernel.faults import Fault
from common.kernel.nesting import DEEPEST
from common.kernel.strict_json import strict_json

_CHUNK = 1 << 16


class Source(Protocol):
    """Where the questions come from: a buffered binary stream such as `sys.stdin.buffer`."""

    def read1(self, size: int, /) -> bytes:
        """What is there already, at most `size` bytes; empty at the end."""


class Sink(Protocol):
    """Where the answers go: a binary stream such as `sys.stdout.buffer`."""

    def write(self, data: bytes, /) -> object:
        """Takes all of the bytes."""

    def flush(self) -> object:
        """Hands on what was written."""


def answer_lines(source: Source, sink: Sink, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Answers each line by one line, in order, and flushes whenever the input pauses.

    `answer` gets the question and returns the answer without its `id`, which is put in front. A line that is no JSON
    object is answered by the error `bad_json` with `"id": null`, and the next line goes on.
    """
    for lines in _batches(source):
        sink.write(b"".join(map(_answered(answer), lines)))
        sink.flush()


def parse_object(line: bytes) -> dict[str, Any]:
    """The JSON object of a line, read as `strict_json` does; raises a `Fault` `bad_json` for anything else."""
    try:
        found = strict_json(line)
    except Fault as fault:
        raise Fault((), "bad_json", _said(fault)) from None
    if not isinstance(found, dict):
        raise Fault((), "bad_json", "the line is no JSON object")
    return found


def _said(fault: Fault) -> str:
    match fault.rule:
        case "duplicate_key":
            return "a key occurs twice in one object"
        case "too_deep":
            return f"the line is nested deeper than {DEEPEST} levels"
        case "bad_encoding" | "unstorable_text":
            return "the line is not Unicode text in UTF-8"
        case "number_out_of_range":
            return "the line is not JSON (a number is out of range)"
        case _:
            return f"the line is not JSON ({fault.what[:80]})"


def error(fault: Fault) -> dict[str, Any]:
    """The answer to a question that cannot be answered."""
    return {"error": {"code": fault.rule, "field": fault.field, "message": fault.what}}


def _answered(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[bytes], bytes]:
    write = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode

    def one(line: bytes) -> bytes:
        try:
            question = parse_object(line)
        except Fault as fault:
            return write({"id": None, **error(fault)}).encode() + b"\n"
        return write({"id": question.get("id"), **answer(question)}).encode() + b"\n"

    return one


def _batches(source: Source) -> Iterator[list[bytes]]:
    rest: list[bytes] = []
    while chunk := source.read1(_CHUNK):
        head, newline, tail = chunk.rpartition(b"\n")
        if newline:
            yield (b"".join(rest) + head).split(b"\n")
            rest = [tail] if tail else []
        else:
            rest.append(chunk)
    if rest:
        yield [b"".join(rest)]
