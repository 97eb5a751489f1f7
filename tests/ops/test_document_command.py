"""Documents by the command line: everything that is wrong has its line, what is right takes effect, and what is in force can be seen."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from common.kafka import topic_admin
from common.kafka.settings import KafkaSettings
from common.kernel.reference import Kind
from devstack import Stack
from ops import document, document_files
from ops.document_files import kinds, lint, shipped

THREE_FAULTS = """\
kind: service-catalogue
name: standard
version: 2
natures:
  repair: {zh: 维修, en: repair, route: work_orders, priority: normal}
  cleaning: {zh: 清洗, en: cleaning, route: work_order, priority: normal, colour: red}
  advice:
    zh: 咨询
    en: advice
    route: desk
"""
GOOD = """\
kind: complaint-triggers
name: standard
version: 2
triggers:
  injury: {zh: 人身伤害, en: somebody was injured}
  data_leak: {zh: 数据泄露, en: personal data got out}
"""


def call(*words: str) -> Result:
    return CliRunner().invoke(document.app, list(words))


def written(folder: Path, text: str, name: str = "document.yaml") -> str:
    file = folder / name
    file.write_text(text, "utf-8")
    return str(file)


def test_a_document_with_three_faults_is_refused_with_three_findings_and_their_lines(tmp_path: Path) -> None:
    file = written(tmp_path, THREE_FAULTS)
    found = call("lint", file)
    assert (found.exit_code, found.stdout.count("\n")) == (1, 3)
    assert [line.partition(" ")[0] for line in found.stdout.splitlines()] == [f"{file}:{line}:" for line in (5, 6, 7)]
    assert [finding.rule for finding in lint(Path(file))] == ["bad_value", "unknown_field", "missing_field"]
    assert all(" · " in line for line in found.stdout.splitlines())
    refused = call("activate", file, "--kafka", "nowhere:1")
    assert (refused.exit_code, refused.stderr) == (1, found.stdout)


@pytest.mark.parametrize(
    ("text", "rule", "line"),
    [
        ("natures: {}\n", "unknown_kind", 1),
        ("kind: catering\nname: standard\nversion: 1\n", "unknown_kind", 1),
        ("kind: complaint-triggers\nversion: 1\ntriggers: {}\n", "missing_field", 1),
        ("kind: complaint-triggers\nname: standard\nversion: no\ntriggers: {}\n", "bad_value", 3),
        ("kind: complaint-triggers\nname: STANDARD\nversion: 1\ntriggers: {}\n", "bad_value", 2),
        ("kind: complaint-triggers\nname: standard\nversion: 1\ntriggers: {}\ntriggers: {}\n", "duplicate_key", 5),
        ("kind: complaint-triggers\nname: standard\nversion: 1\ntriggers: 5\n", "bad_value", 4),
        ("name: shop\nversion: 1\ncalendar: {time_zone: UTC, weekly_hours: {}}\n", "never_open", 1),
        ("name: shop\nversion: 0\ncalendar: {time_zone: UTC, weekly_hours: {mon: [['09:00', '18:00']]}}\n", "bad_value", 2),
        ("policy: intake\nversion: 1\nstages: {closure: [{target: {working_days: 1}, calendar: cn}]}\n", "version_taken", 2),
        ("- 5\n", "bad_value", 1),
        ("a: [\n", "bad_yaml", 2),
    ],
)
def test_each_kind_of_file_is_known_by_what_it_says(tmp_path: Path, text: str, rule: str, line: int) -> None:
    found = lint(Path(written(tmp_path, text)))
    assert (rule, line) in [(finding.rule, finding.line) for finding in found]


MANY_FAULTS = """\
name: shop
version: 0
calendar:
  time_zone: Asia/Nowhere
  closed_date: [2026-10-01]
  seasons:
    - {from: 05-01, to: 09-31, weekly_hours: {}}
    - from: 10-01
      to: 10-31
      weekly_hours:
        mon: [[9:00, "18:00"]]
    - {from: 11-01, to: 11-30, hours: {}}
  alternating:
    - {anchor: 2026-01-03, hours: ["09:00", "18:00"]}
"""
COVERED = """\
kind: calendar
name: cn-shop
version: 1
years: {2026: {closed: [01-01], make_up: [01-04]}}
seasons:
  - {from: 06-01, to: 08-31, weekly_hours: {mon: [["08:00", "12:00"]]}}
  - {from: 05-01, to: 06-30, weekly_hours: {mon: [["08:00", "12:00"]]}}
  - {from: 07-01, to: 09-30, weekly_hours: {mon: [["08:00", "13:00"]]}}
alternating:
  - {anchor: 2026-01-03, hours: [["09:00", "18:00"]]}
  - {anchor: 2026-01-10, hours: []}
  - {anchor: 2026-01-31, hours: []}
