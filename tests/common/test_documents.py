"""One reader asks each value for its shape; one fault says where it is wrong, which rule it breaks and what was expected."""

from collections.abc import Callable
from fractions import Fraction

import pytest

from common.kernel.documents import Node, by_rule
from common.kernel.faults import Fault, Where, place

WORDING = by_rule("bad_order")
ORDER = {"parts": [{"name": "belt", "number": 2, "weight": "1/3"}, {"name": "", "number": True, "urgent": "yes"}], "note": None}


def order() -> Node:
    return Node(ORDER, (), WORDING)


@pytest.mark.parametrize(
    ("where", "written"),
    [
        ((), ""),
        (("weekly_hours", "mon", 0), "weekly_hours.mon[0]"),
        (("events", 2, "target", "working_days"), "events[2].target.working_days"),
        ((0, "name"), "[0].name"),
        (("calendar", ""), "calendar."),
    ],
)
def test_the_way_to_a_value_is_written_as_answers_write_it(where: Where, written: str) -> None:
    assert place(where) == written
    assert Fault(where, "bad_value", "a text is expected").field == written


def test_a_fault_reads_as_line_place_and_what_was_expected() -> None:
    assert str(Fault(("rows", 4, "means"), "bad_mapping", "a text is expected", line=7)) == "line 7: rows[4].means: a text is expected"
    assert str(Fault((), "not_exact", "the denominator is zero")) == "the denominator is zero"


@pytest.mark.parametrize(
    ("read", "field", "rule", "what"),
    [
        (lambda: order().fields(known=("part", "note")), "parts", "unknown_field", "the nearest is part"),
        (lambda: order().fields(required=("parts", "customer")), "customer", "bad_order", "the field is missing"),
        (lambda: order().field("parts").fields(), "parts", "bad_order", "an object"),
        (lambda: order().items(), "", "bad_order", "a list"),
        (lambda: order().field("note").text(), "note", "bad_order", "a text"),
        (lambda: order().field("parts").items()[1].field("name").text(), "parts[1].name", "bad_order", "a text"),
        (lambda: order().field("parts").items()[0].field("name").one_of(("hose", "bolt")), "parts[0].name", "bad_value", "hose, bolt"),
        (lambda: order().field("parts").items()[1].field("number").integer(1, 9, "1 to 9"), "parts[1].number", "bad_order", "1 to 9"),
        (lambda: order().field("parts").items()[0].field("number").integer(3, 9, "3 to 9"), "parts[0].number", "bad_order", "3 to 9"),
        (lambda: order().field("parts").items()[1].field("urgent").flag(), "parts[1].urgent", "bad_order", "true or false"),
        (lambda: order().field("parts").items()[1].field("number").number("bad_number"), "parts[1].number", "bad_number", "bool given"),
        (lambda: order().field("due").instant(), "due", "bad_instant", "RFC 3339"),
        (lambda: order().field("due").date(), "due", "bad_date", "a date like"),
    ],
)  # fmt: skip
def test_a_value_of_another_shape_is_refused_with_its_place_and_the_rule_of_its_kind(
    read: Callable[[], object], field: str, rule: str, what: str
) -> None:
    with pytest.raises(Fault, match=what) as refused:
        read()
    assert (refused.value.field, refused.value.rule) == (field, rule)


def test_a_value_of_its_shape_is_read_and_a_default_stands_for_what_is_not_there() -> None:
    first, _ = order().field("parts").items()
    assert (first.field("name").text(), first.field("number").integer(2, 2, "2"), first.field("weight").number()) == (
        "belt",
        2,
        Fraction(1, 3),
    )
    assert (order().field("note").text("none"), order().field("channel", "web").text()) == ("none", "web")
    assert ("note" in order(), "channel" in order()) == (True, False)
