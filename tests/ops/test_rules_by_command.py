"""The operator's rules from a file to Kafka: what is wrong is said with its line, what is right arrives as the services read it."""

import asyncio
from datetime import date, timedelta
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from typer.testing import CliRunner, Result

from common.contracts.documents import DocumentActivated
from common.contracts.envelope import Received, decode
from common.contracts.topics import SERVICES
from common.kafka import topic_admin
from common.kafka.broker import KafkaSettings
from common.kafka.records import from_kafka
from common.kernel.working_time import Calendar
from devstack import Stack
from ops import calendar, policy
from ops.policy_lint import REMEDIES, lint

ROOT = Path(__file__).parents[2]
HEAD = """policy: complaints
version: 2
stages:
  acknowledged: &day
    - target: {working_days: 1}
      calendar: cn
  verification_started: *day
  verified: *day
  escalated: *day
  solution_communicated:
"""
GOOD = "    - target: {working_days: 3}\n      calendar: cn\n"
FINDINGS = [
    ("    - target: {working_hours: 1}\n      calendar: cn\n", [(11, "bad_target")]),
    ("    - target: {working_days: -1}\n      calendar: cn\n", [(11, "bad_target")]),
    ("    - target: {working_days: 0, cut_off: 16:00, by: '17:00'}\n      calendar: cn\n", [(11, "bad_target")]),  # YAML takes it for 960
    ("    - target: {working_days: 0, cut_off: '16:00', by: '17:00'}\n      calendar: cn\n", []),
    ("    - target:\n        working_days: 1\n        cut_of: '16:00'\n      calendar: cn\n", [(11, "bad_target")]),
    ("    - target: {working_days: 3}\n      calendar: shop\n", [(12, "unknown_calendar")]),
    ("    - target: {working_days: 3}\n", [(11, "missing_field")]),
    ("    - when: {region: north}\n      target: {working_days: 3}\n      calendar: cn\n", [(11, "no_default")]),
    ("    - when: {weather: fine}\n      target: {working_days: 3}\n      calendar: cn\n" + GOOD, [(11, "unknown_trait")]),
    (
        "    - when: {severity: high}\n      target: {working_days: 3}\n      calendar: cn\n" + GOOD,
        [(11, "unknown_trait")],
    ),  # no complaint has one
    (GOOD + GOOD, [(13, "unreachable_rule")]),
    (GOOD + "      thresholds: [3/4,\n        1.2]\n", [(14, "bad_threshold")]),
    (GOOD + "      indicators: [in_time_solution, happiness]\n      owner: me\n", [(13, "unknown_indicator"), (14, "unknown_field")]),
    (GOOD + "      calendar: 24x7\n", [(13, "duplicate_key")]),
    (GOOD + "  heard: *day\n", [(13, "unknown_stage")]),
    (GOOD + "calendars:\n  cn: {}\n", [(14, "bad_calendar"), (14, "bad_calendar")]),
    (GOOD + "objectives:\n  verified: 19/20\n  acknowledged: 21/20\n  heard: 1/2\n", [(15, "bad_objective"), (16, "unknown_stage")]),
    (GOOD + "objectives: most\nmonth_zone: Asia/Peking\n", [(13, "bad_value"), (14, "bad_zone")]),
    (GOOD + "objectives: {verified: 0.95}\nmonth_zone: UTC\n", []),
    ("    []\n", [(10, "bad_value")]),
    (GOOD + "   stray\n", [(13, "bad_yaml")]),
]


def written(folder: Path, text: str) -> Path:
    file = folder / "policy.yaml"
    file.write_text(text, "utf-8")
    return file


@pytest.mark.parametrize(("rest", "expected"), FINDINGS)
def test_each_mistake_in_a_policy_is_found_in_its_line(tmp_path: Path, rest: str, expected: list[tuple[int, str]]) -> None:
    found = lint(written(tmp_path, HEAD + rest))
    assert [(finding.line, finding.rule) for finding in found] == expected
    assert all(str(finding).startswith(f"{tmp_path}/policy.yaml:") and REMEDIES[finding.rule] in str(finding) for finding in found)


def test_a_policy_of_nobody_one_that_forgets_stages_and_one_with_a_version_that_is_taken_are_found(tmp_path: Path) -> None:
    found = lint(written(tmp_path, "policy: catering\nversion: 1\nstages: {}\n"))
    assert [finding.rule for finding in found] == ["unknown_service"]
    found = lint(written(tmp_path, "policy: intake\nversion: 1\nstages: {closure: [{target: {working_days: 1}, calendar: cn}]}\n"))
    assert [(finding.line, finding.rule) for finding in found] == [(2, "version_taken"), (3, "missing_stage")]


@pytest.mark.parametrize("service", SERVICES)
def test_the_policy_that_ships_is_shown_as_a_file_to_begin_with(tmp_path: Path, service: str) -> None:
    shown = CliRunner().invoke(policy.app, ["show", service])
    assert shown.exit_code == 0
    assert lint(written(tmp_path, shown.stdout)) == []
    assert CliRunner().invoke(policy.app, ["show", "billing"]).exit_code == 2


def test_what_ships_and_what_names_a_published_calendar_has_no_findings(tmp_path: Path) -> None:
    for file in ROOT.glob("services/*/src/*/policy.yaml"):
        assert lint(file) == []
    file = written(tmp_path, HEAD + GOOD.replace("cn", "shop"))
    assert lint(file, calendars=("shop",)) == []


