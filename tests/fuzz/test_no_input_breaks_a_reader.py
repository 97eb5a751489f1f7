"""No input whatever ends a reader, costs more than its length allows, or changes the answer to another one.

Each reader is fed with valid documents that were mutated (`mutation`). In `make test` some 2,000 inputs, the same each time; in
`make proof` 200,000 new ones, of which none may take 2 s of CPU or 300 MB.
"""

import json
import random
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.contracts.test_interfaces import CLOCK_QUESTIONS, GRADE_QUESTIONS
from tests.counted import PROOF, counting
from tests.fuzz import mutation

from appraisal.domain.question import answer as grade_answer
from appraisal.domain.scheme import scheme_from
from appraisal.presets import PRESETS, Schemes, read_document
from common.contracts.envelope import Record, Unreadable, decode
from common.contracts.topics import BY_NAME
from common.kernel import calendars
from common.kernel.faults import Fault
from common.kernel.json_lines import answer_lines, error
from ops import calendar as calendar_command
from ops.clock_questions import Questions
from ops.contract_files import examples
from ops.policy_lint import lint
from ops.replay import mapping

SECONDS, BYTES = 2.0, 300 * 1024 * 1024
CN = calendars.built_in("cn").to_json()
OFFICE = CLOCK_QUESTIONS[5]["calendar"] | {
    "closed_dates": ["2026-10-01"], "make_up_days": ["2026-10-10"], "make_up_hours": [["10:00", "16:00"]],
    "date_hours": {"2026-02-16": [["09:00", "12:00"]]}, "known_until": "2026-12-31", "known_from": "2004-01-01", "unsure_from": "12-26",
}  # fmt: skip
LONG = {
    "calendar": OFFICE,
    "start": "1950-01-05T09:00:00Z",
    "end": "2290-01-05T09:00:00Z",
    "pauses": [["1960-01-05T09:00:00Z", "1970-01-05T09:00:00Z"]],
}
FAR = {"calendar": {**OFFICE, "time_zone": "Europe/Berlin"}, "start": "2026-01-05T09:00:00Z", "target": {"working_days": 5000}}
CHANGING = {
    "id": 1,
    "events": [
        {**CLOCK_QUESTIONS[6]["events"][0], "calendar": OFFICE},
        {
            "id": "x",
            "type": "changed",
            "at": "2026-08-03T09:40:00+08:00",
            "target": {"working_days": 30, "pauses_count": True},
            "reason": "r",
        },
        {"id": "y", "type": "owner_changed", "at": "2026-08-03T09:50:00+08:00", "owner": "E2", "sequence": 3},
        {"id": "z", "type": "reopened", "at": "2026-08-03T09:55:00+08:00"},
    ],
    "as_of": "2100-08-04T09:00:00+08:00",
    "explain": True,
}


class Tally:
    """What was fed to one reader, what came of it, and what the dearest input cost."""

    def __init__(self, reader: str) -> None:
        self.reader = reader
        self.outcomes: Counter[str] = Counter()
        self.slowest, self.most = 0.0, 0
        self.size = 0

    def run(self, read: Callable[[], str], size: int) -> None:
        """One input; `read` says what came of it in a word."""
        before, (outcome, took) = _resident(), _timed(read)
        self.outcomes[outcome] += 1
        for _ in range(4):  # on a busy machine anything may take long once; what costs too much does so each time
            took = took if took < SECONDS else min(took, _timed(read)[1])
        self.slowest = max(self.slowest, took)
        self.most = max(self.most, grown := _peak() - before)
        self.size = max(self.size, size)
        if PROOF:  # what a machine takes is measured in the long run only
            assert took < SECONDS, f"{took:.1f} s of CPU"
            assert grown < BYTES or not _is_new_peak(), f"{grown} bytes"

    def __str__(self) -> str:
        came = ", ".join(f"{outcome} {number}" for outcome, number in sorted(self.outcomes.items()))
        return (
            f"{self.reader}: {self.outcomes.total()} inputs up to {self.size} bytes, {came}; "
            f"slowest {self.slowest:.2f} s, at most {self.most / 2**20:.0f} MB more"
        )


def _timed(read: Callable[[], str]) -> tuple[str, float]:
    began = time.process_time()
    return read(), time.process_time() - began


