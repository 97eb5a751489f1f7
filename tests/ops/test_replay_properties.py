"""Any small log, whatever stands in it: every row is accounted for, figures are those of a plain count, cases do not touch each other."""

import io
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from tests.counted import counted

from ops.replay.mapping import LogMapping, read_mapping
from ops.replay.pass_over import report_of

MEANS = {"new": "queued", "work": "working", "hold": "waiting", "done": "completed", "end": "closed", "note": "noted"}
MISSING = ("", "?", "n/a", " ")


class Line(NamedTuple):
    """One line of a log as it is written."""

    case: str
    at: str
    what: str
    who: str
    team: str


def desk(when: dict[str, str], claims: list[dict[str, Any]]) -> LogMapping:
    rules = [{"where": {"what": word}, "means": means} for word, means in MEANS.items()]
    return read_mapping(
        {
            "name": "desk",
            "kind": "cases",
            "missing": ["?", "n/a"],
            "columns": {"case": "case", "person": "who", "team": "team"},
            "times": {"at": {"column": "at"} | when},
            "calendar": "24x7",
            "rows": [*rules, {"where": {"what": "skip"}, "skip": "no matter"}],
            "claims": claims,
        }
    )


def claim(type_: str, when: str, **fields: Any) -> dict[str, Any]:
    return {"claim": type_, "when": when, "fields": fields}


ORDER = {"column": "case", "as": "slug", "prefix": "W"}
SEVERAL = [
    claim("work_order.defect_came_back", "reopened", work_order_id=ORDER, by={"column": "who", "as": "pseudonym"}),
    claim("work_order.assignment_made", "assigned", work_order_id=ORDER, technician={"column": "who", "as": "slug"}, team="T1", by="E1"),
    claim("work_order.work_finished", "completed", work_order_id=ORDER, by={"column": "who", "as": "pseudonym"}),
]
CALM = [claim("work_order.work_finished", "completed", work_order_id={"row": "number", "prefix": "W"}, by="E1")]
ISO = {"format": "iso", "zone": "UTC"}

CASES = st.sampled_from(("1", "2", "3")) | st.sampled_from(MISSING)
INSTANTS = st.integers(0, 40).map(lambda hours: (datetime(2026, 1, 5, tzinfo=UTC) + timedelta(hours=hours * 5)).isoformat())
STAMPS = INSTANTS | INSTANTS | INSTANTS | st.sampled_from(("yesterday", "2026-02-30", *MISSING))
WORDS = st.sampled_from((*MEANS, *MEANS, "skip", "lost"))
LINES = st.builds(Line, CASES, STAMPS, WORDS, st.sampled_from(("ann", "ben", *MISSING)), st.sampled_from(("t1", "t2", *MISSING)))


def written(lines: list[Line]) -> bytes:
    text = io.StringIO()
    text.write("case,at,what,who,team\n")
    text.writelines(",".join(line) + "\n" for line in lines)
    return text.getvalue().encode()


def plain(lines: list[Line]) -> dict[str, Any]:
    """The figures of a log by going through each case in the order of time, with nothing that the replay has."""
    cases: dict[str, list[Line]] = {}
    for line in lines:
        if line.case not in MISSING and line.what in MEANS and line.at.startswith("2026-01"):
            cases.setdefault(line.case, []).append(line)
    found: Counter[str] = Counter(dict.fromkeys(("events", "cases", "completions", "reopenings", "reopened_cases", "handovers"), 0))
    response, completion = timedelta(), timedelta()
    for case in cases.values():
        case.sort(key=lambda line: datetime.fromisoformat(line.at))
        words = [line.what for line in case]
        began = datetime.fromisoformat(case[0].at)
        done = [index for index, word in enumerate(words) if word in ("done", "end")]
        accepted = [line for line in case if line.what in ("work", "hold")]
        teams = [line.team for line in case if line.team not in MISSING]
        found["events"] += len(case)
        found["cases"] += 1
        found["handovers"] += sum(before != after for before, after in pairwise(teams))
        found["reopenings"] += sum(before in ("done", "end") and after in ("new", "work", "hold") for before, after in pairwise(words))
        if accepted:
            response += datetime.fromisoformat(accepted[0].at) - began
        if done:
            found["completions"] += 1
            completion += datetime.fromisoformat(case[done[0]].at) - began
            found["reopened_cases"] += any(word in ("new", "work", "hold") for word in words[done[0] :])
    for name, index in (("people", 3), ("teams", 4)):
        found[name] = len({line[index] for case in cases.values() for line in case} - {*MISSING})
    return dict(found) | {"response": response, "completion": completion}


