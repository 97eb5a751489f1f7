"""How many grades were published is shown by the leader alone: after a handover the sum over the replicas is as before."""

from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from appraisal.metrics import declare
from common.runtime.chassis import Chassis
from common.runtime.metrics import ChassisMetrics
from common.sla.policy import load_policy

LABELS = {"scheme": "basic@1", "grade": "优"}


@pytest.mark.parametrize("why", [{"ready": True, "leads": False}, {"ready": False, "leads": True}])
async def test_who_leads_no_longer_shows_no_grades(why: dict[str, bool]) -> None:
    registry = CollectorRegistry()
    grades = declare(registry)
    grades.show({("basic@1", "优"): 3})
    assert registry.get_sample_value("aftersales_grades_total", LABELS) == 3
    metrics = ChassisMetrics("appraisal", "test", load_policy("appraisal").stages, registry)
    former: Any = SimpleNamespace(ready=why["ready"], relay=SimpleNamespace(is_leader=why["leads"]), metrics=metrics, own_metrics=grades)
    await Chassis.refresh_metrics(former)
    assert registry.get_sample_value("aftersales_grades_total", LABELS) is None
