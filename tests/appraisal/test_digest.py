"""Canonical JSON by RFC 8785 for the kinds of value that we use, and digests that depend on nothing else."""

import hashlib
import json
from dataclasses import replace
from itertools import permutations
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.counted import counted

from appraisal.domain.digest import canonical_json, digest, grade_digest
from appraisal.domain.lots import KpiFact, lot_digest, subject_document
from common.kernel.documents import Plain

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.recursive(TEXT, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12)


def test_keys_stand_in_the_order_of_their_utf16_code_units() -> None:
    # The example of RFC 8785, section 3.2.3: by code point, U+FB33 would stand before U+1F600.
    unsorted: dict[str, Plain] = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    told = list(json.loads(canonical_json(unsorted)).values())
    assert told == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


def test_text_is_escaped_only_where_json_asks_for_it() -> None:
    # RFC 8785, section 3.2.2.2: the short escapes, \\u00xx in lower case for other controls, everything else as it is.
    assert canonical_json('\b\t\n\f\r"\\/\x00\x1f\x7f€良') == b'"\\b\\t\\n\\f\\r\\"\\\\/\\u0000\\u001f\x7f' + "€良".encode() + b'"'


def test_there_is_no_space_and_lists_keep_their_order() -> None:
    assert canonical_json({"b": ["2", "1"], "a": {}}) == b'{"a":{},"b":["2","1"]}'


@pytest.mark.parametrize("value", [1, 1.5, True, None, {"a": 1}, ["x", None], {1: "x"}])
def test_numbers_truths_and_null_are_refused_since_every_language_writes_them_differently(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_json(cast(Plain, value))


def test_half_of_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogate"):
        canonical_json({"\ud800": "x"})


@given(PLAIN)
@counted(200, proof=2_000)
def test_the_canonical_form_reads_back_as_the_same_value(value: Plain) -> None:
    assert json.loads(canonical_json(value)) == value


def test_a_digest_is_the_sha256_of_the_canonical_form() -> None:
    assert digest({"b": "2", "a": "1"}) == "sha256:" + hashlib.sha256(b'{"a":"1","b":"2"}').hexdigest()


FACTS = [
    KpiFact("f1", "e1", "solution", "C1", "employee:E1", 1, "1", "1", 1, ()),
    KpiFact("f2", "e2", "solution", "C2", "employee:E1", 2, "0", "1", 2, ("x",), {"team": "T1"}),
    KpiFact("f3", "e3", "solution", "C3", "employee:E1", 1, "1", "2", 3, ()),
]


def _of_lot(facts: "list[KpiFact]") -> str:
    return lot_digest("employee:E1", "solution", facts)


def test_facts_give_the_same_digest_in_whatever_order_they_came() -> None:
    assert len({_of_lot(list(order)) for order in permutations(FACTS)}) == 1


@pytest.mark.parametrize(
    "other",
    [{"key": "f9"}, {"revision": 3}, {"numerator": "1"}, {"denominator": "2"}, {"time": 4}, {"dimensions": {"team": "T2"}}],
    ids=str,
)
def test_another_id_revision_value_time_or_dimension_of_a_fact_is_another_digest(other: dict[str, Any]) -> None:
    assert _of_lot([FACTS[0], replace(FACTS[1], **other), FACTS[2]]) != _of_lot(FACTS)


def test_who_said_a_fact_is_no_part_of_the_digest() -> None:
    assert _of_lot([replace(FACTS[0], event_id="e9", source_event_ids=("y",)), *FACTS[1:]]) == _of_lot(FACTS)


PARTS: dict[str, Any] = {
    "facts": {"employee:E1": "sha256:f"}, "rated": {"superior": ["80"]}, "scheme": "s", "registry": "r", "calendar": "c", "org": "o"
}  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_each_part_that_a_grade_follows_from_is_part_of_its_digest(part: str) -> None:
    assert grade_digest(**{**PARTS, part: "another"}) != grade_digest(**PARTS)


def test_the_digest_of_known_parts_can_be_computed_by_hand() -> None:
    # A published grade must verify for ever, by anyone: whoever changes this text changes every digest that was published.
    def sha256(text: str) -> str:
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()

    lot = (
        '{"denominator":"1","dimensions":{},"id":"f1","numerator":"1","revision":"1","time":"1"},'
        '{"denominator":"1","dimensions":{"team":"T1"},"id":"f2","numerator":"0","revision":"2","time":"2"},'
        '{"denominator":"2","dimensions":{},"id":"f3","numerator":"1","revision":"1","time":"3"}'
    )
    assert _of_lot(FACTS) == sha256(f'{{"facts":[{lot}],"indicator":"solution","subject":"employee:E1"}}')
    assert digest(subject_document("employee:E1", {"solution": "x"})) == sha256('{"lots":{"solution":"x"},"subject":"employee:E1"}')
    facts, org, rated = sha256('{"employee:E1":"sha256:f"}'), sha256('"o"'), sha256('{"superior":["80"]}')
    assert grade_digest(**PARTS) == sha256(
        f'{{"calendar":"c","facts":"{facts}","org":"{org}","rated":"{rated}","registry":"r","scheme":"s"}}'
    )
