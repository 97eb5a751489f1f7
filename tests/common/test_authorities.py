"""Who may say what: roles under whichever of their words, who must not decide for themselves, and who named nobody."""

from collections.abc import Mapping
from typing import Any

import pytest

from common.kernel.authorities import AUTHORITIES, ROLE_ALIASES, Authorities, Authority, RoleAliases
from common.kernel.errors import Refused
from common.kernel.faults import Fault
from common.kernel.staff import Member, Staff
from common.store.documents import presets_of

HR = Member("H1", "hr_specialist", "admin", "t1", None, roles=("行政部",))
DIRECTOR = Member("D1", "sales_director", "sales", "t1", None)
NOBODY_SPECIAL = Member("S1", "specialist", "service", "t1", None, "specialist")
STAFF = Staff((DIRECTOR, HR, NOBODY_SPECIAL))
ALIASES = RoleAliases({"行政部": "hr", "人力资源部": "hr", "销售总监": "sales_director", "sales_director": "sales_director"})


def judged(authority: Authority, staff: Staff = STAFF, **fields: str) -> Refused | None:
    return authority.judge(fields.get, staff, ALIASES)


@pytest.mark.parametrize("role", ["hr", "行政部", "人力资源部"])
def test_a_role_is_one_under_all_its_words(role: str) -> None:
    assert judged(Authority(roles=(role,)), by="H1") is None
    assert ALIASES.holders(STAFF, role) == (HR,)


def test_whoever_does_not_hold_the_role_is_told_what_was_expected() -> None:
    asked = Authority(roles=("hr", "general_manager"))
    assert judged(asked, by="S1") == Refused("not_authorised", was="specialist; expected: hr, general_manager", field="by")
    assert judged(asked, by="X9") == Refused("not_authorised", was="nobody who is known; expected: hr, general_manager", field="by")


def test_where_no_document_says_anything_each_word_means_itself_and_nothing_is_asked() -> None:
    assert RoleAliases().role("行政部") == "行政部"
    assert RoleAliases().holders(STAFF, "行政部") == (HR,)
    assert Authorities().claims == {}
    assert judged(Authority(), by="S1") is None


def test_what_was_expected_is_cut_to_what_a_refusal_has_room_for() -> None:
    refused = judged(Authority(roles=tuple(f"role_{number}" for number in range(99))), by="S1")
    assert refused is not None
    assert refused.was.startswith("specialist; expected: role_0, role_1, ")
    assert len(refused.was) == 256


def test_a_post_is_a_role_of_whoever_holds_it() -> None:
    assert judged(Authority(roles=("sales_director",)), by="D1") is None
    assert judged(Authority(by="appraiser", roles=("sales_director",)), appraiser="S1", by="D1") is not None


def test_nobody_decides_for_themselves_where_the_document_says_so() -> None:
    asked = Authority(by="appraiser", other_than=("appraisee",))
    assert judged(asked, appraiser="S1", appraisee="S1") == Refused("not_the_one_concerned", was="appraisee", field="appraiser")
    assert judged(asked, appraiser="S1", appraisee="D1") is None
    assert judged(asked, appraiser="X9", appraisee="D1") is None, "a stranger is refused only where a role is asked for"


def test_a_claim_that_names_nobody_comes_from_a_system_unless_a_person_is_required() -> None:
    assert judged(Authority(roles=("hr",))) is None
    assert judged(Authority(roles=("hr",), other_than=("appraisee",))) is None
    assert judged(Authority(required=True)) == Refused("not_authorised", was="nobody who is known; expected: a person", field="by")
    assert judged(Authority(required=True), by="X9") is None


def test_nothing_is_asked_where_nobody_ever_described_an_organisation() -> None:
    assert judged(Authority(roles=("hr",), required=True), Staff(), by="S1") is None


def test_what_ships_asks_for_hr_where_a_person_closes_a_cycle_and_for_nothing_else() -> None:
    [authorities], [aliases] = presets_of(AUTHORITIES), presets_of(ROLE_ALIASES)
    assert AUTHORITIES.parse(authorities.body).claims == {"cycle.close_requested": Authority(roles=("hr",))}
    found = ROLE_ALIASES.parse(aliases.body)
    assert {found.role(word) for word in ("人力资源部", "人力行政中心", "行政部")} == {"hr"}
    assert found.role("人力资源总监") == "hr_director"
    assert found.role("dispatcher") == "dispatcher"


WRONG: dict[str, tuple[Mapping[str, Any], str, str]] = {
    "no claims": ({}, "claims", "missing_field"),
    "another field": ({"claims": {}, "roles": []}, "roles", "unknown_field"),
    "claims that are none": ({"claims": []}, "claims", "bad_value"),
    "a field that is unknown": ({"claims": {"x": {"role": ["hr"]}}}, "claims.x.role", "unknown_field"),
    "nothing asked": ({"claims": {"x": {"by": "by"}}}, "claims.x", "nothing_asked"),
    "roles that are no list": ({"claims": {"x": {"roles": "hr"}}}, "claims.x.roles", "bad_value"),
    "a role that is no text": ({"claims": {"x": {"roles": [1]}}}, "claims.x.roles[0]", "bad_value"),
    "a flag that is none": ({"claims": {"x": {"required": "yes"}}}, "claims.x.required", "bad_value"),
}


@pytest.mark.parametrize("what", WRONG)
def test_authorities_that_cannot_be_read_are_refused_with_their_place(what: str) -> None:
    body, place, rule = WRONG[what]
    with pytest.raises(Fault) as fault:
        AUTHORITIES.parse(body)
    assert (fault.value.field, fault.value.rule) == (place, rule)


@pytest.mark.parametrize("roles", [{"hr": ["行政部"], "admin": ["行政部"]}, {"hr": ["admin"], "admin": []}, {"hr": ["行政部", "行政部"]}])
def test_a_word_that_would_mean_two_roles_is_refused(roles: Mapping[str, Any]) -> None:
    with pytest.raises(Fault) as fault:
        ROLE_ALIASES.parse({"roles": roles})
    assert fault.value.rule == "twice"


def test_authorities_say_field_roles_and_whom_they_keep_out() -> None:
    body = {"claims": {"rating.given": {"by": "appraiser", "roles": ["manager"], "other_than": ["appraisee"], "required": True}}}
    assert AUTHORITIES.parse(body).claims == {"rating.given": Authority("appraiser", ("manager",), ("appraisee",), required=True)}


def test_all_that_is_wrong_is_found_at_once() -> None:
    assert AUTHORITIES.faults is not None
    assert ROLE_ALIASES.faults is not None
    wrong = {"claims": {"x": {"role": ["hr"]}, "y": {}, "z": {"roles": [1]}}}
    assert [fault.rule for fault in AUTHORITIES.faults(wrong)] == ["unknown_field", "nothing_asked", "bad_value"]
    assert [fault.field for fault in ROLE_ALIASES.faults({"roles": {"hr": ["b", "b", 1], "b": 2}})] == [
        "roles.hr[0]",
        "roles.hr[1]",
        "roles.hr[2]",
        "roles.b",
    ]
