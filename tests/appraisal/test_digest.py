"""Canonical JSON by RFC 8785 for the kinds of value that we use, and digests that depend on nothing else."""

import hashlib
import json
from itertools import permutations
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.counted import counted

from appraisal.domain.digest import Fact, Plain, canonical_json, digest, grade_digest

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


def _a_digest(facts: "list[Fact]", **changed: str) -> str:
    parts = {"scheme": "s", "registry": "r", "calendar": "c", "tzdata": "2026.6", "org": "o"} | changed
    return grade_digest(
        facts=facts,
        scheme=parts["scheme"],
        registry=parts["registry"],
        calendar=parts["calendar"],
        tzdata=parts["tzdata"],
        org=parts["org"],
    )


FACTS = [
    Fact("f1", 1, {"numerator": "1", "denominator": "1"}, "2026-07-01T01:00:00+00:00"),
    Fact("f2", 2, {"numerator": "0", "denominator": "1"}, "2026-07-02T01:00:00+00:00"),
    Fact("f3", 1, {"numerator": "1", "denominator": "2"}, "2026-07-03T01:00:00+00:00"),
]


def test_facts_give_the_same_digest_in_whatever_order_they_came() -> None:
    assert len({_a_digest(list(order)) for order in permutations(FACTS)}) == 1


@pytest.mark.parametrize(
    "other",
    [
        Fact("f9", 2, {"numerator": "0", "denominator": "1"}, "2026-07-02T01:00:00+00:00"),
        Fact("f2", 3, {"numerator": "0", "denominator": "1"}, "2026-07-02T01:00:00+00:00"),
        Fact("f2", 2, {"numerator": "1", "denominator": "1"}, "2026-07-02T01:00:00+00:00"),
        Fact("f2", 2, {"numerator": "0", "denominator": "1"}, "2026-07-02T01:00:01+00:00"),
    ],
)
def test_another_id_revision_value_or_time_of_a_fact_is_another_digest(other: Fact) -> None:
    assert _a_digest([FACTS[0], other, FACTS[2]]) != _a_digest(FACTS)


@pytest.mark.parametrize("part", ["scheme", "registry", "calendar", "tzdata", "org"])
def test_each_rule_that_a_grade_follows_is_part_of_its_digest(part: str) -> None:
    assert _a_digest(FACTS, **{part: "another"}) != _a_digest(FACTS)


def test_the_digest_of_known_parts_can_be_computed_by_hand() -> None:
    # A published grade must verify for ever, by anyone: whoever changes this text changes every digest that was published.
    def sha256(text: str) -> str:
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()

    facts = (
        '{"id":"f1","revision":"1","time":"2026-07-01T01:00:00+00:00","values":{"denominator":"1","numerator":"1"}},'
        '{"id":"f2","revision":"2","time":"2026-07-02T01:00:00+00:00","values":{"denominator":"1","numerator":"0"}},'
        '{"id":"f3","revision":"1","time":"2026-07-03T01:00:00+00:00","values":{"denominator":"2","numerator":"1"}}'
    )
    calendar = sha256('{"calendar":"c","tzdata":"2026.6"}')
    registry, org, scheme = (sha256(f'"{part}"') for part in "ros")
    assert _a_digest(FACTS) == sha256(
        f'{{"calendar":"{calendar}","facts":[{facts}],"org":"{org}","registry":"{registry}","scheme":"{scheme}"}}'
    )
