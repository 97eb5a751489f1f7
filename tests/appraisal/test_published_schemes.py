"""A scheme that a company wrote for itself: published, approved, and used by the next close, without a restart."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from faststream.exceptions import NackMessage
from tests.appraisal.department import (
    IN_Q3,
    LATER,
    MANAGER,
    NEW_YEAR,
    ONE,
    SUPERVISOR,
    close,
    figure,
    grades,
    org,
    rating,
    stored,
    time_passes,
)
from tests.appraisal.test_registered_indicators import CHARM
from tests.harness import ServiceOnDatabase, activated, claim, read_documents_up_to, service_at, service_on

from appraisal import explain_command
from appraisal.domain.indicators import INDICATORS, registered
from appraisal.domain.inputs import differing
from appraisal.domain.scheme import scheme_from
from appraisal.presets import PRESETS, read_document
from appraisal.scheme_command import lint as lint_scheme
from common.contracts.claims.appraisal import CycleCloseRequested
from common.contracts.cycles import CycleClaimRejected, CycleClosed
from common.contracts.envelope import Record
from common.contracts.event import ClaimRejected
from common.contracts.ratings import RatingRecorded
from devstack import Stack
from ops.document_files import lint as lint_document
from ops.document_files import written_in
from ops.main import main

HOUSE = "house@3"
HOUSE_RULES: Mapping[str, Any] = {
    "id": "house",
    "version": 3,
    "name": {"zh": "店规", "en": "rules of the house"},
    "cycle": {"period": "quarter", "posts": {"specialist": "quarter"}},
    "scale": {"bands": [{"grade": "优", "en": "excellent", "from": 90, "to": 100}, {"grade": "差", "en": "poor", "from": 0, "to": 90}]},
    "sections": [
        {"id": "manners", "zh": "态度", "en": "manners", "weight": 60, "indicators": [{"id": "charm", "weight": 100}]},
        {
            "id": "ratings",
            "zh": "评分",
            "en": "ratings",
            "weight": 40,
            "raters": {"groups": ["superior"], "required": "superior", "when_missing": "refuse", "weights": [{"superior": 100}]},
        },
    ],
}
APPROVED: Mapping[str, Any] = {"author": "E1", "approver": "E2", "approved_on": NEW_YEAR.date()}
REGISTRY = claim(activated("indicator-registry", "standard", 1, {"indicators": {"charm": CHARM}}, NEW_YEAR), NEW_YEAR)


def scheme(at: datetime = NEW_YEAR, **control: Any) -> Record:
    """The company's own scheme is published; approved, unless something else is said of its control."""
    return claim(activated("scheme", "house", 3, HOUSE_RULES, at, **(control or APPROVED)), at)


WORK = (org(MANAGER, SUPERVISOR, ONE), rating("S1", "B1", "100", scheme=HOUSE), figure("S1", "9", "10", indicator="charm"))

KEPT = (
    *("documents", "inbox", "outbox", "organisations", "organisation_changes", "cycles", "ratings"),
    *("grades", "grade_inputs", "kpi_facts", "fact_lots"),
)