def test_lint_prints_one_line_a_finding_and_exits_with_1(tmp_path: Path) -> None:
    bad = CliRunner().invoke(policy.app, ["lint", str(written(tmp_path, HEAD + GOOD + "      owner: me\n"))])
    assert (bad.exit_code, bad.stdout.count("\n")) == (1, 1)
    good = CliRunner().invoke(policy.app, ["lint", str(written(tmp_path, HEAD + GOOD))])
    assert (good.exit_code, good.stdout) == (0, "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name: cn\nversion: 2028\nyears: {2028: {closed: [], make_up: []}}\n", "years.2027 is missing"),
        (
            "name: cn\nversion: 2027\nyears: {2027: {closed: [01-01, 02-30], make_up: []}}\n",
            "closed[1]: 02-30 is no day of 2027",
        ),
        ("name: cn\nversion: 2027\nyears: {2027: {closed: 02-03, make_up: []}}\n", "years.2027.closed: a list of days"),
        ("name: cn\nversion: 2027\nyears: {2027: {closed: [02-20], make_up: [02-20]}}\n", "2027-02-20 stands in closed_dates too"),
        ("name: cn\nversion: 2027\nyears: {next: {closed: [], make_up: []}}\n", "years: {2027"),
        ("name: cn\nversion: 2027\nyers: {}\n", "the nearest is years"),
        ("name: cn\nversion: 2027\nyears: &y {2027: *y}\n", "line 3: the alias *y stands for nothing"),
        ("name: shop\nversion: 1\ncalendar: {time_zone: Mars/Base, weekly_hours: {}}\n", "time zone"),
        ("name: shop\nversion: 1\ncalendar: {time_zone: UTC, weekly_hours: {}}\n", "no weekday has hours"),
        ("name: shop\nversion: 0\ncalendar: {time_zone: UTC, weekly_hours: {mon: [['09:00', '18:00']]}}\n", "version"),
        ("name: shop\nversion: 1\nday: x\n", "unknown field day"),
        ("name: shop\n", "version"),
    ],
)
def test_a_calendar_that_cannot_hold_is_not_published(tmp_path: Path, text: str, problem: str) -> None:
    found = CliRunner().invoke(calendar.app, ["publish", str(written(tmp_path, text)), "--dry-run"])
    assert found.exit_code == 1
    assert problem in found.stderr


def test_days_that_do_not_ship_are_asked_for() -> None:
    found = CliRunner().invoke(calendar.app, ["publish", "--china", "2999"])
    assert found.exit_code == 1
    assert "the shipped days end with" in found.stderr


@pytest.mark.parametrize("instant", ["tomorrow", "2999-01-01T00:00:00", "2020-01-01T00:00:00+08:00"])
def test_a_policy_begins_at_an_instant_that_is_not_past(tmp_path: Path, instant: str) -> None:
    found = CliRunner().invoke(
        policy.app, ["activate", str(written(tmp_path, HEAD + GOOD)), "--effective", instant, "--kafka", "nowhere:1"]
    )
    assert found.exit_code == 2


@pytest.mark.real
async def test_calendars_and_policies_reach_the_topics_as_the_services_read_them(tmp_path: Path, fresh_stack: Stack) -> None:
    stack = fresh_stack  # on the shared one every service of another test would go by these rules
    await topic_admin.apply(KafkaSettings(stack.kafka, "tests"), replication=1)
    year = tmp_path / "cn.yaml"
    year.write_text("name: cn\nversion: 2027\nnotice: 国办发明电\nyears: {2027: {closed: [01-01], make_up: [02-20]}}\n", "utf-8")
    rules = written(tmp_path, HEAD + GOOD)

    def call() -> list[Result]:
        where = ["--kafka", stack.kafka]
        begins = ["--effective", "2999-01-01T00:00:00+08:00"]
        return [
            CliRunner().invoke(calendar.app, ["publish", str(year), *where]),
            CliRunner().invoke(policy.app, ["activate", str(rules), *begins, *where]),
        ]

    said = await asyncio.to_thread(call)
    assert [result.exit_code for result in said] == [0, 0], [result.output for result in said]
    published, activated = await documents(stack)
    assert (published.document, published.control.remarks) == ("calendar/cn@2027", "国办发明电")
    assert timedelta(0) < published.effective_at - published.time <= timedelta(seconds=5), "every replica knows it before it counts"
    known = Calendar.from_json(published.body)
    days = [date(2026, 10, 10), date(2027, 1, 1), date(2027, 2, 20), date(2027, 2, 21)]
    assert [known.is_working_day(day) for day in days] == [True, False, True, False]
    assert (activated.document, activated.effective_at.year, activated.applies_to_open) == ("sla-policy/complaints@2", 2999, False)


async def documents(stack: Stack) -> list[DocumentActivated]:
    """The first two documents on the topic."""
    found: list[DocumentActivated] = []
    async with AIOKafkaConsumer("reference-documents", bootstrap_servers=stack.kafka, auto_offset_reset="earliest") as consumer:
        while len(found) < 2:
            received = decode(from_kafka(await consumer.getone()))
            assert isinstance(received, Received), received
            assert isinstance(received.event, DocumentActivated)
            found.append(received.event)
    return found