"""


def test_every_mistake_in_a_calendar_is_found_in_its_line_with_a_remedy(tmp_path: Path) -> None:
    found = lint(Path(written(tmp_path, MANY_FAULTS)))
    assert [(finding.line, finding.rule) for finding in found] == [
        (3, "bad_calendar"),  # weekly_hours are missing
        (4, "bad_calendar"),
        (5, "unknown_field"),
        (7, "bad_calendar"),
        (11, "bad_calendar"),
        (12, "unknown_field"),
        (14, "bad_calendar"),
    ]
    assert all(finding.remedy for finding in found)
    complete = MANY_FAULTS.replace("  seasons:", '  weekly_hours: {mon: [["09:00", "18:00"]]}\n  seasons:')
    assert (2, "bad_value") in [(finding.line, finding.rule) for finding in lint(Path(written(tmp_path, complete)))]


def test_a_pattern_that_never_counts_is_found_and_one_that_counts_on_some_of_its_days_is_not(tmp_path: Path) -> None:
    found = lint(Path(written(tmp_path, COVERED)))
    assert [(finding.line, finding.rule) for finding in found] == [(6, "never_in_force"), (10, "never_in_force")]
    assert "2026-01-31" in found[1].what
    assert all("put it after the one that covers it" in finding.remedy for finding in found)
    misspelt = lint(Path(written(tmp_path, COVERED.replace("05-01", "5-1"))))
    assert [(finding.line, finding.rule) for finding in misspelt] == [(7, "bad_calendar"), (10, "never_in_force")]


@pytest.mark.parametrize("kind", kinds().values(), ids=lambda kind: kind.name)
def test_what_ships_is_shown_as_a_file_to_begin_with_and_has_no_findings(tmp_path: Path, kind: Kind[object]) -> None:
    for name, version in shipped(kind):
        ref = f"{kind.name}/{name}@{version}"
        shown = call("show", ref)
        assert shown.exit_code == 0
        file = written(tmp_path, shown.stdout)
        assert lint(Path(file)) == []
        assert document_files.written_in(Path(file)).ref == ref
        assert (call("diff", file, ref).exit_code, call("diff", file, ref).stdout) == (0, "")


def test_two_versions_are_compared_field_by_field(tmp_path: Path) -> None:
    found = call("diff", "complaint-triggers/standard@1", written(tmp_path, GOOD))
    assert found.exit_code == 1
    lines = found.stdout.splitlines()
    assert "~ version: 1 → 2" in lines
    assert "- triggers.fraud.zh: 欺诈" in lines
    assert "+ triggers.data_leak.en: personal data got out" in lines
    assert not [line for line in lines if "injury" in line]


@pytest.mark.parametrize(
    "words",
    [
        ("show", "catering"),
        ("show", "complaint-triggers/standard@9"),
        ("show", "complaint-triggers/standard@x"),
        ("show", "calendar/cn"),
        ("activate", "FILE", "--author", "E1", "--approver", "E1", "--approved-on", "2026-03-01"),
        ("activate", "FILE", "--author", "Wang Wu"),
        ("activate", "FILE", "--approved-on", "yesterday"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_sent(tmp_path: Path, words: tuple[str, ...]) -> None:
    file = written(tmp_path, GOOD)
    found = call(*(file if word == "FILE" else word for word in words), *(("--kafka", "nowhere:1") if "FILE" in words else ()))
    assert found.exit_code == 2


@pytest.mark.real
async def test_a_document_is_activated_listed_and_shown_and_its_version_is_taken(tmp_path: Path, fresh_stack: Stack) -> None:
    stack = fresh_stack  # on the shared one every service of another test would decide by these documents
    await topic_admin.apply(KafkaSettings(stack.kafka, "tests"), replication=1)
    file = written(tmp_path, GOOD)
    other = written(tmp_path, GOOD.replace("personal data", "customers' data"), "other.yaml")
    later = written(tmp_path, GOOD.replace("version: 2", "version: 3"), "later.yaml")
    where = ("--kafka", stack.kafka)
    control = ("--number", "AS-7", "--author", "E1", "--approver", "E2", "--approved-on", "2026-03-01")

    def calls() -> list[Result]:
        return [
            call("activate", file, *control, *where),
            call("activate", later, "--effective", "2999-01-01T00:00:00+08:00", *where),
            call("activate", other, *where),
            call("list", "--json", *where),
            call("show", "complaint-triggers/standard@2", "--published", *where),
            call("diff", file, "complaint-triggers/standard@2", "--published", *where),
            call("show", "complaint-triggers/nobody", "--published", *where),
        ]

    first, second, taken, listed, shown, same, missing = await asyncio.to_thread(calls)
    assert [first.exit_code, second.exit_code] == [0, 0], first.output + second.output
    assert first.stdout.startswith("Published complaint-triggers/standard@2; effective ")
    assert (taken.exit_code, "version_taken" in taken.stderr) == (1, True)
    rows = {row["document"]: row for row in json.loads(listed.stdout)}
    assert {ref: row["standing"] for ref, row in rows.items()} == {
        "complaint-triggers/standard@2": "in force",  # before the first version of all that one counts
        "complaint-triggers/standard@3": "to come",
    }
    two = rows["complaint-triggers/standard@2"]
    assert (two["number"], two["author"], two["approver"], two["approved_on"]) == ("AS-7", "E1", "E2", "2026-03-01")
    assert lint(Path(written(tmp_path, shown.stdout, "shown.yaml"))) == []
    assert (same.exit_code, same.stdout) == (0, "")
    assert missing.exit_code == 2
