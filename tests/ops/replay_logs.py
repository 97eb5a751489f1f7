"""Small logs in the form of the Volvo log, and a second, naive way to their figures."""

import csv
import gzip
import io
import json
import random
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import yaml

from ops.main import main

HEADER = ["SR Number", "Change Date+Time", "Status", "Sub Status", "Involved ST", "SR Latest Impact", "Product", "Country", "Resource"]
ZONE = timezone(timedelta(hours=1))
ACTIVITIES = [
    ("Accepted", "In Progress"),
    ("Accepted", "Assigned"),
    ("Accepted", "Wait"),
    ("Accepted", "Wait - User"),
    ("Accepted", "Wait - Customer"),
    ("Accepted", "Wait - Vendor"),
    ("Accepted", "Wait - Implementation"),
    ("Queued", "Awaiting Assignment"),
    ("Completed", "Resolved"),
    ("Completed", "In Call"),
    ("Completed", "Cancelled"),
    ("Completed", "Closed"),
    ("Unmatched", "Unmatched"),
]
PARTIES = {
    "Wait": "other",
    "Wait - User": "customer",
    "Wait - Customer": "customer",
    "Wait - Vendor": "parts",
    "Wait - Implementation": "other",
}

LogRow = dict[str, str]


def log_row(case: str, at: str, activity: str, team: str = "V1", person: str = "se-Ann", impact: str = "Low") -> LogRow:
    """One row; `activity` is "Status/Sub Status", `at` a local time without its offset."""
    status, _, sub_status = activity.partition("/")
    return dict(zip(HEADER, [case, f"{at}+01:00", status, sub_status, team, impact, "PROD1", "se", person], strict=True))


def random_log(seed: int, cases: int = 60) -> list[LogRow]:
    """A log in which everything follows on everything, with stamps on the edges of the working day and at odd seconds."""
    chance = random.Random(seed)
    rows = []
    for number in range(cases):
        at = datetime(2012, 4, 5, 7, tzinfo=ZONE) + timedelta(hours=chance.randrange(24 * 9))
        impact, product = chance.choice(["Low", "Medium", "High", "Major"]), f"PROD{chance.randrange(5)}"
        for _ in range(chance.randrange(1, 12)):
            status, sub_status = chance.choice(ACTIVITIES)
            team, person = f"V{chance.randrange(3)} 2nd", chance.choice(["se-Ann", "pl-Sören", "fr-Anne Claire"])
            rows.append(
                dict(zip(HEADER, [f"1-{number}", at.isoformat(), status, sub_status, team, impact, product, "se", person], strict=True))
            )
            at += timedelta(seconds=chance.choice([1, 59, 3600, 9 * 3600, 24 * 3600, 72 * 3600, chance.randrange(1, 10**6)]))
    return rows


def write_log(path: Path, rows: list[LogRow]) -> Path:
    """The rows as a CSV file with a byte order mark, gzipped when its name says so."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, HEADER)
    writer.writeheader()
    writer.writerows(rows)
    raw = text.getvalue().encode("utf-8-sig")
    path.write_bytes(gzip.compress(raw, mtime=0) if path.suffix == ".gz" else raw)
    return path


def replayed(folder: Path, mapping: dict[str, Any] | str, table: str, status: int = 0) -> dict[str, Any]:
    """The report that the command writes for a table under a mapping, which is a document or the name of a shipped one."""
    own, log, report = (folder / name for name in ("mapping.yaml", "log.csv", "report.json"))
    own.write_text(mapping if isinstance(mapping, str) else yaml.safe_dump(mapping))
    log.write_text(table, newline="")
    shipped = isinstance(mapping, str) and mapping.isidentifier()
    named = str(mapping) if shipped else str(own)
    assert main(["replay", str(log), "--mapping", named, "--calculate-only", "--report", str(report)]) == status
    found: dict[str, Any] = json.loads(report.read_text())
    rows = found["rows"]
    assert rows["read"] == rows["mapped"] + sum(rows["skipped"].values()) + sum(rows["rejected"].values())
    assert rows["rejected"] == {reason: told["rows"] for reason, told in found["rejected"].items()}
    return found


def naive_figures(rows: list[LogRow]) -> dict[Any, Any]:
    """The figures of a log by stepping through days and rows, in whole seconds; spreads as the sorted seconds themselves."""
    by_case: dict[str, list[LogRow]] = {}
    for row in rows:
        by_case.setdefault(row["SR Number"], []).append(row)
    found: Counter[Any] = Counter()
    spans: dict[str, list[int]] = {
        name: []
        for name in (
            "first_response_hours",
            "first_response_working_hours",
            "completion_hours",
            "completion_working_hours",
            "queue_hours",
        )
    }
    for case in by_case.values():
        case.sort(key=lambda row: datetime.fromisoformat(row["Change Date+Time"]))
        times = [datetime.fromisoformat(row["Change Date+Time"]) for row in case]
        statuses = [row["Status"] for row in case]
        if "Accepted" in statuses:
            accepted = times[statuses.index("Accepted")]
            spans["first_response_hours"].append(int((accepted - times[0]).total_seconds()))
            spans["first_response_working_hours"].append(working_seconds(times[0], accepted))
        if "Completed" in statuses:
            index = statuses.index("Completed")
            done, person = times[index], case[index]["Resource"]
            spans["completion_hours"].append(int((done - times[0]).total_seconds()))
            spans["completion_working_hours"].append(working_seconds(times[0], done))
            came_back = any(status in ("Accepted", "Queued") for status in statuses[index:])
            found["reopened_cases"] += came_back
            found["credited", person] += 1
            found["credited back", person] += came_back
            for days in (1, 3, 5):
                found["elapsed_days", days] += done - times[0] <= timedelta(days=days)
                found["working_days_end_of_day", days] += done <= closing_after(times[0], days)
                # In time until the second in which the n-th nine hours are full.
                found["working_hours_days", days] += (
                    done == times[0] or working_seconds(times[0], done - timedelta(seconds=1)) < days * 9 * 3600
                )
        handovers = 0
        for before, after, since, until in zip(case, case[1:], times, times[1:], strict=False):
            span = int((until - since).total_seconds())
            handovers += before["Involved ST"] != after["Involved ST"]
            found["reopenings"] += before["Status"] == "Completed" and after["Status"] in ("Accepted", "Queued")
            if before["Status"] == "Queued":
                spans["queue_hours"].append(span)
            if before["Sub Status"] in PARTIES:
                found["waits", PARTIES[before["Sub Status"]]] += span
        found["handovers"] += handovers
        found["cases_with_handover"] += handovers > 0
    return {"spans": {name: sorted(values) for name, values in spans.items()}, **found}


def working_seconds(since: datetime, until: datetime) -> int:
    """Seconds between two instants that lie on a Monday to Friday from 09:00 to 18:00, day by day."""
    total, day = 0, since.replace(hour=0, minute=0, second=0)
    while day <= until:
        if day.weekday() < 5:
            opens, closes = max(since, day.replace(hour=9)), min(until, day.replace(hour=18))
            total += max(0, int((closes - opens).total_seconds()))
        day += timedelta(days=1)
    return total


def closing_after(since: datetime, days: int) -> datetime:
    """18:00 of the n-th Monday to Friday after the day."""
    day = since.replace(hour=18, minute=0, second=0)
    while days:
        day += timedelta(days=1)
        days -= day.weekday() < 5
    return day
