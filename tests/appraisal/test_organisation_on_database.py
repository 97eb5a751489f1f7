"""HR's word about organisations, through appraisal and on to another service: the same people everywhere, in whatever order it comes."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from itertools import permutations
from random import Random
from secrets import token_hex

import pytest
from tests.appraisal.department import (
    END_OF_Q3,
    MANAGER,
    NEW_YEAR,
    ONE,
    OTHER,
    SUPERVISOR,
    close,
    figure,
    grades,
    member,
    time_passes,
)
from tests.harness import ServiceOnDatabase, claim, service_on

from appraisal.domain.org import DescribedOrganisation
from common.contracts.claims.appraisal import OrgDescribed, OrgMember, OrgMemberJoined, OrgMemberLeft, OrgMemberTransferred
from common.contracts.cycles import CycleClosed
from common.contracts.envelope import Record
from common.contracts.event import Event
from common.contracts.org import OrganisationDescribed, OrganisationMemberJoined, OrgClaimRejected
from common.kernel.parties import Organisation
from common.store import parties
from common.store.database import Database
from devstack import Stack

pytestmark = pytest.mark.real

DAY = timedelta(days=1)
HIRED = OrgMember(
    employee_id="S3",
    post="packing_specialist",
    level="specialist",
    department="service",
    section="logistics",
    team="t1",
    region="华东",
    roles=["dispatcher", "行政部"],
    superior="B1",
)
DIRECTOR = OrgMember(employee_id="D1", post="sales_director", department="sales", team="office")


@pytest.fixture
async def appraisal(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("appraisal", database) as service:
        yield service


@pytest.fixture
async def elsewhere(stack: Stack) -> str:
    """The URL of an empty database for another service."""
    created = Database(stack.database_url, f"elsewhere_{token_hex(6)}")
    await created.create_if_missing()
    await created.close()
    return stack.url_of(created.name)


def on(day: int) -> datetime:
    return NEW_YEAR + day * DAY


def described(*members: OrgMember, day: int = 0, org_id: str = "hq") -> Record:
    return claim(OrgDescribed(org_id=org_id, members=list(members)), on(day))


def joined(day: int, one: OrgMember, org_id: str = "hq") -> Record:
    return claim(OrgMemberJoined(org_id=org_id, member=one), on(day))


def transferred(day: int, one: OrgMember, org_id: str = "hq") -> Record:
    return claim(OrgMemberTransferred(org_id=org_id, member=one), on(day))


def left(day: int, number: str, org_id: str = "hq") -> Record:
    return claim(OrgMemberLeft(org_id=org_id, employee_id=number), on(day))


async def known_to(service: ServiceOnDatabase) -> Organisation:
    """The organisation as the service's own database has it."""
    async with service.database.transaction() as connection:
        return await parties.read(connection)


async def people(service: ServiceOnDatabase, day: int) -> dict[str, str | None]:
    """Who is a member on a day, and below whom."""
    return {one.employee_id: one.superior for one in (await known_to(service)).at(on(day)).members}


async def decisions(service: ServiceOnDatabase) -> list[Event]:
    """What appraisal has published about organisations."""
    return [event for event in await service.all_published() if event.TOPIC == "organisations"]


EVERYBODY = described(MANAGER, SUPERVISOR, ONE)


def changes_of(org_id: str) -> list[Record]:
    """Somebody joins an organisation, is transferred, leaves and joins again."""
    below_manager = HIRED.model_copy(update={"superior": "M1"})
    picture = described(MANAGER, SUPERVISOR, ONE, org_id=org_id)
    return [
        picture,
        joined(2, HIRED, org_id),
        transferred(4, below_manager, org_id),
        left(6, "S3", org_id),
        joined(8, HIRED, org_id),
    ]


