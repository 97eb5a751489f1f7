"""The indicator registry: what each indicator counts, over what, which way is better, and from how many cases on it says something (X-26).

Versioned data: a change of any word is a new version, since every grade's digest holds the registry's.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from appraisal.domain.digest import digest
from common.kernel.documents import Node, Plain
from common.kernel.errors import Refused
from common.kernel.reference import Documents, Findings, Kind

REGISTRY_VERSION = "1"
T = TypeVar("T")


class Unit(StrEnum):
    """What an indicator's figure is told in."""

    PERCENT = "percent"
    """The numerator over the denominator: a rate."""
    COUNT = "count"
    """The numerator alone: casualties are counted, and over nothing."""


class Direction(StrEnum):
    """Which way an indicator is better."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator. `attributed_at` is the instant by which a fact belongs to a cycle; `source` is who measures it, by which rule.

    `producers` are our services that publish its facts; where there are none, other systems have to report it (`kpi.reported`).
    `least_sample` is the least denominator that says something; with less it cannot be judged, and a scheme says what becomes of that.
    """

    id: str
    zh: str
    en: str
    numerator: str
    denominator: str
    attributed_at: str
    source: str
    producers: tuple[str, ...] = ()
    unit: Unit = Unit.PERCENT
    direction: Direction = Direction.HIGHER
    least_sample: int = 0
    reported_by: tuple[str, ...] | None = None
    """The sources whose claims about it are taken; None for anybody's, none where only our services may say it."""


REGISTRY = (
    Indicator(
        id="in_time_response",
        zh="及时响应率",
        en="in-time first response",
        numerator="service requests whose first response came at or before its deadline",
        denominator="service requests whose first-response clock was stopped or breached",
        attributed_at="the stop of the clock, or its deadline when it was breached",
        source="intake, stage first_response (D1-07, D3-02, D10-02)",
        producers=("intake",),
    ),
    Indicator(
        id="in_time_solution",
        zh="及时解决率",
        en="in-time solution",
        numerator="work orders completed, and solutions of complaints told, at or before their deadline",
        denominator="work orders and complaints whose clock of that was stopped or breached",
        attributed_at="the stop of the clock, or its deadline when it was breached",
        source="dispatch, stage completion; complaints, stage solution_communicated (D1-09, D4-13, D7-09, D10-03)",
        producers=("dispatch", "complaints"),
    ),
    Indicator(
        id="customer_satisfaction",
        zh="客户满意度",
        en="customer satisfaction",
        numerator="points that customers gave in answered surveys",
        denominator="points that they could have given in the same surveys",
        attributed_at="the day on which the surveyed case closed",
        source="intake, surveys and follow-up visits (D5-03, D7-11, D10-01, D11-06)",
        producers=("intake",),
    ),
    Indicator(
        id="repair_success",
        zh="维修成功率",
        en="repair success",
        numerator="completed work orders whose problem did not come back within the repeat-visit window",
        denominator="completed work orders whose window is over",
        attributed_at="the completion of the work order",
        source="dispatch (D7-08)",
    ),
    Indicator(
        id="complaint_handling",
        zh="投诉处理率",
        en="complaints handled in time",
        numerator="complaints whose solution was told at or before its deadline",
        denominator="complaints whose solution clock was stopped or breached",
        attributed_at="the stop of the clock, or its deadline when it was breached",
        source="complaints, stage solution_communicated (D4-13, D7-11, D7-13)",
        producers=("complaints",),
    ),
    Indicator(
        id="complaint_rate",
        zh="客诉率",
        en="complaint rate",
        numerator="complaints about a case of the period",
        denominator="cases closed in the period",
        attributed_at="the close of the case",
        source="complaints and intake (D9-10, X-26)",
        direction=Direction.LOWER,
    ),
    Indicator(
        id="complaint_satisfaction",
        zh="客诉处理满意度",
        en="satisfaction with complaint handling",
        numerator="points that complainants gave in answered surveys",
        denominator="points that they could have given in the same surveys",
        attributed_at="the day on which the complaint closed",
        source="complaints, surveys (D9-10)",
    ),
    Indicator(
        id="repair_satisfaction",
        zh="维修过程服务满意度",
        en="satisfaction with the repair",
        numerator="points that customers gave for the repair in answered surveys",
        denominator="points that they could have given in the same surveys",
        attributed_at="the day on which the surveyed case closed",
        source="dispatch, surveys (D9-10)",
    ),
    Indicator(
        id="reception_satisfaction",
        zh="接待客户满意度",
        en="satisfaction with the reception",
        numerator="points that customers gave for the reception in answered surveys",
        denominator="points that they could have given in the same surveys",
        attributed_at="the day on which the surveyed case closed",
        source="intake, surveys (D9-10)",
    ),
    Indicator(
        id="skill_check",
        zh="技能考核得分率",
        en="skill exams, practical work and case analyses",
        numerator="points reached in exams, practical tests, repair case analyses and flow checks",
        denominator="points that could be reached in the same",
        attributed_at="the day of the exam or check",
        source="appraisal, exams (D5-07, D7-07)",
    ),
    Indicator(
        id="repair_quality",
        zh="维修工程质量合格率",
        en="repair quality",
        numerator="inspected repairs that meet the norms",
        denominator="inspected repairs",
        attributed_at="the inspection",
        source="dispatch (D8-06)",
    ),
    Indicator(
        id="safety_incidents",
        zh="安全事故",
        en="safety incidents",
        numerator="casualties among staff",
        denominator="1: a count, not a rate",
        attributed_at="the incident",
        source="dispatch (D8-06, X-25)",
        unit=Unit.COUNT,
        direction=Direction.LOWER,
    ),
)


