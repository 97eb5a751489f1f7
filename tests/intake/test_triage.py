"""Triage: nature and severity give the priority (D1-11, X-39)."""

from typing import get_args

import pytest

from common.contracts.claims import intake as claims
from common.contracts.fields import Priority as ContractPriority
from intake.domain.triage import TRIAGE, Nature, Priority, Severity, triage

ORDER = get_args(Priority)


@pytest.mark.parametrize("nature", get_args(Nature))
def test_what_is_critical_is_urgent_whatever_was_asked_for(nature: Nature) -> None:
    assert triage(nature, "critical") == "urgent"


@pytest.mark.parametrize("nature", get_args(Nature))
def test_a_worse_severity_never_lowers_the_priority(nature: Nature) -> None:
    ranks = [ORDER.index(triage(nature, severity)) for severity in get_args(Severity)]
    assert ranks == sorted(ranks)


def test_planned_maintenance_waits_longer_than_a_repair_of_the_same_severity() -> None:
    assert (triage("repair", "normal"), triage("maintenance", "normal")) == ("normal", "low")


def test_somebody_who_complains_is_never_last_in_the_queue() -> None:
    assert triage("complaint", "low") == "normal"


def test_every_word_that_a_claim_may_use_has_a_priority_that_the_contract_knows() -> None:
    assert set(TRIAGE) == set(get_args(claims.Nature))
    assert all(set(row) == set(get_args(claims.Severity)) for row in TRIAGE.values())
    assert {priority for row in TRIAGE.values() for priority in row.values()} <= set(get_args(ContractPriority))
