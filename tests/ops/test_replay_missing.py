"""Words that stand for "missing" name nobody: the mapping declares them, and a report tells of those that it does not."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.ops.replay_logs import replayed

DESK: dict[str, Any] = {
    "name": "desk",
    "kind": "cases",
    "columns": {"case": "id", "person": "person", "team": "team", "product": "product"},
    "times": {"at": {"column": "at", "format": "iso", "zone": "UTC"}},
    "calendar": "24x7",
    "rows": [
        {"where": {"what": "new"}, "means": "queued"},
        {"where": {"what": "work"}, "means": "working"},
        {"where": {"what": "done"}, "means": "completed"},
    ],
    "claims": [
        {
            "claim": "work_order.work_finished",
            "when": "completed",
            "fields": {"work_order_id": {"column": "id", "as": "slug"}, "by": {"column": "person", "as": "pseudonym"}},
        }
    ],
}
HEADER = "id,at,what,person,team,product\n"


def log(*rows: str) -> str:
    """Rows of one case, an hour apart."""
    return HEADER + "".join(f"1,2026-01-05T{10 + hour}:00:00,{row}\n" for hour, row in enumerate(rows))


MARKED = log("new,?,?,p", "work,a,t1,p", "work,a,?,p", "done,a,t1,?")


def test_a_declared_word_is_nobody_and_nothing(tmp_path: Path) -> None:
    figures = replayed(tmp_path, DESK | {"missing": ["?"]}, MARKED)["figures"]
    assert (figures["handovers"], figures["teams"], figures["people"], figures["products"]) == (0, 1, 1, 1)
    assert (list(figures["by_team"]), list(figures["by_person"])) == (["t1"], ["a"])


def test_an_undeclared_word_is_a_name_like_others_and_the_report_hints_at_it(tmp_path: Path) -> None:
    report = replayed(tmp_path, DESK, MARKED)
    assert (report["figures"]["handovers"], report["figures"]["teams"], report["figures"]["people"]) == (3, 2, 2)
    assert [(hint["column"], hint["value"], hint["rows"]) for hint in report["hints"]] == [
        ("person", "?", 1),
        ("product", "?", 1),
        ("team", "?", 2),
    ]
    assert 'missing: ["?"]' in report["hints"][0]["hint"]


@pytest.mark.parametrize("word", ["?", "N/A", "n/a", "NA", "-", "--", "none", "NULL", "Unknown", "nil", "NaN", "未知", "无"])
def test_each_usual_word_is_hinted_at(word: str, tmp_path: Path) -> None:
    (hint,) = replayed(tmp_path, DESK, log(f"work,{word},t1,p"))["hints"]
    assert (hint["column"], hint["value"], hint["rows"]) == ("person", word, 1)


def test_a_declared_word_is_not_hinted_at(tmp_path: Path) -> None:
    assert replayed(tmp_path, DESK | {"missing": ["?"]}, MARKED)["hints"] == []


def test_a_column_may_have_words_of_its_own_in_place_of_the_general_ones(tmp_path: Path) -> None:
    columns = DESK["columns"] | {"team": {"column": "team", "missing": ["-"]}, "person": {"column": "person", "missing": []}}
    rows = log("work,?,-,?", "work,-,?,p", "done,-,t1,?")
    report = replayed(tmp_path, DESK | {"missing": ["?"], "columns": columns}, rows)
    figures = report["figures"]
    assert (figures["people"], figures["teams"], figures["products"], figures["handovers"]) == (2, 2, 1, 1)


def test_a_claim_does_not_travel_with_a_word_for_missing(tmp_path: Path) -> None:
    report = replayed(tmp_path, DESK | {"missing": ["?"]}, log("done,?,t1,p"))
    assert report["claims"] == {"made": 0, "refused": {"blank:by": 1}}
    own = yaml.safe_load(yaml.safe_dump(DESK))
    own["claims"][0]["fields"]["by"]["missing"] = ["nobody"]
    assert replayed(tmp_path, own, log("done,nobody,t1,p"))["claims"]["refused"] == {"blank:by": 1}


def test_a_case_without_a_name_is_no_case(tmp_path: Path) -> None:
    report = replayed(
        tmp_path, DESK | {"missing": ["?"]}, f"{HEADER}?,2026-01-05T10:00:00,work,a,t1,p\n1,2026-01-05T10:00:00,work,a,t1,p\n"
    )
    assert report["rows"]["rejected"] == {"no_case": 1}


def test_a_declared_word_in_a_time_is_no_time(tmp_path: Path) -> None:
    report = replayed(tmp_path, DESK | {"missing": ["-"]}, f"{HEADER}1,-,work,a,t1,p\n1,2026-01-05T10:00:00,work,a,t1,p\n")
    assert report["rows"]["rejected"] == {"no_time": 1}
    hinted = replayed(tmp_path, DESK, f"{HEADER}1,-,work,a,t1,p\n1,2026-01-05T10:00:00,work,a,t1,p\n")
    assert [(hint["column"], hint["value"]) for hint in hinted["hints"]] == [("at", "-")]


def test_white_space_alone_names_nobody(tmp_path: Path) -> None:
    figures = replayed(tmp_path, DESK, log("work,a,t1,p", "work, ,  ,p", "done,a,t1,\t"))["figures"]
    assert (figures["handovers"], figures["teams"], figures["people"], figures["products"]) == (0, 1, 1, 1)


def test_a_case_has_the_last_product_that_a_row_names(tmp_path: Path) -> None:
    figures = replayed(tmp_path, DESK | {"missing": ["?"]}, MARKED)["figures"]
    assert figures["by_product"]["p"]["completions"] == 1


def test_work_without_a_named_holder_stays_with_the_one_who_has_it(tmp_path: Path) -> None:
    given = {
        "claim": "work_order.assignment_made",
        "when": "assigned",
        "fields": {
            "work_order_id": {"column": "id", "as": "slug"},
            "technician": {"column": "person", "as": "slug"},
            "team": {"column": "team", "as": "slug"},
            "by": "E1",
        },
    }
    own = DESK | {"missing": ["?"], "claims": [given]}
    report = replayed(tmp_path, own, log("work,a,t1,p", "work,a,?,p", "work,?,?,p", "work,a,t1,p"))
    assert report["claims"] == {"made": 1, "refused": {}}


def test_a_word_that_the_mapping_gives_a_meaning_to_keeps_it(tmp_path: Path) -> None:
    table = "opened,closed,said,sort\n2026-01-05,2026-01-06,NA,NA\n2026-01-05,-,?,NA\n2026-01-05,?,no,x\n"
    own = {
        "name": "table",
        "kind": "complaints",
        "columns": {"satisfaction": "said", "outcome": "sort"},
        "times": {name: {"column": column, "format": "iso", "zone": "UTC"} for name, column in (("start", "opened"), ("end", "closed"))},
        "calendar": "24x7",
        "missing": ["NA", "?", "-"],
        "answers": {"NA": "yes", "no": "no"},
        "rows": [{"where": {"sort": "NA"}, "means": "complaint"}, {"means": "complaint"}],
        "claims": [
            {
                "claim": "complaint.verification_ended",
                "when": "received",
                "fields": {
                    "complaint_id": {"row": "number", "prefix": "C"},
                    "justified": {"column": "sort", "table": {"NA": True}, "otherwise": False},
                    "by": "E1",
                },
            }
        ],
    }
    report = replayed(tmp_path, own, table)
    assert report["figures"]["satisfaction"] == {"yes": 1, "no": 1, "not_answered": 1}
    assert (report["figures"]["complaints"], report["figures"]["closed"]) == (3, 1)
    assert report["claims"] == {"made": 3, "refused": {}}
    assert report["figures"]["by_outcome"] == {"": 2, "x": 1}
    assert report["hints"] == []


def test_the_answers_of_new_york_are_no_hint(tmp_path: Path) -> None:
    header = (
        "Business Name,Complaint Type,Mediation Start Date,Mediation Close Date,Complaint Result,Satisfaction,Restitution,Business State"
    )
    report = replayed(tmp_path, "nyc_complaints", f"{header}\nACME,B02,04/01/2016,04/04/2016,Cash,NA,0.00,NY\n")
    assert report["hints"] == []
    assert report["figures"]["satisfaction"]["not_answered"] == 1