@pytest.fixture
async def appraisal(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("appraisal", database) as service:
        yield service


async def refusals(appraisal: ServiceOnDatabase) -> list[tuple[str, str]]:
    return [(one.rule, one.field) for one in await appraisal.all_published() if isinstance(one, ClaimRejected)]


async def end_of(appraisal: ServiceOnDatabase) -> list[dict[str, Any]]:
    """The grades as they stand: what they say, and their digests."""
    return await appraisal.rows("SELECT grade_key, version, grade, digest, document FROM grades ORDER BY grade_key, version")


@pytest.mark.real
async def test_a_close_grades_by_a_scheme_and_an_indicator_that_were_published_while_the_service_ran(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([close(scheme=HOUSE)])
    await appraisal.apply([REGISTRY, scheme()])
    await appraisal.apply([*WORK, close(scheme=HOUSE)])
    await appraisal.apply([close(scheme=HOUSE, as_of=LATER + timedelta(hours=1))])
    await time_passes(appraisal, rounds=8)
    assert await refusals(appraisal) == [("unknown_scheme", "scheme")]
    assert await grades(appraisal) == {"S1": "优"}  # 0.6 x 90 + 0.4 x 100 = 94
    assert [(one["version"], one["document"]["score_exact"]) for one in await end_of(appraisal)] == [(1, None)]
    graded = await stored(appraisal, "S1")
    assert (graded.inputs["score_exact"], graded.scheme is not None and graded.scheme.reference) == ("94", HOUSE)
    assert [one.scheme for one in await appraisal.published(CycleClosed)] == [HOUSE]


@pytest.mark.real
async def test_a_grade_verifies_by_what_it_was_graded_by_after_the_registry_has_another_version(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([REGISTRY, scheme()])
    await appraisal.apply([*WORK, close(scheme=HOUSE)])
    await time_passes(appraisal)
    registered = {"indicators": {"charm": {**CHARM, "zh": "微笑"}}}
    later = LATER + timedelta(hours=1)
    await appraisal.apply([claim(activated("indicator-registry", "standard", 2, registered, later), later)])
    await appraisal.apply([close(scheme=HOUSE, as_of=later + timedelta(hours=1))])
    await time_passes(appraisal)
    first, second = await stored(appraisal, "S1", version=1), await stored(appraisal, "S1", version=2)
    assert first.inputs["registry"] != second.inputs["registry"]
    assert (differing(first), differing(second)) == ([], [])


@pytest.mark.real
@pytest.mark.parametrize("control", [{"status": "in_force"}, {"status": "draft", **APPROVED}, {**APPROVED, "approver": "E1"}])
async def test_a_scheme_that_nobody_else_has_approved_grades_nobody_and_whoever_asks_is_told(
    appraisal: ServiceOnDatabase, control: Mapping[str, Any]
) -> None:
    await appraisal.apply([REGISTRY, scheme(**control)])
    await appraisal.apply([*WORK, close(scheme=HOUSE)])
    await time_passes(appraisal)
    assert await refusals(appraisal) == [("an_approved_scheme", "scheme")] * 2
    assert (await appraisal.rows("SELECT id FROM cycles"), await appraisal.published(RatingRecorded), await grades(appraisal)) == (
        [],
        [],
        {},
    )


@pytest.mark.real
async def test_a_scheme_counts_from_its_instant_on_for_ratings_and_for_closes(appraisal: ServiceOnDatabase) -> None:
    hour = timedelta(hours=1)
    await appraisal.apply([REGISTRY, scheme(IN_Q3)])
    await appraisal.apply([rating("S1", "B1", "90", scheme=HOUSE, at=IN_Q3 - hour), rating("S1", "B1", "90", scheme=HOUSE, at=IN_Q3)])
    assert (await refusals(appraisal), len(await appraisal.published(RatingRecorded))) == ([("unknown_scheme", "scheme")], 1)
    await appraisal.apply([claim(activated("scheme", "house", 4, {**HOUSE_RULES, "version": 4}, LATER, **APPROVED), LATER)])
    await appraisal.apply([close(scheme="house@4", as_of=LATER - hour), close(scheme="house@4"), close(scheme=HOUSE)])
    assert await refusals(appraisal) == [("unknown_scheme", "scheme")] * 2
    assert [row["id"] for row in await appraisal.rows("SELECT id FROM cycles ORDER BY id")] == ["2025Q3|house@3", "2025Q3|house@4"], (
        "who names a version means it, whether or not there is a higher one"
    )


@pytest.mark.real
async def test_records_of_a_scheme_in_any_order_late_and_twice_end_in_the_same_grades(database: str) -> None:
    """A close that comes before the documents waits for them."""
    ends = []
    approved, draft, claimed = scheme(), scheme(status="draft"), [*WORK, close(scheme=HOUSE)]
    async with service_on("appraisal", database) as appraisal:
        for documents in ([REGISTRY, draft, approved], [approved, approved, draft, REGISTRY, draft]):
            await read_documents_up_to(appraisal.database, appraisal.offsets.get("reference-documents", 0) + 1, service="appraisal")
            with pytest.raises(NackMessage):
                await appraisal.apply(claimed)
            await appraisal.apply(documents)
            await read_documents_up_to(appraisal.database, appraisal.offsets["reference-documents"], service="appraisal")
            await appraisal.apply(claimed)
            await time_passes(appraisal)
            assert await refusals(appraisal) == []
            ends.append(await end_of(appraisal))
            for table in KEPT:
                await appraisal.rows(f"WITH gone AS (DELETE FROM {table} RETURNING 1) SELECT count(*) FROM gone")
    assert ends[0] == ends[1]
    assert [one["grade"] for one in ends[0]] == ["优"]


@pytest.mark.real
async def test_a_scheme_that_cannot_be_read_parks_its_own_cycle_and_no_other(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([REGISTRY, scheme()])
    await appraisal.apply([*WORK, figure("S1"), close(scheme=HOUSE), close()])
    await appraisal.rows("UPDATE documents SET body = '{}' WHERE kind = 'scheme' RETURNING 1")
    appraisal.consumer.documents._last = None  # as after a start with a release that cannot read it
    await time_passes(appraisal)
    assert [row["aggregate"] for row in await appraisal.rows("SELECT aggregate FROM parked_keys")] == [f"cycles:2025Q3|{HOUSE}"]
    assert [one.scheme for one in await appraisal.published(CycleClosed)] == ["basic@1"]


@pytest.mark.real
async def test_explain_needs_no_name_where_one_published_scheme_has_outcomes(
    clean_stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    body = {**HOUSE_RULES, "outcomes": [{"outcome": "bonus", "grades": ["优"], "source": "house"}]}
    async with service_at("appraisal", clean_stack) as appraisal:
        await appraisal.apply([REGISTRY, claim(activated("scheme", "house", 3, body, NEW_YEAR, **APPROVED), NEW_YEAR)])
        await appraisal.apply([*WORK, figure("S1"), close(scheme=HOUSE), close()])
        await time_passes(appraisal)
    capsys.readouterr()
    words = ["S1", "--cycle", "2025Q3", "--json", "--verify", "--database", clean_stack.database_url]
    assert await asyncio.to_thread(explain_command.run, words) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["scheme"], told["digest_verified"]) == (HOUSE, True)


@pytest.mark.real
async def test_the_schemes_that_were_published_are_listed_and_shown_beside_those_that_ship(
    clean_stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    """How each stands, and as a file that could be handed in again."""
    waiting = claim(activated("scheme", "house", 5, {**HOUSE_RULES, "version": 5}, NEW_YEAR), NEW_YEAR)
    drafted = claim(activated("scheme", "house", 4, {**HOUSE_RULES, "version": 4}, NEW_YEAR, status="draft"), NEW_YEAR)
    async with service_at("appraisal", clean_stack) as appraisal:
        await appraisal.apply([scheme(), drafted, waiting])
    where = ["--database", clean_stack.database_url]

    async def said(*words: str) -> str:
        assert await asyncio.to_thread(main, ["scheme", *words, *where]) == 0
        return capsys.readouterr().out

    shipped, published = (await said("list")).splitlines()[:-3], (await said("list")).splitlines()[-3:]
    assert [line.split()[0] for line in shipped] == sorted(path.stem for path in PRESETS.glob("*.yaml"))
    assert [" ".join(line.split()) for line in published] == [
        f"house@3 店规 rules of the house; from {NEW_YEAR.isoformat()} on, approved by E2",
        "house@4 店规 rules of the house; draft",
        "house@5 店规 rules of the house; awaits approval",
    ]
    assert scheme_from(read_document(await said("show", HOUSE))).digest == scheme_from(HOUSE_RULES).digest
    assert scheme_from(read_document(await said("show", "house"))).reference == "house@5", "the highest version, without one"
    assert (await said("show", "basic")).startswith("# ")
    assert await asyncio.to_thread(main, ["scheme", "show", "house@9", *where]) == 1
    assert "house@5" in capsys.readouterr().err


def test_the_file_of_a_scheme_is_checked_as_a_document_too(tmp_path: Path) -> None:
    """What it says of indicators and posts of the enterprise's own, `scheme lint` asks for."""
    path = tmp_path / "house.yaml"
    path.write_text(json.dumps(HOUSE_RULES), "utf-8")
    assert lint_document(path) == []
    assert [one.rule for one in lint_scheme([path])] == ["unknown_indicator"]
    assert lint_scheme([path], registry=registered(INDICATORS.parse({"indicators": {"charm": CHARM}}))) == []
    wrong = {**HOUSE_RULES, "id": "basic", "version": 1, "scale": {"bands": [{"grade": "优", "en": "excellent", "from": 90, "to": 100}]}}
    path.write_text(json.dumps(wrong), "utf-8")
    assert [one.rule for one in lint_document(path)] == ["bands_cover", "shipped_already"]


def test_what_a_file_of_a_scheme_says_is_what_it_looks_like(tmp_path: Path) -> None:
    """No number is a binary float, and no time of the day a number of minutes; the version is a number all the same."""
    path = tmp_path / "house.yaml"
    path.write_text(json.dumps({**HOUSE_RULES, "windows": {"until": "AT"}}).replace('"AT"', "18:00").replace(" 90", " 79.50"), "utf-8")
    assert lint_document(path) == []
    written = written_in(path)
    assert (written.version, written.body["version"], written.body["windows"]) == (3, 3, {"until": "18:00"})
    assert [band["from"] for band in written.body["scale"]["bands"]] == ["79.50", "0"]
    assert scheme_from(written.body).reference == HOUSE


@pytest.mark.real
async def test_a_scheme_that_names_what_nobody_has_registered_or_published_closes_nothing_and_whoever_asks_is_told_what_it_is(
    appraisal: ServiceOnDatabase,
) -> None:
    hour, plant = timedelta(hours=1), "works-of-wuhan"
    own = {**HOUSE_RULES, "cycle": {**HOUSE_RULES["cycle"], "calendar": plant}}
    await appraisal.apply([claim(activated("scheme", "house", 3, own, NEW_YEAR, **APPROVED), NEW_YEAR), *WORK, close(scheme=HOUSE)])
    ahead = CycleCloseRequested(cycle_key=f"2025Q3|{HOUSE}", cycle="2025Q3", scheme=HOUSE, as_of=LATER + 9 * hour)
    await appraisal.apply([claim(ahead, LATER)])
    await appraisal.apply([REGISTRY, close(scheme=HOUSE, as_of=LATER + hour)])
    at = LATER + 2 * hour
    hours = {"time_zone": "Asia/Shanghai", "weekly_hours": {"mon": [["08:00", "17:00"]]}}
    await appraisal.apply([claim(activated("calendar", plant, 1, hours, at), at), close(scheme=HOUSE, as_of=at)])
    refused = [(one.rule, one.field, one.was) for one in await appraisal.published(CycleClaimRejected)]
    assert refused == [("unknown_indicator", "scheme", "charm")] * 2 + [("unknown_calendar", "scheme", plant)]
    await time_passes(appraisal)
    graded = await stored(appraisal, "S1")
    calendar = graded.contents[graded.inputs["calendar"]]
    assert isinstance(calendar, Mapping)
    assert (calendar["name"], calendar["version"], differing(graded)) == (plant, "1", [])


@pytest.mark.real
async def test_whoever_asks_is_told_all_that_nobody_registered_in_the_order_of_names(
    appraisal: ServiceOnDatabase,
) -> None:
    names = ["amity", "charm", "grace", "humour", "patience", "tact", "warmth", "zeal"]
    manners = {**HOUSE_RULES["sections"][0], "indicators": [{"id": name, "weight": "12.5"} for name in reversed(names)]}
    body = {**HOUSE_RULES, "sections": [manners, HOUSE_RULES["sections"][1]]}
    await appraisal.apply([claim(activated("scheme", "house", 3, body, NEW_YEAR, **APPROVED), NEW_YEAR), *WORK, close(scheme=HOUSE)])
    assert [one.was for one in await appraisal.published(CycleClaimRejected)] == [" ".join(names)]