@counted(300, proof=20_000)
@given(st.lists(LINES, min_size=1, max_size=25))
def test_figures_are_those_of_a_plain_count_and_every_row_is_accounted_for(lines: list[Line]) -> None:
    report = report_of(written(lines), desk(ISO, SEVERAL))
    expected, figures, rows = plain(lines), report["figures"], report["rows"]
    for name in ("events", "cases", "completions", "reopenings", "reopened_cases", "handovers", "people", "teams"):
        assert figures[name] == expected[name], name
    assert figures["first_response_hours"]["sum"] == str(expected["response"] // timedelta(hours=1))
    assert figures["completion_hours"]["sum"] == str(expected["completion"] // timedelta(hours=1))
    assert rows["read"] == len(lines) == rows["mapped"] + sum(rows["skipped"].values()) + sum(rows["rejected"].values())
    assert rows["skipped"] == ({"no matter": count} if (count := sum(line.what == "skip" for line in lines)) else {})
    numbers = sorted(number for told in report["rejected"].values() for number in told["all"])
    assert len(numbers) == len(set(numbers)) == sum(rows["rejected"].values())
    for reason, told in report["rejected"].items():
        assert told["rows"] == len(told["all"]) == rows["rejected"][reason]
        assert told["first"] == told["all"][:10]
    assert rows["events"] == report["claims"]["made"]


@counted(200, proof=20_000)
@given(st.lists(LINES, min_size=1, max_size=25))
def test_what_claims_refuse_changes_no_figure(lines: list[Line]) -> None:
    several, calm = (report_of(written(lines), desk(ISO, claims)) for claims in (SEVERAL, CALM))
    assert several["figures"] == calm["figures"]
    assert calm["claims"]["refused"] == {}
    refused = several["rows"]["read"] - several["rows"]["mapped"] - calm["rows"]["read"] + calm["rows"]["mapped"]
    assert (refused > 0) == bool(several["claims"]["refused"])


LOCAL = st.sampled_from(("2026-10-25", "2026-03-29")).flatmap(
    lambda day: st.integers(0, 23).map(lambda step: f"{day} {1 + step // 8:02}:{step % 8 * 7:02}")
)


@counted(300, proof=20_000)
@given(st.lists(st.builds(Line, st.sampled_from(("1", "2", "3")), LOCAL, WORDS, st.just("ann"), st.just("t1")), min_size=1), st.randoms())
def test_other_cases_of_the_file_change_nothing_in_any_hour(lines: list[Line], chance: random.Random) -> None:
    mapping = desk({"format": "%Y-%m-%d %H:%M", "zone": "Europe/Berlin"}, CALM)
    report = report_of(written(lines), mapping)
    by_case: dict[str, list[Line]] = {}
    for line in lines:
        by_case.setdefault(line.case, []).append(line)
    order = [line.case for line in lines]
    chance.shuffle(order)
    mixed = [by_case[case].pop(0) for case in order]
    again = report_of(written(mixed), mapping)
    assert again["figures"] == report["figures"]
    assert [told["rows"] for told in again["local_times"].values()] == [told["rows"] for told in report["local_times"].values()]


EVENINGS = (datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 3, 28, 22, tzinfo=UTC))


@counted(300, proof=20_000)
@given(st.lists(st.integers(0, 100), min_size=2, max_size=8, unique=True), st.sampled_from(EVENINGS))
def test_true_local_times_in_their_order_are_never_turned_round(steps: list[int], since: datetime) -> None:
    """Instants around a change of the clocks, written by a clock on the wall and in their order: a last event stays the last."""
    instants = [since + timedelta(minutes=5 * step) for step in sorted(steps)]
    change = datetime(since.year, since.month, since.day, 1, tzinfo=UTC) + timedelta(days=1)
    ahead = [2 if (at < change) == (since.month == 10) else 1 for at in instants]
    stamps = [f"{at + timedelta(hours=hours):%Y-%m-%d %H:%M}" for at, hours in zip(instants, ahead, strict=True)]
    words = ["new", *["work"] * (len(stamps) - 2), "done"]
    lines = [Line("1", stamp, word, "ann", "t1") for stamp, word in zip(stamps, words, strict=True)]
    report = report_of(written(lines), desk({"format": "%Y-%m-%d %H:%M", "zone": "Europe/Berlin"}, CALM))
    assert (report["figures"]["completions"], report["figures"]["reopenings"]) == (1, 0)
    assert report["local_times"]["never"]["rows"] == 0
    if not report["local_times"]["guessed"]["rows"]:
        seconds = (instants[-1] - instants[0]).total_seconds()
        assert abs(float(report["figures"]["completion_hours"]["sum"]) * 3600 - seconds) < 0.001
