"""What is no table of rows ends the replay with a sentence, and a report's place is checked before the run."""

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.counted import counted
from tests.ops.replay_logs import replayed

from common.kernel.faults import Fault
from ops.main import main
from ops.replay.mapping import read_mapping
from ops.replay.pass_over import report_of
from ops.replay.rows import ReplayStopped

DESK: dict[str, Any] = {
    "name": "desk",
    "kind": "cases",
    "columns": {"case": "id", "person": "who"},
    "times": {"at": {"column": "at", "format": "iso", "zone": "UTC"}},
    "calendar": "24x7",
    "rows": [{"where": {"what": "new"}, "means": "queued"}, {"where": {"what": "done"}, "means": "completed"}],
    "claims": [{"claim": "work_order.work_finished", "when": "completed", "fields": {"work_order_id": {"column": "id"}, "by": "E1"}}],
}
HEADER = "id,at,what,who\n"
ROW = "1,2026-01-05T10:00:00Z,done,ann\n"


def told(folder: Path, content: bytes, capsys: pytest.CaptureFixture[str], mapping: dict[str, Any] = DESK, name: str = "log.csv") -> str:
    """What the command says of a file that it cannot use."""
    own, log = folder / "own.yaml", folder / name
    own.write_text(yaml.safe_dump(mapping, allow_unicode=True))
    log.write_bytes(content)
    try:
        status = main(["replay", str(log), "--mapping", str(own), "--calculate-only"])
    except SystemExit as ended:
        status = int(ended.code or 0)
    said = capsys.readouterr()
    assert status in (1, 2)
    assert "Traceback" not in said.err
    assert len(said.err) < 1000
    assert said.err.isprintable() or said.err.replace("\n", "").isprintable()
    return said.err


def zipped(name: str) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr(name, HEADER)
    return raw.getvalue()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (zipped("log.csv"), "zip"),
        (zipped("xl/workbook.xml"), "Excel"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "Excel"),
        (gzip.compress(zipped("log.csv")), "zip"),
        (gzip.compress(gzip.compress((HEADER + ROW).encode())), "gzip"),
        (b"%PDF-1.7\n" + bytes(range(256)), "PDF"),
        (b"PAR1" + bytes(100), "Parquet"),
        (b"SQLite format 3\0" + bytes(100), "SQLite"),
        (b"BZh91AY&SY" + bytes(range(256)), "bzip2"),
        (b"\xfd7zXZ\0" + bytes(100), "xz"),
        (b"\x28\xb5\x2f\xfd" + bytes(100), "zstd"),
        ((HEADER + ROW).encode("utf-16"), "utf-16"),
        ((HEADER + ROW).encode("utf-16-le"), "NUL"),
        ((HEADER + ROW).encode("utf-32"), "utf-32"),
        (b"\x7fELF" + bytes(100), "NUL"),
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"\n\n\n", "first line is blank"),
        (HEADER.encode(), "no rows"),
        (gzip.compress(b""), "empty"),
        (gzip.compress((HEADER + ROW).encode())[:-12], "line"),
        (b"\x1f\x8b" + b"garbage", "line"),
        (HEADER.replace(",", ";").encode() + b"1;2\n", "';'"),
        (HEADER.replace("what", "waht").encode() + ROW.encode(), "'waht'"),
        (HEADER.replace("\n", ",what\n").encode() + ROW.encode(), "2 columns 'what'"),
        (b'"id","at,what,who\n' + ROW.encode(), "never closed"),
        (b'"id"x,at,what,who\n' + ROW.encode(), "line 1"),
        (HEADER.encode() + b'2,"2026-01-05T10:00:00Z,done,ann\n' + ROW.encode() * 3, "line 2: a quotation mark opens and is never closed"),
        (HEADER.encode() + b'2,"' + (b"x" * 80 + b"\n") * 40_000, "line 2"),
        (HEADER.encode() + b"2," + b"x" * 3_000_000 + b"\n" + ROW.encode(), "longer than"),
        (HEADER.encode() + b"1,2\n1,2,3,4,5\n", "no row"),
        (HEADER.encode() + b"1,yesterday,done,ann\n" * 5, "bad_time"),
        (HEADER.encode() + b"1,2026-01-05,lost,ann\n", "no_rule"),
        ("号,时间,状态,人\n".encode("gb18030") + ROW.encode(), "encoding"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>\n", "0 columns"),
        (b'[{"id": 1, "at": "2026"}]\n', "0 columns"),
    ],
    ids=lambda value: value if isinstance(value, str) else "content",  # some of these bytes say when they were packed
)  # fmt: skip
def test_what_is_no_table_is_a_sentence(content: bytes, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert expected in told(tmp_path, content, capsys)


def test_stamps_without_any_zone_are_a_sentence_about_the_zone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = DESK | {"times": {"at": {"column": "at", "format": "iso"}}}
    assert "declare `zone`" in told(tmp_path, HEADER.encode() + b"1,2026-01-05T10:00,done,ann\n", capsys, own)


def test_values_of_a_file_without_a_header_are_not_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = told(tmp_path, b"4711,Anne Smith,anne@example.org,done\n", capsys)
    assert "Anne" not in said
    assert "example" not in said


def test_a_declared_encoding_is_read(tmp_path: Path) -> None:
    own = DESK | {"encoding": "gb18030", "columns": {"case": "号", "person": "人"}}
    own["claims"] = [DESK["claims"][0] | {"fields": {"work_order_id": {"column": "号"}, "by": "E1"}}]
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(own, allow_unicode=True))
    log = tmp_path / "log.csv"
    log.write_bytes(("号,at,what,人\n" + ROW.replace("ann", "王")).encode("gb18030"))
    assert (
        main(["replay", str(log), "--mapping", str(tmp_path / "own.yaml"), "--calculate-only", "--report", str(tmp_path / "r.json")]) == 0
    )
    assert list(json.loads((tmp_path / "r.json").read_text())["figures"]["by_person"]) == ["王"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1", "utf-8"])
def test_each_declared_encoding_finds_the_same_rows(encoding: str) -> None:
    report = report_of((HEADER + ROW.replace("ann", "Jörg")).encode(encoding), read_mapping(DESK | {"encoding": encoding}))
    assert list(report["figures"]["by_person"]) == ["Jörg"]


@pytest.mark.parametrize(
    "text", [HEADER + ROW, HEADER + ROW.rstrip("\n"), (HEADER + ROW).replace("\n", "\r\n"), (HEADER + ROW).replace("\n", "\r")]
)
def test_lines_may_end_in_each_usual_way(text: str) -> None:
    for content in (text.encode(), b"\xef\xbb\xbf" + text.encode(), gzip.compress(text.encode())):
        assert report_of(content, read_mapping(DESK))["rows"]["mapped"] == 1


def test_rows_that_are_no_csv_are_rejected_by_number_and_the_next_count(tmp_path: Path) -> None:
    report = replayed(tmp_path, DESK, HEADER + ROW + '2,"2026"x,done,ann\n' + ROW + "3,a\0b,done,ann\n" + ROW + "1,2\n\n")
    assert report["rows"]["read"] == 7
    assert {reason: rows["all"] for reason, rows in report["rejected"].items()} == {
        "bad_csv": [2],
        "bad_encoding": [4],
        "blank_line": [7],
        "wrong_number_of_columns": [6],
    }


def test_a_long_value_is_read(tmp_path: Path) -> None:
    report = replayed(tmp_path, DESK, HEADER + ROW + f"2,2026-01-05,done,{'x' * 500_000}\n")
    assert report["rows"]["mapped"] == 2


@pytest.mark.parametrize("place", ["no/such/folder/report.json", "log.csv/report.json", ".", "log.csv", "own.yaml"])
def test_a_report_that_cannot_be_written_is_told_before_the_run(place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, own = tmp_path / "log.csv", tmp_path / "own.yaml"
    log.write_text(HEADER + ROW)
    own.write_text(yaml.safe_dump(DESK))
    with pytest.raises(SystemExit) as ended:
        main(["replay", str(log), "--mapping", str(own), "--calculate-only", "--report", str(tmp_path / place)])
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert "--report" in said.err
    assert said.out == ""
    assert log.read_text() == HEADER + ROW


def test_a_report_that_stands_already_is_replaced_only_by_a_whole_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.json"
    report.write_text("the old one")
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(DESK))
    (tmp_path / "log.csv").write_bytes(gzip.compress((HEADER + ROW * 1000).encode())[:-20])
    assert (
        main(["replay", str(tmp_path / "log.csv"), "--mapping", str(tmp_path / "own.yaml"), "--calculate-only", "--report", str(report)])
        == 1
    )
    assert report.read_text() == "the old one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.csv", "own.yaml", "report.json"]


