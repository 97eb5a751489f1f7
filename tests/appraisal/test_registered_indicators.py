"""An indicator that a company registers is taken from its instant on, on the running service, and named until then."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from tests.appraisal.department import IN_Q3, LATER, MANAGER, ONE, SUPERVISOR, close, figure, org, rating, stored, time_passes
from tests.harness import ServiceOnDatabase, activated, claim, service_on

from appraisal.domain.explanation import explanation
from appraisal.domain.indicators import INDICATORS, REGISTRY, indicators_in, registered, registry_document
from appraisal.domain.inputs import differing
from common.contracts.claims.appraisal import KpiReported
from common.contracts.cycles import CycleClosed
from common.contracts.kpi_facts import KpiClaimRejected, KpiRecorded

MONTHLY = "appliance-monthly@1"
CHARM = {
    "zh": "亲和力",
    "en": "charm",
    "numerator": "smiles",
    "denominator": "visits",
    "attributed_at": "the visit",
    "source": "mystery visits (D5-03)",
}


def faults(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with a registry's body: where, and by which rule."""
    assert INDICATORS.faults is not None
    return [(fault.field, fault.rule) for fault in INDICATORS.faults(body)]


def test_a_document_that_names_what_ships_or_leaves_out_what_an_indicator_counts_is_told_all_of_it() -> None:
    nameless = {name: text for name, text in CHARM.items() if name != "denominator"}
    wrong = {"charm": nameless, REGISTRY[0].id: CHARM, "tact": {**CHARM, "colour": "red"}, "wit": {**CHARM, "unit": "smiles"}}
    wrong["luck"] = {**CHARM, "direction": "up"}
    assert faults({"indicators": wrong, "least_samples": {"charm": 3, "charn": 3, REGISTRY[0].id: 0, "wit": "7"}}) == [
        ("indicators.charm.denominator", "missing_field"),
        (f"indicators.{REGISTRY[0].id}", "shipped_already"),
        ("indicators.tact.colour", "unknown_field"),
        ("indicators.wit.unit", "bad_value"),
        ("indicators.luck.direction", "bad_value"),
        ("least_samples.charn", "unknown_indicator"),
        (f"least_samples.{REGISTRY[0].id}", "bad_value"),
        ("least_samples.wit", "bad_value"),
    ]
    assert faults({"indicators": 7, "least_samples": {REGISTRY[0].id: 3}}) == [("indicators", "bad_value")]
    assert faults({"indicators": {}, "least_samples": 7}) == [("least_samples", "bad_value")]
    wrong_sources = {"charm": ["/crm"], REGISTRY[0].id: "/crm", REGISTRY[1].id: [7]}
    assert faults({"indicators": {}, "reported_by": wrong_sources}) == [
        ("reported_by.charm", "unknown_indicator"),
        (f"reported_by.{REGISTRY[0].id}", "bad_value"),
        (f"reported_by.{REGISTRY[1].id}[0]", "bad_value"),
    ]


def test_what_a_registry_says_of_units_directions_and_least_samples_is_read_again_from_what_is_digested() -> None:
    body = {"indicators": {"charm": {**CHARM, "unit": "count", "direction": "lower"}, "tact": CHARM}}
    said = registered(INDICATORS.parse({**body, "least_samples": {"tact": 4, REGISTRY[0].id: 9}}))
    assert tuple(indicators_in(registry_document(said)).values()) == said
    found = {one.id: (str(one.unit), str(one.direction), one.least_sample) for one in said}
    assert (found["charm"], found["tact"], found[REGISTRY[0].id]) == (
        ("count", "lower", 0),
        ("percent", "higher", 4),
        ("percent", "higher", 9),
    )
    plain = registered(INDICATORS.parse({"indicators": {"tact": CHARM}}))
    assert registry_document(plain)["indicators"] == [*registry_document()["indicators"], {"id": "tact", **CHARM}], (
        "what is not said is not digested"
    )


