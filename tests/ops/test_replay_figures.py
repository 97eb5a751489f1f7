"""The figures of a replayed log: counted by hand on a small one, and in a second, naive way on random ones."""

import json
import random
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.ops.replay_logs import LogRow, log_row, naive_figures, random_log, write_log

from ops.main import main
from ops.replay.case_order import by_case
from ops.replay.rows import Row
from ops.replay.spread import Spread, decimal

SECOND = 1_000_000


def report_of(log: Path, tmp_path: Path) -> dict[str, Any]:
    report = tmp_path / "report.json"
    assert main(["replay", str(log), "--mapping", "volvo", "--calculate-only", "--report", str(report)]) == 0
    found: dict[str, Any] = json.loads(report.read_text())
    schema = json.loads(resources.files("ops").joinpath("interfaces", "replay-report.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(found)
    return found


@pytest.fixture
def by_hand(tmp_path: Path) -> dict[str, Any]:
    """Two cases: the first is answered after 2 hours and comes back once; the second is completed at its first event."""
    rows = [
        log_row("1-1", "2012-04-02T08:00:00", "Queued/Awaiting Assignment"),  # a Monday
        log_row("1-1", "2012-04-02T10:00:00", "Accepted/In Progress"),
        log_row("1-1", "2012-04-02T12:00:00", "Accepted/Wait - User"),
        log_row("1-1", "2012-04-02T15:00:00", "Accepted/Wait - Vendor", team="V2"),
        log_row("1-1", "2012-04-02T15:30:00", "Accepted/In Progress", team="V2", person="pl-Jan"),
        log_row("1-1", "2012-04-03T18:00:00", "Completed/Resolved", team="V2", person="pl-Jan"),
        log_row("1-1", "2012-04-04T09:00:00", "Queued/Awaiting Assignment", team="V2", person="pl-Jan"),
        log_row("1-1", "2012-04-04T09:06:00", "Accepted/In Progress"),
        log_row("1-1", "2012-04-04T10:00:00", "Completed/Closed"),
        log_row("1-2", "2012-04-06T17:00:00", "Completed/In Call", impact="Major"),  # a Friday
    ]
    return report_of(write_log(tmp_path / "log.csv", rows), tmp_path)


def test_counts_are_of_what_stands_in_the_source(by_hand: dict[str, Any]) -> None:
    figures = by_hand["figures"]
    assert {name: figures[name] for name in ("events", "cases", "people", "teams", "products")} == {
        "events": 10,
        "cases": 2,
        "people": 2,
        "teams": 2,
        "products": 1,
    }
    assert by_hand["rows"]["read"] == by_hand["rows"]["mapped"] == 10


def test_times_to_response_and_completion_are_elapsed_and_working_hours(by_hand: dict[str, Any]) -> None:
    figures = by_hand["figures"]
    one = {"mean": "2", "p50": "2", "p90": "2", "p95": "2", "p99": "2", "sum": "2", "n": 1}
    assert figures["first_response_hours"] == one
    assert figures["first_response_working_hours"] == {name: "1" if name != "n" else 1 for name in one}
    # 34 and 0 hours, 18 and 0 working hours
    assert figures["completion_hours"] == {"n": 2, "mean": "17", "p50": "17", "p90": "30.6", "p95": "32.3", "p99": "33.66", "sum": "34"}
    assert figures["completion_working_hours"]["sum"] == "18"


def test_completed_in_time_is_told_in_three_readings(by_hand: dict[str, Any]) -> None:
    # The first case is completed 34 hours later, at closing on the 1st working day after, at the end of 2 × 9 hours.
    assert by_hand["figures"]["completed_within"] == {
        "elapsed_days": {"1": 1, "3": 2, "5": 2},
        "working_days_end_of_day": {"1": 2, "3": 2, "5": 2},
        "working_hours_days": {"1": 1, "3": 2, "5": 2},
    }


def test_reopenings_handovers_waits_and_queues_are_counted_from_row_to_row(by_hand: dict[str, Any]) -> None:
    figures = by_hand["figures"]
    assert (figures["reopened_cases"], figures["reopenings"]) == (1, 1)
    assert (figures["handovers"], figures["cases_with_handover"]) == (2, 1)
    assert figures["waiting_hours"] == {"customer": "3", "parts": "0.5"}
    assert figures["queue_hours"] == {"n": 2, "mean": "1.05", "p50": "1.05", "p90": "1.81", "sum": "2.1"}


def test_a_case_is_credited_to_the_person_and_team_of_its_first_completion(by_hand: dict[str, Any]) -> None:
    figures = by_hand["figures"]
    jan = figures["by_person"]["pl-Jan"]
    assert (jan["cases"], jan["completions"], jan["reopened_cases"]) == (1, 1, 1)
    assert jan["completed_within"]["elapsed_days"] == {"1": 0, "3": 1, "5": 1}
    assert {name: share["cases"] for name, share in figures["by_team"].items()} == {"V1": 1, "V2": 1}
    assert {name: share["cases"] for name, share in figures["by_priority"].items()} == {"Low": 1, "Major": 1}
    assert figures["by_product"]["PROD1"]["cases"] == 2


@pytest.mark.parametrize("seed", range(20))
def test_figures_agree_with_a_naive_count_whatever_follows_on_what(seed: int, tmp_path: Path) -> None:
    rows = random_log(seed)
    naive = naive_figures(rows)
    random.Random(seed).shuffle(rows)
    figures = report_of(write_log(tmp_path / "log.csv.gz", rows), tmp_path)["figures"]
    for name, seconds in naive["spans"].items():
        percents = [int(key[1:]) for key in figures[name] if key.startswith("p")]
        assert figures[name] == naive_spread(seconds, percents), name
    for name in ("reopened_cases", "reopenings", "handovers", "cases_with_handover"):
        assert figures[name] == naive[name], name
    for reading, counts in figures["completed_within"].items():
        assert counts == {days: naive[reading, int(days)] for days in ("1", "3", "5")}, reading
    for party, hours in figures["waiting_hours"].items():
        assert hours == in_hours(Fraction(naive["waits", party]))
    for person, share in figures["by_person"].items():
        assert (share["completions"], share["reopened_cases"]) == (naive["credited", person], naive["credited back", person])


def naive_spread(seconds: list[int], percents: list[int]) -> dict[str, Any]:
    spread: dict[str, Any] = {
        "n": len(seconds),
        "mean": in_hours(Fraction(sum(seconds), len(seconds))),
        "sum": in_hours(Fraction(sum(seconds))),
    }
    for percent in percents:
        place = Fraction(percent, 100) * (len(seconds) - 1)
        low = int(place)
        rest = place - low
        value = seconds[low] + (rest and rest * (seconds[low + 1] - seconds[low]))
        spread[f"p{percent}"] = in_hours(Fraction(value))
    return spread


def in_hours(seconds: Fraction) -> str:
    with localcontext(prec=60):
        hours = Decimal(seconds.numerator) / Decimal(seconds.denominator * 3600)
        return f"{hours.quantize(Decimal('1.000000000'), ROUND_HALF_UP):f}".rstrip("0").rstrip(".")


def test_a_log_in_any_order_gives_the_figures_of_the_ordered_one(tmp_path: Path) -> None:
    rows = random_log(99)
    ordered = report_of(write_log(tmp_path / "ordered.csv", rows), tmp_path)["figures"]
    random.Random(1).shuffle(rows)
    assert report_of(write_log(tmp_path / "shuffled.csv", rows), tmp_path)["figures"] == ordered


def test_more_rows_than_memory_holds_are_merged_from_files() -> None:
    rows = [Row(f"c{number % 7}", number * 37 % 101, number, 0, (str(number),)) for number in range(200)]
    assert list(by_case(rows, held=16)) == list(by_case(rows))


def test_figures_are_rounded_once_half_up_and_only_when_they_are_written() -> None:
    assert decimal(Fraction(1, 3)) == "0.333333333"
    assert decimal(Fraction(5, 10**10)) == "0.000000001"
    assert decimal(Fraction(-1, 3)) == "-0.333333333"
    assert decimal(Fraction(1200)) == "1200"
    thirds = Spread([SECOND] * 3600 * 3)
    assert thirds.document((50,))["sum"] == "3"


def test_a_spread_of_nothing_has_no_mean() -> None:
    assert Spread().document((50,)) == {"n": 0, "mean": None, "p50": None, "sum": "0"}


def test_a_case_without_acceptance_or_completion_is_in_the_cases_only(tmp_path: Path) -> None:
    rows: list[LogRow] = [log_row("1-1", "2012-04-02T08:00:00", "Unmatched/Unmatched")]
    figures = report_of(write_log(tmp_path / "log.csv", rows), tmp_path)["figures"]
    assert (figures["events"], figures["cases"], figures["completions"]) == (1, 1, 0)
    assert figures["first_response_hours"]["n"] == figures["completion_hours"]["n"] == 0


def test_names_with_brackets_are_printed_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [log_row("1-1", "2012-04-02T08:00:00", "Completed/In Call", impact="[/Low] :smile:")]
    report_of(write_log(tmp_path / "log.csv", rows), tmp_path)
    assert "[/Low] :smile:" in capsys.readouterr().out
