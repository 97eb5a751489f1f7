"""Which version of a reference document counts at an instant, whatever order it became known in."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from common.kernel.documents import Node
from common.kernel.faults import Fault
from common.kernel.reference import EVER, Document, Documents, Findings, Kind, Standing, rising

START = datetime.fromisoformat("2026-03-02T09:00:00+08:00")


def read_words(body: Mapping[str, Any]) -> tuple[str, ...]:
    if not isinstance(body.get("words"), list):
        raise Fault(("words",), "bad_value", "a list of words is expected")
    return tuple(body["words"])


WORDS = Kind("words", read_words)
CAREFUL = Kind("careful", read_words, needs_approval=True)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def document(version: int, effective: float, *words: str, kind: str = "words", standing: Standing = "issued") -> Document:
    body = {"words": list(words or (f"v{version}",))}
    return Document(kind, "standard", version, day(effective), body, f"{kind}-{version}-{standing}-{effective}", standing=standing)


SHIPPED = replace(document(1, 0, "shipped"), effective_at=EVER)


def test_the_newest_version_by_an_instant_counts_and_never_one_that_comes_after_a_higher_one() -> None:
    published = [SHIPPED, document(2, 10), document(4, 5), document(3, 7), document(5, 20)]
    for order in permutations(published):
        known = Documents([WORDS], order)
        found = [known.at(WORDS, day(at)) for at in (-9, 4.99, 5, 7, 10, 19, 20, 99)]
        assert found == [("shipped",), ("shipped",), ("v4",), ("v4",), ("v4",), ("v4",), ("v5",), ("v5",)]


def test_before_the_first_version_of_all_that_one_counts() -> None:
    known = Documents([WORDS], [document(3, 5), document(4, 9)])
    assert known.at(WORDS, day(-100)) == ("v3",)


def test_a_document_that_was_never_published_is_asked_for_in_vain() -> None:
    with pytest.raises(LookupError, match="words/standard"):
        Documents([WORDS]).at(WORDS, START)
    with pytest.raises(LookupError, match="words/shop"):
        Documents([WORDS], [SHIPPED]).at(WORDS, START, name="shop")


APPROVALS = [
    replace(SHIPPED, kind="careful", standing="approved"),
    document(2, 3, kind="careful", standing="draft"),
    document(2, 4, kind="careful"),
    document(2, 8, kind="careful", standing="approved"),
    document(2, 6, kind="careful", standing="approved"),
    document(3, 9, kind="careful"),
]


def test_an_unapproved_document_has_no_effect_until_it_is_approved_in_any_order_of_arrival() -> None:
    ends = set()
    for order in permutations(APPROVALS):
        known = Documents([CAREFUL])
        for one in (*order, order[0]):  # the first comes again
            known = known.with_one(one)
        ends.add(tuple(known.at(CAREFUL, day(at)) for at in (3, 4, 5.99, 6, 8, 9, 99)))
    assert ends == {(("shipped",), ("shipped",), ("shipped",), ("v2",), ("v2",), ("v2",), ("v2",))}


def test_where_no_approval_is_asked_for_the_first_record_that_is_no_draft_counts() -> None:
    as_plain = [replace(one, kind="words") for one in APPROVALS]
    for order in permutations(as_plain):
        known = Documents([WORDS], order)
        assert [known.at(WORDS, day(at)) for at in (3, 3.99, 4, 9)] == [("shipped",), ("shipped",), ("v2",), ("v3",)]


def test_a_document_that_cannot_be_read_is_an_error_for_whoever_asks_for_it_and_for_nobody_else() -> None:
    spoilt = replace(document(2, 5), body={"words": 5})
    known = Documents([WORDS], [SHIPPED, spoilt, document(3, 9)])
    assert known.at(WORDS, day(4)) == ("shipped",)
    with pytest.raises(LookupError, match="words/standard@2 cannot be read"):
        known.at(WORDS, day(5))
    assert known.at(WORDS, day(9)) == ("v3",)


def test_a_version_is_asked_for_with_the_number_under_which_it_is_controlled() -> None:
    known = Documents([WORDS], [SHIPPED, replace(document(2, 5), control={"number": "AS-7"})])
    version = known.version_at(WORDS, day(5))
    assert (version.document.ref, version.document.number, version.value) == ("words/standard@2", "AS-7", ("v2",))
    assert known.version_at(WORDS, day(4)).document.number == ""


def test_of_two_versions_of_one_instant_the_higher_counts() -> None:
    for order in permutations([SHIPPED, document(2, 5, "low"), document(3, 5, "high")]):
        known = Documents([WORDS], order)
        assert [one.document.version for one in known.in_force(WORDS)] == [1, 2, 3]
        assert known.at(WORDS, day(5)) == ("high",)


def test_what_comes_again_or_after_a_higher_version_does_not_rise() -> None:
    times = [day(number) for number in range(4)]
    assert rising([(times[2], 1, "again"), (times[1], 1, "first"), (times[3], 2, "second")]) == ("first", "second")
    assert rising([(times[1], 2, "high"), (times[2], 1, "low")]) == ("high",)
    assert rising([(times[1], 0, "only")]) == ("only",)
    assert rising(list[tuple[datetime, int, str]]()) == ()


def test_a_service_knows_which_kinds_names_and_versions_were_published() -> None:
    shop = replace(document(4, 1), name="shop")
    known = Documents([WORDS], [document(3, 5), shop, SHIPPED, document(2, 9, kind="other")])
    assert (known.kind("words"), known.kind("other")) == (WORDS, None)
    assert known.names(WORDS) == ["shop", "standard"]
    assert [known.newest("words", name) for name in ("standard", "shop", "nobody")] == [3, 4, 0]
    assert [one.document.version for one in known.versions(WORDS)] == [1, 3]
    assert known.published("words", "standard", 3) == (document(3, 5),)
    assert known.published("words", "standard", 2) == ()
    assert known.published("other", "standard", 2) == (document(2, 9, kind="other"),)
    assert known.at(WORDS, START, name="shop") == ("v4",)
    assert len(list(known)) == 4
    assert not SHIPPED.applies_to_open


def _read_all(body: Node, findings: Findings) -> list[str]:
    return findings.entries(body, "words", lambda node: node.text())


ALL = Kind.collected("all", _read_all, presets="somewhere")


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({"words": {"a": "x", "b": "y"}}, []),
        ({"words": {"a": 1, "b": "y", "c": 2}}, [("words.a", "bad_value"), ("words.c", "bad_value")]),
        ({"words": {"a": 1}, "more": 1}, [("more", "unknown_field"), ("words.a", "bad_value")]),
        ({"words": [1]}, [("words", "bad_value")]),
        ({}, [("words", "missing_field")]),
    ],
)
def test_a_reader_that_goes_on_after_a_fault_finds_them_all_and_refuses_by_the_first(body: Any, faults: list[tuple[str, str]]) -> None:
    assert ALL.faults is not None
    assert [(fault.field, fault.rule) for fault in ALL.faults(body)] == faults
    if faults:
        with pytest.raises(Fault) as refused:
            ALL.parse(body)
        assert (refused.value.field, refused.value.rule) == faults[0]
    else:
        assert ALL.parse(body) == ["x", "y"]


def test_the_head_of_a_file_belongs_to_the_body_where_the_kind_says_so() -> None:
    file = {"kind": "words", "name": "n", "version": 1, "words": []}
    assert WORDS.body_of(file) == {"words": []}
    assert Kind("words", read_words, named_by="name").body_of(file) == file
    assert (ALL.name, ALL.presets, ALL.needs_approval) == ("all", "somewhere", False)


def test_a_version_that_is_staged_leaves_the_documents_before_it_as_they_were() -> None:
    before = Documents([WORDS], [SHIPPED])
    first, second = before.with_one(document(2, 5, "one")), before.with_one(document(2, 5, "other"))
    assert [known.at(WORDS, day(5)) for known in (first, second, before)] == [("one",), ("other",), ("shipped",)]