_highest = 0


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _is_new_peak() -> bool:
    global _highest
    is_new, _highest = _peak() > _highest, max(_peak(), _highest)
    return is_new


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def fed(reader: str, cases: int, proof: int, one: Callable[[tuple[int, int]], tuple[Callable[[], str], int]]) -> None:
    """Feeds a reader and prints what was counted."""
    tally = Tally(reader)

    @given(st.tuples(st.integers(0, 2**48), st.integers(0, 4)))
    @counting(cases, proof=proof)
    def feed(case: tuple[int, int]) -> None:
        tally.run(*one(case))

    feed()
    print(tally)  # noqa: T201 - what was counted is read in the output of `make proof`


def _json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")


class _Lines:
    """A line and another one after it, as a command reads them."""

    def __init__(self, line: bytes) -> None:
        self.parts: Iterator[bytes] = iter([line.replace(b"\n", b" ") + b'\n{"id": "next"}\n', b""])
        self.answers: list[bytes] = []

    def read1(self, size: int, /) -> bytes:
        return next(self.parts)

    def write(self, data: bytes, /) -> object:
        self.answers += data.splitlines()
        return None

    def flush(self) -> object:
        return None


def _answered(line: bytes, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> bytes:
    """The answer to a line; the line after it must be answered too."""
    lines = _Lines(line)
    answer_lines(lines, lines, answer)
    told, after = lines.answers
    assert json.loads(after)["id"] == "next"
    return told


def _outcome(told: bytes) -> str:
    return "refused" if "error" in json.loads(told) else "answered"


@pytest.mark.proof
def test_a_clock_question_is_answered_or_refused_and_never_by_what_was_asked_before() -> None:
    seeds = [{"id": 1, **question} for question in [*CLOCK_QUESTIONS, LONG, FAR, CHANGING, {"calendar": CN, "at": LONG["end"]}]]
    shared = Questions()
    asked: list[tuple[bytes, bytes]] = []

    def one(case: tuple[int, int]) -> tuple[Callable[[], str], int]:
        line = mutation.mutated(seeds, case, _json)

        def read() -> str:
            told = _answered(line, shared.answer)
            asked.append((line, told))
            return _outcome(told)

        return read, len(line)

    fed("clock calculate", 500, 50_000, one)
    random.Random(1).shuffle(asked)
    for number, (line, told) in enumerate(asked[: len(asked) // 2]):
        if number % 100 == 0:
            calendars.built_in.cache_clear()
        assert _answered(line, Questions().answer) == told, line[:2000]
    print(f"clock calculate: {len(asked) // 2} of them asked again, in another order and alone: the same answers")  # noqa: T201 - what was counted is read in the output of `make proof`


@pytest.mark.proof
def test_a_grade_question_is_answered_or_refused_and_never_by_what_was_asked_before() -> None:
    whole = dict(Schemes().find("department-360").document)
    seeds = [{"id": 1, **question} for question in [*GRADE_QUESTIONS, {"scheme": whole, "ratings": GRADE_QUESTIONS[0]["ratings"]}]]
    seeds.append({"id": 1, "scheme": dict(Schemes().find("indoor-repair-monthly").document), "score": "80"})
    shared = Schemes()
    asked: list[tuple[bytes, bytes]] = []

    def graded(schemes: Schemes) -> Callable[[dict[str, Any]], dict[str, Any]]:
        def answer(question: dict[str, Any]) -> dict[str, Any]:
            try:
                return grade_answer(question, schemes.find)
            except Fault as problem:
                return error(problem)

        return answer

    def one(case: tuple[int, int]) -> tuple[Callable[[], str], int]:
        line = mutation.mutated(seeds, case, _json)

        def read() -> str:
            told = _answered(line, graded(shared))
            asked.append((line, told))
            return _outcome(told)

        return read, len(line)

    fed("grade calculate", 400, 40_000, one)
    random.Random(1).shuffle(asked)
    for line, told in asked[: len(asked) // 20]:
        assert _answered(line, graded(Schemes())) == told, line[:2000]
    print(f"grade calculate: {len(asked) // 20} of them asked again, in another order and alone: the same answers")  # noqa: T201 - what was counted is read in the output of `make proof`


@pytest.mark.proof
def test_a_record_is_an_event_or_a_dead_letter_that_names_nothing_foreign() -> None:
    seeds: list[dict[str, Any]] = []
    for example in (one for one in examples() if one.topic in BY_NAME):
        common = {"topic": example.topic, "key": example.key}
        seeds.append({"headers": example.headers, "value": example.data, **common})
        whole = {name[3:]: text for name, text in example.headers.items() if name.startswith("ce_")} | {"data": example.data}
        seeds.append({"headers": {"content-type": "application/cloudevents+json"}, "value": whole, **common})

    def one(case: tuple[int, int]) -> tuple[Callable[[], str], int]:
        seed = seeds[case[0] % len(seeds)]
        value = mutation.mutated([seed["value"]], case, _json)
        headers = json.loads(_json(seed["headers"]))
        if case[0] % 3 == 0:
            try:
                headers = json.loads(mutation.mutated([seed["headers"]], case, _json))
            except (ValueError, RecursionError):
                headers = {"content-type": "application/json"}
        pairs = list(headers.items()) if isinstance(headers, dict) else []
        told = tuple((name, text.encode("utf-8", "surrogatepass") if isinstance(text, str) else _json(text)) for name, text in pairs)
        record = Record(seed["topic"], 0, 1, seed["key"].encode(), value, told, datetime(2027, 1, 1, tzinfo=UTC))

        def read() -> str:
            result = decode(record)
            if isinstance(result, Unreadable):
                assert "zhang_san" not in result.problem.field + result.problem.reason
                return "dead letters"
            return "events"

        return read, len(value)

    fed("decode", 400, 40_000, one)


def _yaml(document: Any) -> bytes:
    return _json(document)


def _seeds(folder: Path) -> list[Any]:
    return [yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader) for path in sorted(folder.rglob("*.yaml"))]


@pytest.mark.proof
def test_a_policy_file_is_right_or_has_findings_with_lines(tmp_path: Path) -> None:
    root = Path(__file__).parents[2] / "services"
    seeds = [seed for service in ("intake", "dispatch", "complaints") for seed in _seeds(root / service / "src") if "stages" in seed]
    seeds[0] = {**seeds[0], "calendars": {"shop": OFFICE}}
    file = tmp_path / "policy.yaml"

    def one(case: tuple[int, int]) -> tuple[Callable[[], str], int]:
        raw = mutation.mutated(seeds, case, _yaml)
        file.write_bytes(raw)

        def read() -> str:
            findings = lint(file)
            assert all(found.line >= 1 and str(found) for found in findings)
            return "with findings" if findings else "right"

        return read, len(raw)

    fed("policy lint", 150, 15_000, one)


@pytest.mark.proof
def test_a_calendar_file_is_shown_or_refused_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seeds: list[Any] = [
        {"name": "shop", "version": 1, "calendar": OFFICE, "notice": "x"},
        {"name": "cn", "version": 2027, "years": {"2027": {"closed": ["01-01"], "make_up": ["02-20"]}}},
        {"name": "de", "version": 1, "country": "DE", "subdivision": "BY", "time_zone": "Europe/Berlin", "known_years": [2026, 2027]},
        {"name": "cn", "version": 1, "calendar": CN},
    ]
    file = tmp_path / "calendar.yaml"

    def one(case: tuple[int, int]) -> tuple[Callable[[], str], int]:
        raw = mutation.mutated(seeds, case, _yaml).replace(b'"2027":', b"2027:")
        file.write_bytes(raw)

        def read() -> str:
            try:
                calendar_command.show(file, None)
            except typer.Exit:
                return "refused"
            finally:
                capsys.readouterr()
            return "shown"

        return read, len(raw)

    fed("calendar show", 150, 15_000, one)


@pytest.mark.proof
def test_a_scheme_file_is_a_scheme_or_breaks_a_rule_that_is_named() -> None:
    seeds = _seeds(PRESETS)

    def one(case: tuple[int, int]) -> tuple[Callable[[], str], int]:
        raw = mutation.mutated(seeds, case, _yaml)

        def read() -> str:
            try:
                scheme_from(read_document(raw))
            except Fault:
                return "refused"
            return "schemes"

        return read, len(raw)

    fed("scheme", 250, 25_000, one)


@pytest.mark.proof
def test_a_mapping_is_read_or_refused_with_its_place(tmp_path: Path) -> None:
    seeds = _seeds(mapping.SHIPPED)
    file = tmp_path / "mapping.yaml"

    def one(case: tuple[int, int]) -> tuple[Callable[[], str], int]:
        raw = mutation.mutated(seeds, case, _yaml)
        file.write_bytes(raw)

        def read() -> str:
            try:
                mapping.load(str(file))
            except Fault:
                return "refused"
            return "mappings"

        return read, len(raw)

    fed("mapping", 150, 15_000, one)
