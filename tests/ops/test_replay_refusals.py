"""What our contracts refuse of a log is told with its rows; it ends no replay, and the figures come from the rows all the same."""

from pathlib import Path
from typing import Any

import pytest
from tests.ops.replay_logs import replayed

from ops.replay import claims

CASES = """
name: desk
kind: cases
columns: {case: id, team: team, person: agent}
times: {at: {column: at, format: iso}}
calendar: 24x7
rows:
  - {where: {what: new}, means: queued}
  - {where: {what: work}, means: working}
  - {where: {what: done}, means: completed}
claims:
  - claim: service_request.received
    when: received
    fields:
      request_id: {column: id, as: slug, prefix: R}
      customer_id: unknown
      channel: desk
      nature: repair
      severity: normal
      region: north
      product: unknown
      handled_by: {column: agent, as: pseudonym}
  - claim: work_order.work_finished
    when: completed
    fields:
      work_order_id: {column: id, as: slug, prefix: R, suffix: -w1}
      by: {column: agent, as: pseudonym}
"""
COMPLAINTS = """
name: table
kind: complaints
columns: {outcome: score}
times:
  start: {column: opened, format: iso}
  end: {column: closed, format: iso}
calendar: 24x7
rows: [{means: complaint}]
claims:
  - claim: complaint.lodged
    when: received
    fields: {complaint_id: {column: id, prefix: C}, customer_id: K1, category: other, region: north, handled_by: E1}
  - claim: complaint.solution_found
    when: closed
    fields: {complaint_id: {column: id, prefix: C}, remedy: {column: score, as: word}, by: E1}
"""


def test_a_closing_claim_that_is_refused_rejects_the_row_and_ends(tmp_path: Path) -> None:
    report = replayed(tmp_path, COMPLAINTS, "id,opened,closed,score\n1,2026-01-05T10:00:00Z,2026-01-06T10:00:00Z,\n")
    assert report["rows"] == {"read": 1, "mapped": 0, "events": 0, "skipped": {}, "rejected": {"blank:remedy": 1}}
    assert report["rejected"] == {"blank:remedy": {"rows": 1, "first": [1], "all": [1]}}
    assert report["claims"] == {"made": 0, "refused": {"blank:remedy": 1}}
    assert (report["figures"]["complaints"], report["figures"]["closed"]) == (1, 1)


def test_a_first_row_whose_claim_is_refused_still_begins_the_case(tmp_path: Path) -> None:
    log = "id,at,what,team,agent\n1,2026-01-05T10:00:00Z,new,t1,\n1,2026-01-05T11:00:00Z,work,t1,ann\n"
    report = replayed(tmp_path, CASES, log)
    assert report["figures"]["first_response_hours"]["sum"] == "1"
    assert report["figures"]["events"] == 2
    assert report["rejected"] == {"blank:handled_by": {"rows": 1, "first": [1], "all": [1]}}
    assert report["claims"] == {"made": 1, "refused": {"blank:handled_by": 1}}


def test_a_refused_completion_still_completes_the_case(tmp_path: Path) -> None:
    log = (
        "id,at,what,team,agent\n1,2026-01-05T10:00:00Z,new,t1,ann\n1,2026-01-05T11:00:00Z,done,t2,\n"
        "1,2026-01-05T12:00:00Z,work,t2,ann\n1,2026-01-05T13:00:00Z,done,t2,ann\n"
    )
    report = replayed(tmp_path, CASES, log)
    assert report["figures"]["completion_hours"]["sum"] == "1"
    assert (report["figures"]["reopened_cases"], report["figures"]["handovers"]) == (1, 1)
    assert report["rejected"]["blank:by"]["all"] == [2]
    assert report["rows"]["events"] == 2  # received, and finished in row 4


def test_what_happened_before_the_first_time_of_an_event_is_in_the_figures_alone(tmp_path: Path) -> None:
    log = "id,at,what,team,agent\n1,1969-12-31T23:00:00Z,new,t1,ann\n1,1970-01-01T00:00:00Z,done,t1,ann\n"
    report = replayed(tmp_path, CASES, log)
    assert report["claims"] == {"made": 2, "refused": {"refused:service_request.received:time": 1}}
    assert report["figures"]["completion_hours"]["sum"] == "1"


def test_a_row_of_which_one_claim_is_refused_makes_none_and_each_refusal_is_counted(tmp_path: Path) -> None:
    report = replayed(tmp_path, CASES, "id,at,what,team,agent\n1,2026-01-05T10:00:00Z,done,t1,\n")
    assert report["claims"] == {"made": 0, "refused": {"blank:by": 1, "blank:handled_by": 1}}
    assert report["rejected"] == {"blank:handled_by": {"rows": 1, "first": [1], "all": [1]}}


def test_refusals_name_their_first_ten_rows_on_the_terminal_and_all_in_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{number},2026-01-05T10:00:00Z,new,t1,\n" for number in range(30, 10, -1)]
    report = replayed(tmp_path, CASES, "id,at,what,team,agent\n" + "".join(rows))
    assert report["rejected"]["blank:handled_by"] == {"rows": 20, "first": list(range(1, 11)), "all": list(range(1, 21))}
    assert "blank:handled_by: rows 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 10 more" in capsys.readouterr().out


def test_each_row_of_a_long_case_is_asked_once_whatever_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    made = claims._made

    def counted(*arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        return made(*arguments)

    monkeypatch.setattr(claims, "_made", counted)
    rows = "".join(f"1,2026-01-05T10:00:00Z,done,t1,{'ann' if number % 2 else ''}\n" for number in range(8_000))
    report = replayed(tmp_path, CASES, "id,at,what,team,agent\n" + rows)
    assert report["figures"]["events"] == 8_000
    assert asked < 3 * 8_000