_TEXTS = ("zh", "en", "numerator", "denominator", "attributed_at", "source")
_LEAST, _REPORTED_BY = "least_samples", "reported_by"
_MOST_CASES = 10**9


def _read(body: Node, findings: Findings) -> tuple[Indicator, ...]:
    """The enterprise's own indicators, and those that ship of which it says something more."""
    own = findings.entries(body, "indicators", _own, beside=(_LEAST, _REPORTED_BY))
    given = body.field("indicators").value
    known = {*(one.id for one in REGISTRY), *(given if isinstance(given, Mapping) else ())}

    def said(name: str, read: Callable[[Node], T]) -> dict[str, T]:
        """By indicator what one of the tables beside says of it."""
        table = body.field(name, {})
        return dict(
            findings.each(map(table.field, findings.of(table.fields) or ()), lambda node: (_registered_id(node, known), read(node)))
        )

    least = said(_LEAST, lambda node: node.integer(1, _MOST_CASES, f"a whole number from 1 to {_MOST_CASES} is expected"))
    reported_by = said(_REPORTED_BY, Node.texts)
    more = (replace(one, least_sample=least.get(one.id, 0), reported_by=reported_by.get(one.id)) for one in (*REGISTRY, *own))
    return tuple(one for one in more if indicator(one.id) != one)


def _registered_id(node: Node, known: Collection[str]) -> str:
    id = str(node.where[-1])
    if id not in known:
        raise node.fault("is not in the registry", "unknown_indicator")
    return id


def _own(node: Node) -> Indicator:
    node.fields(known=(*_TEXTS, "unit", "direction"), required=_TEXTS)
    id = str(node.where[-1])
    if indicator(id) is not None:
        raise node.fault("ships with every release, and means there what it means", "shipped_already")
    texts: dict[str, Any] = {name: node.field(name).text() for name in _TEXTS}
    unit, direction = (
        node.field(name).one_of(list(words), next(iter(words))) for name, words in (("unit", Unit), ("direction", Direction))
    )
    return Indicator(id=id, **texts, unit=Unit(unit), direction=Direction(direction))


INDICATORS = Kind.collected(
    "indicator-registry",
    _read,
    remedies={"shipped_already": "give it another id", "unknown_indicator": "mend the spelling, or register it under `indicators`"},
)
"""Indicators that an enterprise registers beside those that ship, from an instant on; other systems report them."""


def registered(said: Iterable[Indicator] = ()) -> tuple[Indicator, ...]:
    """The indicators that ship and those of an enterprise's document, each as that has it."""
    return tuple({one.id: one for one in (*REGISTRY, *said)}.values())


def registry_at(documents: Documents, instant: datetime) -> tuple[Indicator, ...]:
    """The indicators that are registered at an instant: those that ship, and those of the document in force."""
    versions = reversed(documents.in_force(INDICATORS))
    found = next((one for one in versions if one.document.effective_at <= instant), None)
    return registered() if found is None else registered(found.value)


def claim_refused(registry: Iterable[Indicator], id: str, source: str) -> Refused | None:
    """Why a figure of an indicator is not taken from this source; None where it is."""
    one = next((one for one in registry if one.id == id), None)
    if one is None:
        return Refused("unknown_indicator", field="indicator")
    if one.reported_by is None or source in one.reported_by:
        return None
    return Refused("reported_by_its_producer", was=" ".join((*one.producers, *one.reported_by))[:256], field="ce_source")


def registry_document(registry: Iterable[Indicator] = REGISTRY) -> dict[str, Plain]:
    """A registry as text, lists and objects, as it is published and digested; who produces an indicator decides no grade.

    Of what ships, the release says the unit and the direction, which decide none either.
    """
    return {"version": REGISTRY_VERSION, "indicators": [_document(one) for one in registry]}


def _document(one: Indicator) -> dict[str, Plain]:
    texts: dict[str, Plain] = {"id": one.id, **{name: getattr(one, name) for name in _TEXTS}}
    own = {} if indicator(one.id) is not None else {"unit": one.unit, "direction": one.direction}
    said = {**own, "least_sample": str(one.least_sample)}
    unsaid = {"unit": Unit.PERCENT, "direction": Direction.HIGHER, "least_sample": "0"}
    return texts | {name: str(value) for name, value in said.items() if value != unsaid[name]}


def indicators_in(document: Mapping[str, Any]) -> dict[str, Indicator]:
    """The indicators of a registry's document as a grade has it, by id."""
    return {one["id"]: _from_document(one) for one in document["indicators"]}


def _from_document(said: Mapping[str, str]) -> Indicator:
    texts: dict[str, Any] = {name: said[name] for name in _TEXTS}
    shipped = indicator(said["id"])
    known = shipped if shipped is not None else Indicator(id=said["id"], **texts)
    unit, direction = Unit(said.get("unit", known.unit)), Direction(said.get("direction", known.direction))
    return replace(known, **texts, unit=unit, direction=direction, least_sample=int(said.get("least_sample", "0")))


@cache
def registry_digest() -> str:
    """`sha256:…` over the registry's document."""
    return digest(registry_document())


def indicator(indicator_id: str) -> Indicator | None:
    """The indicator of that id among those that ship, None when there is none."""
    return next((one for one in REGISTRY if one.id == indicator_id), None)
