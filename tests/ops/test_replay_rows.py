"""Every row of a replayed file is accounted for, and a mapping that says something wrong is told where."""

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.ops.replay_logs import HEADER, LogRow, log_row, write_log

from common.kernel.faults import Fault
from ops.main import main
from ops.replay.field_values import slug, word
from ops.replay.mapping import SHIPPED, load, read_mapping
from ops.replay.pass_over import Pass
from ops.replay.table_file import open_table

VOLVO = yaml.safe_load((SHIPPED / "volvo.yaml").read_text(encoding="utf-8"))


def accounted(log: Path, mapping: dict[str, Any] | None = None) -> dict[str, Any]:
    return Pass(open_table(log), read_mapping(mapping or VOLVO)).report()


def changed(path: str, value: object) -> dict[str, Any]:
    """The Volvo mapping with one declaration changed; `None` takes it away."""
    mapping: dict[str, Any] = copy.deepcopy(VOLVO)
    *way, last = (int(step) if step.isdigit() else step for step in path.split("/"))
    place: Any = mapping
    for step in way:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return mapping


def test_each_row_that_cannot_be_mapped_is_rejected_with_its_reason_and_the_others_count(tmp_path: Path) -> None:
    good = log_row("1-1", "2012-04-02T08:00:00", "Accepted/In Progress")
    rows: list[LogRow] = [
        good,
        good | {"SR Number": ""},
        good | {"Change Date+Time": "yesterday"},
        good | {"Change Date+Time": "2012-04-02T08:00:00"},  # no offset, and the mapping declares no zone
        good | {"Change Date+Time": ""},
        good | {"Status": "Lost"},
        good | {"SR Number": "1-2", "SR Latest Impact": "Colossal"},
        good | {"SR Number": "1-3", "Resource": ""},
        good | {"SR Number": "x" * 200},
    ]
    log = write_log(tmp_path / "log.csv", rows)
    with log.open("ab") as file:
        file.write(b"too,few\r\n\r\n" + ",".join(good.values()).replace("se-Ann", "se-Bj\xf6rn").encode("latin-1") + b"\r\n")
    report = accounted(log)
    assert report["rows"] == {
        "read": 12,
        "mapped": 1,
        "events": 4,  # received, assigned, accepted, answered
        "skipped": {},
        "rejected": {
            "bad_encoding": 1,
            "bad_time": 1,
            "blank:handled_by": 1,
            "blank_line": 1,
            "no_case": 1,
            "no_rule": 1,
            "no_time": 1,
            "no_zone": 1,
            "not_in_table:severity": 1,
            "refused:service_request.received:request_id": 1,
            "wrong_number_of_columns": 1,
        },
    }
    # The four of which only a claim is refused tell what they tell.
    assert (report["figures"]["events"], report["figures"]["cases"]) == (4, 4)
    assert report["rejected"]["no_zone"] == {"rows": 1, "first": [4], "all": [4]}
    assert report["rejected"]["bad_encoding"]["all"] == [12]


def test_a_refused_first_row_leaves_the_claims_of_the_case_to_its_other_rows(tmp_path: Path) -> None:
    rows = [
        log_row("1-1", "2012-04-02T08:00:00", "Accepted/In Progress", person=""),
        log_row("1-1", "2012-04-02T09:00:00", "Accepted/In Progress"),
        log_row("1-1", "2012-04-02T10:00:00", "Completed/Resolved"),
    ]
    report = accounted(write_log(tmp_path / "log.csv", rows))
    assert (report["rows"]["mapped"], report["rows"]["rejected"]) == (2, {"blank:handled_by": 1})
    assert report["claims"] == {"made": 5, "refused": {"blank:by": 2, "blank:handled_by": 1, "blank:technician": 1}}
    assert report["figures"]["completion_hours"]["sum"] == "2"


def test_rows_that_a_rule_skips_are_counted_under_its_reason(tmp_path: Path) -> None:
    rows = [
        log_row("1-1", "2012-04-02T08:00:00", "Accepted/In Progress"),
        log_row("1-1", "2012-04-02T09:00:00", "Unmatched/Unmatched"),
    ]
    skipping = changed("rows/8", {"where": {"Status": "Unmatched"}, "skip": "unmatched"})
    found = accounted(write_log(tmp_path / "log.csv", rows), skipping)["rows"]
    assert (found["read"], found["mapped"], found["skipped"], found["rejected"]) == (2, 1, {"unmatched": 1}, {})


