"""Questions as JSON lines in, one answer a line out: the loop behind the `calculate` commands (interfaces 1)."""

import json
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, Protocol

from common.kernel.nesting import DEEPEST, is_too_deep

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


class NotStrict(ValueError):
    """The line is no JSON object in the strict sense; the text says what is wrong with it."""


class _NamedTwice(ValueError):
    pass


def answer_lines(source: Source, sink: Sink, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Answers each line by one line, in order, and flushes whenever the input pauses.

    `answer` gets the question and returns the answer without its `id`, which is put in front. A line that is no JSON
    object is answered by the error `bad_json` with `"id": null`, and the next line goes on.
    """
    for lines in _batches(source):
        sink.write(b"".join(map(_answered(answer), lines)))
        sink.flush()


def parse_object(line: bytes) -> dict[str, Any]:
    """The JSON object of a line; raises `NotStrict` for anything else.

    Refused are a key that occurs twice, NaN and infinities, numbers out of range and texts that are not Unicode, since
    readers disagree about their meaning.
    """
    try:
        text = line.decode()
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse_constant, parse_float=_finite)
        if "\\u" in text:
            json.dumps(found, ensure_ascii=False).encode()
    except RecursionError:
        raise NotStrict(f"the line is nested deeper than {DEEPEST} levels") from None
    except _NamedTwice as problem:
        raise NotStrict(str(problem)) from None
    except UnicodeError:
        raise NotStrict("the line is not Unicode text in UTF-8") from None
    except ValueError as problem:
        raise NotStrict(f"the line is not JSON ({str(problem)[:80]})") from None
    if not isinstance(found, dict):
        raise NotStrict("the line is no JSON object")
    if line.count(b"[") + line.count(b"{") > DEEPEST and is_too_deep(found):
        raise NotStrict(f"the line is nested deeper than {DEEPEST} levels")
    return found


def error(code: str, field: str, message: str) -> dict[str, Any]:
    """The answer to a question that cannot be answered."""
    return {"error": {"code": code, "field": field, "message": message}}


def _answered(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[bytes], bytes]:
    write = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode

    def one(line: bytes) -> bytes:
        try:
            question = parse_object(line)
        except NotStrict as problem:
            return write({"id": None, **error("bad_json", "", str(problem))}).encode() + b"\n"
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


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _NamedTwice("a key occurs twice in one object")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError("a number is out of range")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
