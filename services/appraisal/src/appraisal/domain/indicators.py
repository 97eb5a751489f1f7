"""The indicator registry: what each indicator counts, over what, and at which instant a case counts for a cycle (X-26, decisions 26).

Versioned data: a change of any word is a new version, since every grade's digest holds the registry's.
"""

from dataclasses import dataclass
from functools import cache

from appraisal.domain.digest import Plain, digest

REGISTRY_VERSION = "1"


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator. `attributed_at` is the instant by which a fact belongs to a cycle; `source` is who measures it, by which rule."""

    id: str
    zh: str
    en: str
    numerator: str
    denominator: str
    attributed_at: str
    source: str


REGISTRY = (
    Indicator(
        id="in_time_response",
        zh="及时响应率",
        en="in-time first response",
        numerator="service requests whose first response came at or before its deadline",
        denominator="service requests whose first-response clock was stopped or breached",
        attributed_at="the stop of the clock, or its deadline when it was breached",
        source="intake, stage first_response (D1-07, D3-02, D10-02)",
    ),
    Indicator(
        id="in_time_solution",
        zh="及时解决率",
        en="in-time solution",
        numerator="work orders completed, and solutions of complaints told, at or before their deadline",
        denominator="work orders and complaints whose clock of that was stopped or breached",
        attributed_at="the stop of the clock, or its deadline when it was breached",
        source="dispatch, stage completion; complaints, stage solution_communicated (D1-09, D4-13, D7-09, D10-03)",
    ),
    Indicator(
        id="customer_satisfaction",
        zh="客户满意度",
        en="customer satisfaction",
        numerator="points that customers gave in answered surveys",
        denominator="points that they could have given in the same surveys",
        attributed_at="the day on which the surveyed case closed",
        source="intake, surveys and follow-up visits (D5-03, D7-11, D10-01, D11-06)",
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
    ),
    Indicator(
        id="complaint_rate",
        zh="客诉率",
        en="complaint rate",
        numerator="complaints about a case of the period",
        denominator="cases closed in the period",
        attributed_at="the close of the case",
        source="complaints and intake (D9-10, X-26)",
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
    ),
)


def registry_document() -> Plain:
    """The registry as text, lists and objects, as it is published and digested."""
    return {
        "version": REGISTRY_VERSION,
        "indicators": [
            {
                "id": one.id,
                "zh": one.zh,
                "en": one.en,
                "numerator": one.numerator,
                "denominator": one.denominator,
                "attributed_at": one.attributed_at,
                "source": one.source,
            }
            for one in REGISTRY
        ],
    }


@cache
def registry_digest() -> str:
    """`sha256:…` over the registry's document."""
    return digest(registry_document())


def indicator(indicator_id: str) -> Indicator | None:
    """The registered indicator of that id, None when there is none."""
    return next((one for one in REGISTRY if one.id == indicator_id), None)