def test_a_quoted_value_may_hold_delimiters_and_line_breaks(tmp_path: Path) -> None:
    rows = [log_row("1-1", "2012-04-02T08:00:00", "Accepted/In Progress", team='V1, "the\nfirst"')]
    report = accounted(write_log(tmp_path / "log.csv.gz", rows))
    assert report["rows"]["mapped"] == 1
    assert list(report["figures"]["by_team"]) == []
    assert report["figures"]["teams"] == 1


def test_a_file_that_breaks_off_ends_the_replay_with_a_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = gzip.compress((",".join(HEADER) + "\n").encode() * 1000)
    log = tmp_path / "log.csv.gz"
    log.write_bytes(whole[: len(whole) // 2])
    assert main(["replay", str(log), "--mapping", "volvo", "--calculate-only"]) == 1
    assert "log.csv.gz: line" in capsys.readouterr().err


def test_a_file_without_a_column_of_the_mapping_is_refused_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log.csv"
    log.write_text("SR Number,Status\n1-1,Accepted\n")
    with pytest.raises(SystemExit) as ended:
        main(["replay", str(log), "--mapping", "volvo", "--calculate-only"])
    assert ended.value.code == 2
    assert "0 columns 'Involved ST'" in capsys.readouterr().err


def test_the_report_can_be_printed_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = write_log(tmp_path / "log.csv", [log_row("1-1", "2012-04-02T08:00:00", "Accepted/In Progress")])
    assert main(["replay", str(log), "--mapping", "volvo", "--calculate-only", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["figures"]["cases"] == 1


def test_a_mapping_of_ones_own_is_read_from_a_file(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump(changed("name", "own")))
    assert load(str(own)).name == "own"


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("name", None, "mapping.name"),
        ("colums", {}, "mapping.colums"),
        ("kind", "tickets", "kind"),
        ("columns/case", None, "columns.case"),
        ("columns/boss", "Owner", "columns.boss"),
        ("times/at/zone", "Mars/Olympus", "times.at.zone"),
        ("times/at/clock", "noon", "times.at.clock"),
        ("calendar/weekly_hours", {"mon": ["9-5"]}, "calendar.weekly_hours.mon[0]"),
        ("rows", [], "rows"),
        ("rows/0/means", "sleeping", "rows[0].means"),
        ("rows/0/skip", "both", "rows[0]"),
        ("rows/0/where", {True: "x"}, "rows[0].where"),
        ("rows/0/where/Status", 5, "rows[0].where.Status"),
        ("claims/0/claim", "service_request.registered", "claims[0].claim"),
        ("claims/0/when", "noticed", "claims[0].when"),
        ("claims/0/fields/region", None, "claims[0].fields.region"),
        ("claims/0/fields/colour", "red", "claims[0].fields.colour"),
        ("claims/0/fields/region", {"column": "Country", "set": "x"}, "claims[0].fields.region"),
        ("claims/0/fields/region", {"column": "Country", "as": "poem"}, "claims[0].fields.region.as"),
        ("claims/0/fields/region", {"column": "Country", "from": "last"}, "claims[0].fields.region.from"),
    ],
)
def test_a_wrong_declaration_is_named_by_its_place(path: str, value: object, place: str) -> None:
    with pytest.raises(Fault) as problem:
        read_mapping(changed(path, value))
    assert problem.value.field == place


def test_a_declaration_that_stands_twice_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("name: one\nname: two\n")
    with pytest.raises(Fault, match="twice"):
        load(str(own))


def test_two_values_never_share_a_slug() -> None:
    values = ["V5 3rd", "V5_3rd", "V5-3rd", "V5:203rd", "V5\u00a03rd", "Größe", "Gr:c3:b6ße", "V5.3rd"]
    slugs = [slug(value) for value in values]
    assert len(set(slugs)) == len(values)
    assert slugs[0] == "V5_3rd"


def test_a_word_keeps_what_words_may_have() -> None:
    assert word("Exchange Goods/Contract Cancelled - E01") == "Exchange Goods/Contract Cancelled - E01"
    assert word("- -") == ""
    assert word("Bait & Switch") == "Bait - Switch"
