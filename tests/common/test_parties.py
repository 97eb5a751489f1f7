"""The organisation over time: any order of arrival ends the same, and each answer is that of whoever looks at every member."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.counted import counted

from common.contracts.claims.appraisal import OrgMember
from common.contracts.event import Envelope
from common.contracts.org import OrganisationChanged, change_of, events_of
from common.kernel.errors import Refused, TooEarly
from common.kernel.parties import Change, Kind, Organisation
from common.kernel.staff import Member, Staff

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)


def on(day: int) -> datetime:
    return NEW_YEAR + day * DAY


def person(number: str, superior: str | None = None, level: str = "specialist", team: str = "t1") -> Member:
    return Member(number, level, "service", team, superior, level)


DIRECTOR = Member("D1", "sales_director", "sales", "office", None)
MANAGER, SUPERVISOR = person("M1", "D1", "manager"), person("B1", "M1", "supervisor")
ONE, OTHER = person("S1", "B1"), person("S2", "B1")


def described(day: int, *members: Member, org: str = "hq", id: str = "", known: int = 0) -> Change:
    return Change(id or f"described-{org}-{day}", org, Kind.DESCRIBED, on(day), on(known or day), members)


def joined(day: int, member: Member, org: str = "hq", known: int = 0) -> Change:
    return Change(f"joined-{member.employee_id}-{day}", org, Kind.JOINED, on(day), on(known or day), (member,))


def transferred(day: int, member: Member, org: str = "hq", known: int = 0) -> Change:
    return Change(f"transferred-{member.employee_id}-{day}", org, Kind.TRANSFERRED, on(day), on(known or day), (member,))


def left(day: int, number: str, org: str = "hq", known: int = 0) -> Change:
    return Change(f"left-{number}-{day}", org, Kind.LEFT, on(day), on(known or day), leaver=number)


def after(*changes: Change) -> Organisation:
    return Organisation.of(changes)


def numbers(members: Iterable[Member]) -> list[str]:
    return [one.employee_id for one in members]


EVERYBODY = described(1, DIRECTOR, MANAGER, SUPERVISOR, ONE, OTHER)


def test_who_joins_leaves_and_is_transferred_is_where_they_were_at_each_instant() -> None:
    hired, moved = person("S3", "B1"), replace(ONE, team="t2", post="packing_specialist", section="logistics", region="华东")
    found = after(left(9, "S2"), transferred(7, moved), joined(5, hired), EVERYBODY)
    assert found.at(on(1) - MICROSECOND) == Staff()
    assert numbers(found.at(on(1)).members) == ["B1", "D1", "M1", "S1", "S2"]
    assert numbers(found.before(on(5)).members) == ["B1", "D1", "M1", "S1", "S2"]
    assert found.at(on(5)).find("S3") == hired
    assert (found.before(on(7)).find("S1"), found.at(on(7)).find("S1")) == (ONE, moved)
    assert found.at(on(8)).find("S2") == OTHER
    assert found.at(on(9)).find("S2") is None


def test_the_next_picture_says_everything_anew() -> None:
    found = after(EVERYBODY, joined(5, person("S3", "B1")), described(8, DIRECTOR, MANAGER))
    assert numbers(found.at(on(7)).members) == ["B1", "D1", "M1", "S1", "S2", "S3"]
    assert numbers(found.at(on(8)).members) == ["D1", "M1"]


def test_of_two_pictures_of_one_instant_the_one_that_was_recorded_later_corrects_the_other() -> None:
    wrong, right = described(1, DIRECTOR, id="b"), described(1, DIRECTOR, MANAGER, id="a", known=2)
    assert numbers(after(right, wrong).at(on(1)).members) == ["D1", "M1"]
    assert numbers(after(right, wrong).as_of(on(1)).at(on(1)).members) == ["D1"]


def test_a_picture_counts_when_all_its_parts_are_there_in_whatever_order_they_come() -> None:
    first = replace(described(5, DIRECTOR, id="big"), parts=2)
    second = replace(described(5, MANAGER, id="big"), part=2, parts=2)
    half = after(described(1, ONE), second)
    assert numbers(half.at(on(5)).members) == ["S1"]
    assert numbers(half.with_some([first]).at(on(5)).members) == ["D1", "M1"]
    assert half.with_some([first]).unfinished == ()


def test_each_organisation_is_described_by_itself_and_who_stands_in_two_is_where_the_later_word_has_them() -> None:
    north = described(1, person("B1", level="supervisor"), person("S1", "B1"), org="north")
    south = described(3, person("B2", level="supervisor"), person("S1", "B2"), org="south")
    back = transferred(6, person("S1", "B1", team="t9"), org="north")
    found = after(back, south, north, left(8, "S1", org="north"))
    assert [one.superior for day in (2, 3, 6, 8) if (one := found.at(on(day)).find("S1")) is not None] == ["B1", "B2", "B1", "B2"]
    assert numbers(found.at(on(9)).members) == ["B1", "B2", "S1"]
    at_once = after(north, replace(south, effective_at=on(1)))
    assert at_once.at(on(1)).find("S1") == person("S1", "B2"), "of two words of one instant that of the organisation named later counts"


def test_what_was_known_as_of_an_instant_leaves_out_what_was_recorded_later() -> None:
    found = after(EVERYBODY, left(3, "S2", known=20), joined(4, person("S3", "B1"), known=10))
    assert numbers(found.as_of(on(9)).at(on(30)).members) == ["B1", "D1", "M1", "S1", "S2"]
    assert numbers(found.as_of(on(10)).at(on(30)).members) == ["B1", "D1", "M1", "S1", "S2", "S3"]
    assert found.as_of(on(20)) is found


def test_an_organisation_that_was_asked_is_the_same_as_one_that_was_not_and_keeps_sixteen_pictures_at_most() -> None:
    changes = [EVERYBODY, *(joined(day, person(f"S{day}", "B1")) for day in range(3, 43))]
    asked, other = after(*changes), after(*changes)
    kept = [(len(asked.at(on(day)).members), len(asked._staff), asked.as_of(on(day)).changes, len(asked._known)) for day in range(3, 43)]
    assert [members for members, *_ in kept] == list(range(6, 46))
    assert (max(staff for _, staff, *_ in kept), max(known for *_, known in kept)) == (16, 16)
    assert asked == other


def test_a_picture_with_a_circle_that_nobody_has_refused_holds_up_nobody() -> None:
    circle = after(described(1, person("S1", "S2"), person("S2", "S1"), DIRECTOR))
    assert circle.judge(transferred(2, replace(DIRECTOR, superior="S1"))) is None


WAITS: dict[str, tuple[Sequence[Change], Change, str]] = {
    "a change before any picture": ([], left(2, "S1"), "described"),
    "a change before the first picture": ([described(3, DIRECTOR)], left(2, "D1"), "described"),
    "who joins while a member": ([EVERYBODY], joined(2, ONE), "member_left"),
    "who leaves without being a member": ([EVERYBODY], left(2, "S9"), "member_joined"),
    "who is transferred without being a member": ([EVERYBODY], transferred(2, person("S9", "B1")), "member_joined"),
    "who joins below nobody's number": ([EVERYBODY], joined(2, person("S9", "B9")), "superior"),
    "who is transferred below those whom they lead": ([EVERYBODY], transferred(2, replace(MANAGER, superior="S1")), "superior"),
    "who joins before the superior does": ([EVERYBODY, joined(4, person("B9", "M1"))], joined(3, person("S9", "B9")), "superior"),
}


@pytest.mark.parametrize("case", WAITS)
def test_what_an_earlier_change_can_still_make_right_waits_for_it(case: str) -> None:
    known, change, missing = WAITS[case]
    assert after(*known).judge(change) == TooEarly(missing)


REFUSED: dict[str, tuple[Change, Refused]] = {
    "a number twice": (described(1, DIRECTOR, MANAGER, ONE, ONE), Refused("one_entry_a_person", field="members")),
    "a superior who is not in the picture": (described(1, ONE), Refused("superior_is_a_member", field="members")),
    "a circle": (
        described(1, person("M1", "B1"), person("B1", "S1"), person("S1", "M1")),
        Refused("nobody_is_above_themselves", field="members"),
    ),
    "who is their own superior": (joined(2, person("S9", "S9")), Refused("nobody_is_above_themselves", field="member.superior")),
    "who becomes their own superior": (transferred(2, person("S1", "S1")), Refused("nobody_is_above_themselves", field="member.superior")),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_nothing_could_make_right_is_refused_whatever_else_is_known(case: str) -> None:
    change, refused = REFUSED[case]
    assert after().judge(change) == after(EVERYBODY).judge(change) == refused


def published(change: Change) -> list[OrganisationChanged]:
    """The events of a change as other services read them."""
    envelope = Envelope("e1", "/aftersales/appraisal", "", change.org_id, change.effective_at, change.recorded_at)
    return [event.in_envelope(envelope) for event in events_of(change)]


FULL = Member("S9", "packing_specialist", "service", "t1", "B1", "specialist", "logistics", "华东", ("dispatcher", "hr"))


@pytest.mark.parametrize(
    "change", [EVERYBODY, joined(5, FULL, known=6), transferred(5, FULL), left(5, "S1", known=7)], ids=lambda change: change.kind.name
)
def test_another_service_reads_the_change_that_was_published(change: Change) -> None:
    assert [change_of(event) for event in published(change)] == [change]


@pytest.mark.parametrize(("members", "lots"), [(79, [79]), (80, [80]), (81, [80, 1]), (161, [80, 80, 1])])
def test_a_picture_of_more_than_eighty_is_published_in_parts_which_are_the_picture_again(members: int, lots: list[int]) -> None:
    picture = described(5, *(person(f"S{number:03}") for number in range(members)), known=6)
    parts = [change_of(event) for event in published(picture)]
    assert [(one.part, one.parts, len(one.members)) for one in parts] == [(n, len(lots), size) for n, size in enumerate(lots, 1)]
    assert after(*reversed(parts)).changes == (picture,)
    assert after(*parts[1:]).changes == ()


def test_a_post_that_is_called_after_a_level_has_it_unless_another_is_named() -> None:
    named = {"employee_id": "E1", "department": "service", "team": "t1"}
    posts = [{"post": "manager"}, {"post": "manager", "level": "supervisor"}, {"post": "sales_director"}]
    assert [OrgMember.model_validate({**named, **post}).member().level for post in posts] == ["manager", "supervisor", ""]


def test_who_left_may_join_again_and_a_vacant_post_has_nobody_above_it() -> None:
    gone = after(EVERYBODY, left(2, "B1"))
    assert gone.judge(joined(3, replace(SUPERVISOR, team="t7"))) is None
    staff = gone.at(on(2))
    assert staff.superior_of(ONE) is None
    assert staff.raters_of(ONE) == {"superior": (), "peer": ("S2",)}


def test_who_has_left_still_counts_for_whoever_led_them_and_is_known_but_is_no_member_and_nobodys_rater() -> None:
    joins_again = after(EVERYBODY, left(2, "S1"), left(3, "B1"), joined(5, replace(ONE, superior="M1")))
    staff = joins_again.at(on(3))
    assert sorted(staff.charged_with(MANAGER)) == ["B1", "M1", "S1", "S2"]
    assert sorted(staff.charged_with(DIRECTOR)) == ["B1", "D1", "M1", "S1", "S2"]
    assert (staff.find("S1"), staff.has_known("S1"), staff.has_known("S9")) == (None, True, False)
    assert staff.raters_of(OTHER) == {"superior": (), "peer": ()}
    assert staff.raters_of(MANAGER) == {"superior": ("D1",), "subordinate": ()}
    assert joins_again.before(on(2)).document_of(SUPERVISOR) != staff.document_of(SUPERVISOR), "one rater less"
    assert sorted(joins_again.at(on(5)).charged_with(MANAGER)) == ["B1", "M1", "S1", "S2"]
    assert sorted(after(EVERYBODY, described(4, DIRECTOR, MANAGER)).at(on(4)).charged_with(MANAGER)) == ["B1", "M1", "S1", "S2"]


def test_a_sales_director_is_above_the_manager_and_rates_them_and_is_rated_as_no_level_has_it() -> None:
    staff = after(EVERYBODY).at(on(1))
    assert staff.raters_of(MANAGER) == {"superior": ("D1",), "subordinate": ("B1",)}
    assert staff.raters_of(DIRECTOR) == {"superior": (), "peer": (), "subordinate": ("M1",)}
    assert staff.charged_with(DIRECTOR) == ("D1", "M1", "B1", "S1", "S2")


def test_a_role_is_held_by_whoever_has_it_or_has_the_post_of_that_name() -> None:
    hr = replace(person("H1"), post="hr_director", roles=("hr", "appraisal_committee"))
    staff = Staff((hr, replace(ONE, roles=("hr",)), OTHER))
    assert numbers(staff.holders("hr")) == ["H1", "S1"]
    assert numbers(staff.holders("hr_director", "appraisal_committee")) == ["H1"]
    assert staff.holders("general_manager") == ()


def test_specialists_of_the_same_level_section_and_team_are_peers_whatever_their_posts_are() -> None:
    packing = replace(ONE, employee_id="S3", post="packing_specialist")
    elsewhere = replace(ONE, employee_id="S4", section="hotline")
    assert Staff((ONE, OTHER, packing, elsewhere)).raters_of(ONE)["peer"] == ("S2", "S3")


def test_who_has_another_superior_is_no_peer() -> None:
    elsewhere = person("S3", "B2")
    staff = Staff((SUPERVISOR, person("B2", "M1", "supervisor"), ONE, OTHER, elsewhere))
    assert [staff.raters_of(one)["peer"] for one in (ONE, OTHER, elsewhere)] == [("S2",), ("S1",), ()]


def test_a_persons_own_part_does_not_change_with_the_rest_of_the_organisation() -> None:
    before, elsewhere = after(EVERYBODY).at(on(2)), after(EVERYBODY, joined(2, person("X1", "M1", "supervisor"))).at(on(2))
    assert before.document_of(ONE) == elsewhere.document_of(ONE)
    assert before.document_of(MANAGER) != elsewhere.document_of(MANAGER)
    assert before.document_of(ONE) != after(EVERYBODY, left(2, "S2")).at(on(2)).document_of(ONE)


# what HR may say: a few people, days and teams, so that changes meet each other
PEOPLE = ["P0", "P1", "P2", "P3", "P4"]
ROWS = st.builds(
    person,
    st.sampled_from(PEOPLE),
    st.one_of(st.none(), st.sampled_from(PEOPLE)),
    st.sampled_from(["manager", "supervisor", "specialist", ""]),
    st.sampled_from(["t1", "t2"]),
)
DAYS, ORGS = st.integers(1, 8), st.sampled_from(["north", "south"])
PICTURES = st.lists(ROWS, min_size=1, max_size=5, unique_by=lambda one: one.employee_id).map(
    lambda rows: tuple(replace(one, superior=one.superior if one.superior in numbers(rows) else None) for one in rows)
)
CHANGES = st.one_of(
    st.builds(lambda day, rows, org: described(day, *rows, org=org), DAYS, PICTURES, ORGS),
    st.builds(joined, DAYS, ROWS, ORGS),
    st.builds(transferred, DAYS, ROWS, ORGS),
    st.builds(left, DAYS, st.sampled_from(PEOPLE), ORGS),
)
HISTORIES = st.lists(CHANGES, max_size=12).map(
    lambda changes: [replace(one, id=str(number)) for number, one in enumerate(changes) if one.problem() is None]
)


def arrived(changes: Sequence[Change]) -> Organisation:
    """As the service takes changes in: what is too early waits, and is tried again, the earliest first, whenever another one was taken."""
    known, waiting = Organisation(), list[Change]()
    for change in changes:
        waiting.append(change)
        while (fits := next((one for one in sorted(waiting, key=lambda one: one.order) if known.judge(one) is None), None)) is not None:
            waiting.remove(fits)
            known = known.with_some([fits])
    return known


@counted(500, proof=5_000)
@given(HISTORIES, st.randoms())
def test_the_order_of_arrival_does_not_change_who_is_what_at_any_instant(history: list[Change], random: object) -> None:
    shuffled = list(history)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis types it as no Random
    first, second, at_once = arrived(history), arrived(shuffled), after(*history)
    for day in range(10):
        assert first.at(on(day)) == second.at(on(day)) == at_once.at(on(day))
        assert first.at(on(day)).former() == second.at(on(day)).former() == at_once.at(on(day)).former()


def charged(members: Sequence[Member], leader: Member) -> set[str]:
    """Everybody below a leader, found the slow way."""
    found = {leader.employee_id}
    while more := {one.employee_id for one in members if one.superior in found} - found:
        found |= more
    return found


def peers(members: Sequence[Member], member: Member) -> list[str]:
    """The peers of a person, found by comparing with everybody."""

    def is_peer(one: Member) -> bool:
        rank = one.level == member.level and (one.level != "" or one.post == member.post)
        place = (
            (one.section, one.team) == (member.section, member.team)
            if member.level == "specialist"
            else (one.department == member.department)
        )
        return one != member and rank and one.superior == member.superior and place

    return [one.employee_id for one in members if is_peer(one)]


@counted(500, proof=5_000)
@given(st.lists(ROWS, max_size=8, unique_by=lambda one: one.employee_id))
def test_the_index_answers_as_whoever_looks_at_every_member(rows: list[Member]) -> None:
    members = tuple(sorted(rows, key=lambda one: one.employee_id))
    staff = Staff(members)
    for one in members:
        everybody = {
            "superior": tuple(number for number in numbers(members) if number == one.superior),
            "peer": tuple(peers(members, one)),
            "subordinate": tuple(other.employee_id for other in members if other.superior == one.employee_id),
        }
        left_out = {"manager": "peer", "specialist": "subordinate"}.get(one.level)
        assert staff.raters_of(one) == {group: raters for group, raters in everybody.items() if group != left_out}
        assert set(staff.charged_with(one)) == charged(members, one)
        assert len(set(staff.charged_with(one))) == len(staff.charged_with(one))
        assert staff.find(one.employee_id) == one