def test_a_file_that_breaks_off_is_known_before_anything_is_published(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "table.csv.gz"
    header = (
        "Business Name,Complaint Type,Mediation Start Date,Mediation Close Date,Complaint Result,Satisfaction,Restitution,Business State"
    )
    log.write_bytes(gzip.compress(f"{header}\n{'ACME,B02,04/01/2016,04/04/2016,Cash,NA,0.00,NY' + chr(10)}".encode() * 500)[:-20])
    assert main(["replay", str(log), "--mapping", "nyc_complaints", "--kafka", "127.0.0.1:1"]) == 1
    assert "table.csv.gz: line" in capsys.readouterr().err  # and not that there is no Kafka


def test_a_calendar_that_ends_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hours = {"time_zone": "UTC", "weekly_hours": {"mon": [["09:00", "18:00"]]}}
    rows = "1,2299-12-30T10:00:00Z,new,a\n1,2299-12-31T10:00:00Z,done,a\n1,1900-01-01T00:00:00Z,new,a\n"
    report = replayed(tmp_path, DESK | {"calendar": hours}, HEADER + rows)
    assert report["figures"]["completions"] == 1


CELL = st.sampled_from(
    ["", "1", "2", "new", "done", "?", "2026-01-05T10:00:00Z", "2026-10-25 02:30", '"', '""', "a,b", "\0", "é", "\n"]
) | st.text(max_size=4)
TABLES = st.lists(st.lists(CELL, max_size=6), max_size=8)


@counted(200, proof=20_000)
@given(TABLES, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1", "gb18030"]), st.booleans(), st.binary(max_size=6))
def test_any_bytes_are_a_report_or_a_sentence(table: list[list[str]], encoding: str, headed: bool, rest: bytes) -> None:
    text = (HEADER if headed else "") + "".join(",".join(row) + "\n" for row in table)
    try:
        report = report_of(text.encode(encoding, "replace") + rest, read_mapping(DESK))
    except (ReplayStopped, Fault):
        return
    rows = report["rows"]
    assert rows["read"] == rows["mapped"] + sum(rows["skipped"].values()) + sum(rows["rejected"].values())
    numbers = [number for found in report["rejected"].values() for number in found["all"]]
    assert len(numbers) == len(set(numbers)) == sum(rows["rejected"].values())
    assert all(1 <= number <= rows["read"] for number in numbers)


@counted(200, proof=20_000)
@given(st.binary(max_size=200))
def test_binary_of_any_kind_is_a_sentence(content: bytes) -> None:
    with pytest.raises((ReplayStopped, Fault)):
        report_of(content, read_mapping(DESK))
