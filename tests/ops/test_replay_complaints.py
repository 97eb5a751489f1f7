"""A table of complaints that knows days only: its figures, its account, and claims that the service takes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from common.contracts.claims import complaints as claims
from common.contracts.claims.complaints import ComplaintLodged
from common.contracts.event import Event
from common.kernel.errors import Refused, TooEarly
from common.kernel.instants import from_micros
from complaints.domain.complaint import Complaint, Step
from ops.main import main
from ops.replay.mapping import load
from ops.replay.pass_over import Pass
from ops.replay.table_file import open_table

HEADER = (
    "Business Name,Complaint Type,Mediation Start Date,Mediation Close Date,Complaint Result,Satisfaction,Restitution,"
    "Business State,Complainant Zip "
)
FRIDAY = "ACME,Bait & Switch - B01,04/01/2016,04/04/2016,Cash Amount - AMT,Yes,707.05,NY,10001"


def pass_over(tmp_path: Path, *rows: str) -> Pass:
    table = tmp_path / "table.csv"
    table.write_text("\n".join((HEADER, *rows, "")))
    return Pass(open_table(table), load("nyc_complaints"))


@pytest.fixture
def report(tmp_path: Path) -> dict[str, Any]:
    return pass_over(
        tmp_path,
        FRIDAY,  # closed on the 1st working day after
        "ACME,,04/01/2016,04/06/2016,Complaint Invalid - CIN,No,0.50,,10001",  # on the 3rd
        '"Sons, Ltd.",,04/01/2016,04/07/2016,Cash Amount - AMT,NA,0.00,NY,',  # on the 4th
        "Acme,,04/02/2016,04/02/2016,Cash Amount - AMT,,,NY,",  # on the Saturday on which it came
        "ACME,,05/12/2015,05/01/2015,Cash Amount - AMT,Yes,648.00,NY,",
        "ACME,,02/30/2016,,Cash Amount - AMT,Yes,0.00,NY,",
        "ACME,,04/01/2016,,Cash Amount - AMT,Perhaps,0.00,NY,",
        "ACME,,04/01/2016,,Cash Amount - AMT,NA,much,NY,",
        "ACME,,04/01/2016,,,NA,0.00,NY,",  # still open
    ).report()


def test_days_count_from_date_to_date_and_by_working_days(report: dict[str, Any]) -> None:
    figures = report["figures"]
    assert (figures["complaints"], figures["closed"], figures["units"]) == (5, 4, 3)
    assert figures["within_working_days"] == {"1": 2, "3": 3}
    # 3, 5, 6 and 0 days
    assert figures["solution_days"] == {"n": 4, "mean": "3.5", "p50": "4", "p90": "5.7", "p95": "5.85", "p99": "5.97", "sum": "14"}


def test_answers_outcomes_and_compensation_are_summed(report: dict[str, Any]) -> None:
    figures = report["figures"]
    assert figures["satisfaction"] == {"yes": 1, "no": 1, "not_answered": 3}
    assert figures["by_outcome"] == {"": 1, "Cash Amount - AMT": 3, "Complaint Invalid - CIN": 1}
    assert figures["compensation"] == "707.55"


def test_impossible_rows_are_rejected_by_their_reason(report: dict[str, Any]) -> None:
    assert report["rows"] == {
        "read": 9,
        "mapped": 5,
        "events": 5 + 4 * 5,
        "skipped": {},
        "rejected": {"bad_compensation": 1, "bad_time": 1, "end_before_start": 1, "not_in_answers": 1},
    }


def decided(complaint: Complaint, said: Event, at: datetime) -> Complaint | Refused | TooEarly:
    match said:
        case claims.ComplainantTold(by=by):
            return complaint.acknowledge(at, by)
        case claims.VerificationBegun(by=by):
            return complaint.start_verification(at, by)
        case claims.VerificationEnded(by=by, justified=justified):
            return complaint.verify(at, by, justified=justified)
        case claims.SolutionFound(by=by, remedy=remedy):
            return complaint.propose_solution(at, by, remedy)
        case claims.SolutionTold(by=by):
            return complaint.communicate_solution(at, by)
        case other:
            raise AssertionError(f"{other!r} is no step")


def test_the_claims_of_a_closed_complaint_are_those_that_the_service_takes(tmp_path: Path) -> None:
    (case,) = pass_over(tmp_path, FRIDAY).cases()
    lodged, *later = case
    assert isinstance(lodged.claim, ComplaintLodged)
    assert lodged.claim.category == "Bait - Switch - B01"
    assert from_micros(lodged.at, UTC).isoformat() == "2016-04-01T13:00:00+00:00"  # 09:00 in New York, in summer
    received = from_micros(lodged.at, UTC)
    complaint = Complaint(id="NYC-1", customer_id="k", request_id=None, category="c", region="NY", handled_by=None, opened_at=received)
    for planned in later:
        after = decided(complaint, planned.claim, from_micros(planned.at, UTC))
        assert isinstance(after, Complaint), after
        complaint = after
    assert complaint.status == Step.SOLUTION_COMMUNICATED


def test_the_figures_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "table.csv"
    table.write_text(f"{HEADER}\n{FRIDAY}\n")
    assert main(["replay", str(table), "--mapping", "nyc_complaints", "--calculate-only"]) == 0
    printed = capsys.readouterr().out
    assert "1 rows read: 1 mapped to 6 events, none skipped, none rejected" in printed
    assert "compensation in all: 707.05" in printed