async def test_an_open_post_keeps_section_region_and_roles_and_has_a_level_only_where_one_is_named(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([described(DIRECTOR, member("M1", "manager", "D1"), SUPERVISOR), joined(2, HIRED)])
    staff = (await known_to(appraisal)).at(on(2))
    found, manager, director = staff.find("S3"), staff.find("M1"), staff.find("D1")
    assert found is not None
    assert manager is not None
    assert director is not None
    assert (found.post, found.level, found.section, found.region) == ("packing_specialist", "specialist", "logistics", "华东")
    assert found.roles == ("dispatcher", "行政部")
    assert (manager.level, director.level) == ("manager", "")
    assert staff.raters_of(manager) == {"superior": ("D1",), "subordinate": ("B1",)}


async def test_whatever_the_order_in_which_hr_is_heard_the_organisation_ends_the_same(appraisal: ServiceOnDatabase) -> None:
    """Each of some orders is that of another organisation."""
    orders = list(permutations(range(5)))
    Random(13).shuffle(orders)
    for number, order in enumerate(orders[:24]):
        changes = changes_of(f"hq-{number}")
        await appraisal.apply([changes[place] for place in (*order, order[0])], at_once=number % 3 + 1)
    assert await appraisal.rows("SELECT * FROM waiting") == []
    assert await appraisal.published(OrgClaimRejected) == []
    organisation = await known_to(appraisal)
    for number, order in enumerate(orders[:24]):
        own = Organisation.of(one for one in organisation.changes if one.org_id == f"hq-{number}")
        found = [[(one.employee_id, one.superior) for one in own.at(on(day)).members] for day in (1, 2, 4, 6, 8)]
        before = [("B1", "M1"), ("M1", None), ("S1", "B1")]
        assert found == [before, [*before, ("S3", "B1")], [*before, ("S3", "M1")], before, [*before, ("S3", "B1")]], order


async def test_who_joins_twice_waits_until_it_is_known_that_they_had_left(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([EVERYBODY, joined(2, HIRED), joined(8, HIRED)])
    assert [row["missing"] for row in await appraisal.rows("SELECT missing FROM waiting")] == ["member_left"]
    await appraisal.apply([left(6, "S3")])
    assert await appraisal.rows("SELECT missing FROM waiting") == []
    assert [event.effective_at for event in await appraisal.published(OrganisationMemberJoined)] == [on(2), on(8)]


async def test_who_leaves_an_organisation_that_nobody_described_waits_for_its_picture(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([left(2, "S1")])
    assert await known_to(appraisal) == Organisation()
    await appraisal.apply([EVERYBODY])
    assert await people(appraisal, 2) == {"M1": None, "B1": "M1"}


async def test_two_organisations_are_described_apart_and_who_stands_in_both_is_where_the_later_word_has_them(
    appraisal: ServiceOnDatabase,
) -> None:
    await appraisal.apply([joined(3, member("S1", "specialist", "B9"), "south"), EVERYBODY])
    assert (await people(appraisal, 3))["S1"] == "B1"
    await appraisal.apply([described(member("B9", "supervisor", None), day=1, org_id="south")])
    assert await people(appraisal, 3) == {"B1": "M1", "B9": None, "M1": None, "S1": "B9"}
    assert (await people(appraisal, 2))["S1"] == "B1"


@pytest.mark.parametrize("at_once", [1, 7, 200])
async def test_a_large_picture_is_published_in_parts_and_known_to_another_service_as_a_whole(
    elsewhere: str, appraisal: ServiceOnDatabase, at_once: int
) -> None:
    crowd = [member(f"E{number:04}", "specialist", "B1") for number in range(1_398)]
    await appraisal.apply([described(MANAGER, SUPERVISOR, *crowd), joined(2, HIRED), left(3, "E0007")])
    published = await decisions(appraisal)
    assert [event.part for event in published if isinstance(event, OrganisationDescribed)] == list(range(1, 19))
    async with service_on("dispatch", elsewhere) as dispatch:
        await dispatch.apply(_as_published(published), at_once=at_once)
        await dispatch.apply(_as_published(published)[:5])
        mine, theirs = await known_to(appraisal), await known_to(dispatch)
    assert theirs == mine
    assert len(theirs.at(on(1)).members) == 1_400
    assert theirs.at(on(3)).find("E0007") is None


def _as_published(events: Sequence[Event]) -> list[Record]:
    """The records in which another service gets what appraisal published."""
    return [claim(event, event.time, id=event.envelope.id, known=event.envelope.recorded_at - event.time) for event in events]


async def test_the_parts_of_a_picture_count_only_when_all_are_there(elsewhere: str, appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([described(MANAGER, SUPERVISOR, ONE, OTHER)])
    await appraisal.apply([described(*[member(f"E{number:04}", "specialist", None) for number in range(200)], day=5)])
    old, *parts = _as_published(await decisions(appraisal))
    assert len(parts) == 3
    async with service_on("intake", elsewhere) as intake:
        await intake.apply([old, parts[2], parts[0]], at_once=1)
        assert sorted(await people(intake, 5)) == ["B1", "M1", "S1", "S2"]
        await intake.apply([parts[1]])
        assert len(await people(intake, 5)) == 200


async def test_who_has_left_before_the_end_is_not_graded_and_their_cases_count_for_whoever_led_them(appraisal: ServiceOnDatabase) -> None:
    gone = claim(OrgMemberLeft(org_id="hq", employee_id="S1"), END_OF_Q3 - DAY)
    await appraisal.apply([described(MANAGER, SUPERVISOR, ONE, OTHER), gone, figure("S1", "0"), figure("S2"), figure("S9"), close()])
    await time_passes(appraisal)
    [closed] = await appraisal.published(CycleClosed)
    assert closed.unknown_subjects == ["employee:S9"]
    assert await grades(appraisal) == {"B1": "差", "M1": "差", "S2": "优"}, "one of two in time"


@pytest.mark.parametrize("days", [-1, 0, 1])
def test_an_organisation_is_known_since_its_earliest_picture_whichever_came_first(days: int) -> None:
    known = DescribedOrganisation("hq", NEW_YEAR)
    other = on(days)
    assert known.described(other) == DescribedOrganisation("hq", min(NEW_YEAR, other))