@pytest.fixture
async def appraisal(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("appraisal", database) as service:
        yield service


@pytest.mark.real
async def test_a_new_indicator_is_used_by_the_next_figure_without_a_restart(appraisal: ServiceOnDatabase) -> None:
    hour = timedelta(hours=1)
    await appraisal.apply([figure("S1", indicator="charm", case="K1")])
    [refused] = await appraisal.published(KpiClaimRejected)
    assert (refused.rule, refused.field, refused.case_id) == ("unknown_indicator", "indicator", "K1")
    document = activated("indicator-registry", "standard", 1, {"indicators": {"charm": CHARM}}, IN_Q3 + hour)
    await appraisal.apply([claim(document, IN_Q3 + hour)])
    await appraisal.apply([figure("S1", indicator="charm", case=case, at=at) for case, at in (("K2", IN_Q3), ("K3", IN_Q3 + hour))])
    assert [fact.case_id for fact in await appraisal.published(KpiRecorded)] == ["K3"]
    assert [one.case_id for one in await appraisal.published(KpiClaimRejected)] == ["K1", "K2"]


@pytest.mark.real
async def test_a_figure_is_taken_only_from_whoever_the_registry_says_may_report_it(appraisal: ServiceOnDatabase) -> None:
    says = {"charm": ["/crm", "/visits"], "customer_satisfaction": []}
    document = activated("indicator-registry", "standard", 1, {"indicators": {"charm": CHARM}, "reported_by": says}, IN_Q3)
    await appraisal.apply([claim(document, IN_Q3)])
    for number, (name, source) in enumerate(
        (("charm", "/crm"), ("charm", "/hr"), ("customer_satisfaction", "/crm"), ("skill_check", "/hr"))
    ):
        said = KpiReported(case_id=f"K{number}", indicator=name, subject="employee:S1", numerator="1", denominator="1")
        await appraisal.apply([claim(said, IN_Q3, source=source)])
    assert [fact.case_id for fact in await appraisal.published(KpiRecorded)] == ["K0", "K3"]
    assert [(one.case_id, one.rule, one.field, one.was) for one in await appraisal.published(KpiClaimRejected)] == [
        ("K1", "reported_by_its_producer", "ce_source", "/crm /visits"),
        ("K2", "reported_by_its_producer", "ce_source", "intake"),
    ]


@pytest.mark.real
async def test_facts_of_an_indicator_that_nobody_has_registered_are_counted_when_the_cycle_closes(appraisal: ServiceOnDatabase) -> None:
    event = KpiRecorded(
        case_id="K1", indicator="charm", subject="employee:S1", revision=1, numerator="1", denominator="1", source_event_ids=[]
    )
    await appraisal.take_facts([claim(event, IN_Q3), claim(event.model_copy(update={"case_id": "K2"}), IN_Q3)])
    await appraisal.apply([org(MANAGER, SUPERVISOR, ONE), figure("S1"), close()])
    await time_passes(appraisal)
    document = activated("indicator-registry", "standard", 1, {"indicators": {"charm": CHARM}}, LATER)
    await appraisal.apply([claim(document, LATER), close(as_of=LATER + timedelta(hours=1))])
    await time_passes(appraisal)
    assert [closed.unknown_indicators for closed in await appraisal.published(CycleClosed)] == [{"charm": 2}, {}]


@pytest.mark.real
async def test_an_indicator_with_too_few_cases_is_told_and_not_graded_and_older_versions_verify_by_the_registry_of_their_time(
    appraisal: ServiceOnDatabase,
) -> None:
    week = timedelta(days=7)
    few = figure("S1", "2", "5", indicator="repair_success")
    await appraisal.apply([org(MANAGER, SUPERVISOR, ONE), figure("S1", "9", "10", indicator="skill_check"), few])
    await appraisal.apply([rating("S1", "B1", "90", cycle="2025-08", scheme=MONTHLY), close("2025-08", MONTHLY)])
    await time_passes(appraisal)
    document = activated("indicator-registry", "standard", 1, {"indicators": {}, "least_samples": {"repair_success": 6}}, LATER)
    await appraisal.apply([claim(document, LATER), close("2025-08", MONTHLY, as_of=LATER + week)])
    await time_passes(appraisal)
    first, second = [await stored(appraisal, "S1", version=number, cycle="2025-08") for number in (1, 2)]
    assert [(one.inputs["score_exact"], differing(one)) for one in (first, second)] == [("220/3", []), ("90", [])]
    assert "维修成功率样本不足（5/6），权重已分摊" in second.document["reason_zh"]
    assert "too few cases (5/6) for repair success, its weight went to the others" in second.document["reason_en"]
    assert "样本不足" not in first.document["reason_zh"]
    told = [explanation(one, versions=2)["too_few_cases"] for one in (first, second)]
    assert told == [{}, {"repair_success": {"sample": "5", "least": "6"}}]
