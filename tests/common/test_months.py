"""Calendar months of promises: every instant counts for one month, and a budget is a whole number of promises."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.counted import counted

from common.kernel.faults import Fault
from common.sla.months import Budget, Counts, Month, budget_of, month_of, months_between, policy_of, span_of
from common.sla.policy import Policy, parse_policy
from common.sla.rulebook import PolicyVersion, Rulebook

RULE = [{"target": {"working_seconds": 3600}, "calendar": "24x7"}]
DOCUMENT = {"policy": "complaints", "version": 1, "stages": {"acknowledged": RULE, "verified": RULE}}
ZONES = ("Asia/Shanghai", "UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/Sao_Paulo", "Europe/Berlin", "Australia/Lord_Howe")
INSTANTS = st.integers(31_536_000, 4_102_444_800).map(lambda second: datetime.fromtimestamp(second, UTC))


def policy(version: int = 1, **more: object) -> Policy:
    return parse_policy({**DOCUMENT, "version": version, **more})


def rulebook(*policies: tuple[Policy, str]) -> Rulebook:
    return Rulebook.of(PolicyVersion(one, datetime.fromisoformat(at)) for one, at in policies)


SHANGHAI = rulebook((policy(), "1970-01-01T00:00:00Z"))


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.fractions(0, 1).filter(bool))
@counted(200, proof=2_000)
def test_a_budget_is_the_most_breaches_that_leave_the_share_kept_at_the_objective(met: int, breached: int, objective: Fraction) -> None:
    counts = Counts(met, breached)
    budget = budget_of(counts, objective)
    if not counts.closed:
        assert budget is None
        return
    assert budget is not None
    assert budget.remaining == budget.allowed - breached
    assert Fraction(counts.closed - budget.allowed, counts.closed) >= objective
    assert Fraction(counts.closed - budget.allowed - 1, counts.closed) < objective
    assert (budget.remaining >= 0) is (Fraction(met, counts.closed) >= objective)


def test_a_month_without_events_or_without_an_objective_has_no_budget() -> None:
    assert budget_of(Counts(0, 0), Fraction(19, 20)) is None
    assert budget_of(Counts(5, 5), None) is None
    assert budget_of(Counts(19, 1), Fraction(19, 20)) == Budget(1, 0)
    assert budget_of(Counts(18, 1), Fraction(19, 20)) == Budget(0, -1)
    assert budget_of(Counts(3, 0), Fraction(1)) == Budget(0, 0)


@given(INSTANTS, st.sampled_from(ZONES), st.sampled_from(ZONES), INSTANTS)
@counted(200, proof=2_000)
def test_every_instant_counts_for_one_month_also_when_a_later_policy_names_another_zone(
    at: datetime, first: str, second: str, change: datetime
) -> None:
    rules = rulebook((policy(1, month_zone=first), "1970-01-01T00:00:00Z"), (policy(2, month_zone=second), change.isoformat()))
    month = month_of(rules, at)
    span = span_of(rules, month)
    assert span.begin <= at < span.end
    assert span.end == span_of(rules, month.next).begin
    assert timedelta(days=26) < span.end - span.begin < timedelta(days=33)
    assert month_of(rules, span.end) == month.next
    assert month_of(rules, span.end - timedelta.resolution) == month


def test_a_month_begins_at_midnight_of_the_zone_and_february_has_its_leap_day() -> None:
    assert [one.isoformat() for one in span_of(SHANGHAI, Month(2028, 2))] == ["2028-01-31T16:00:00+00:00", "2028-02-29T16:00:00+00:00"]
    berlin = rulebook((policy(month_zone="Europe/Berlin"), "1970-01-01T00:00:00Z"))
    assert [one.isoformat() for one in span_of(berlin, Month(2026, 3))] == ["2026-02-28T23:00:00+00:00", "2026-03-31T22:00:00+00:00"]
    assert str(month_of(SHANGHAI, datetime(2026, 12, 31, 16, tzinfo=UTC))) == "2027-01"


def test_the_objective_of_a_month_is_that_of_the_policy_in_force_at_its_end() -> None:
    first, second = policy(1, objectives={"verified": "9/10"}), policy(2, objectives={"verified": "19/20"})
    at_the_end = rulebook((first, "1970-01-01T00:00:00Z"), (second, "2026-11-30T16:00:00Z"))
    just_before = rulebook((first, "1970-01-01T00:00:00Z"), (second, "2026-11-30T15:59:59Z"))
    assert policy_of(at_the_end, Month(2026, 11)) == first
    assert policy_of(at_the_end, Month(2026, 12)) == second
    assert policy_of(just_before, Month(2026, 11)) == second


def test_months_between_are_all_of_them_in_order() -> None:
    instants = datetime(2026, 11, 30, 15, 59, tzinfo=UTC), datetime(2027, 1, 31, 16, tzinfo=UTC)
    assert [str(one) for one in months_between(SHANGHAI, *instants)] == ["2026-11", "2026-12", "2027-01", "2027-02"]


@pytest.mark.parametrize("text", ["2026-13", "2026-00", "26-11", "2026-1", "2026-11-01", "0001-01", "9999-01", ""])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(Fault) as fault:
        Month.read(text, ("--month",))
    assert (fault.value.where, fault.value.rule) == (("--month",), "bad_month")


@pytest.mark.parametrize(
    ("more", "where", "rule"),
    [
        ({"objectives": {"assigned": "9/10"}}, ("objectives", "assigned"), "unknown_stage"),
        ({"objectives": {"verified": "0"}}, ("objectives", "verified"), "bad_objective"),
        ({"objectives": {"verified": "21/20"}}, ("objectives", "verified"), "bad_objective"),
        ({"objectives": {"verified": "most"}}, ("objectives", "verified"), "bad_objective"),
        ({"objectives": ["verified"]}, ("objectives",), "bad_value"),
        ({"month_zone": "Asia/Peking"}, ("month_zone",), "bad_zone"),
        ({"month_zone": 8}, ("month_zone",), "bad_value"),
    ],
)
def test_an_objective_is_a_share_of_a_stage_that_there_is_and_a_zone_has_a_name(more: dict[str, object], where: object, rule: str) -> None:
    with pytest.raises(Fault) as fault:
        policy(**more)  # type: ignore[arg-type]  # what somebody may write
    assert (fault.value.where, fault.value.rule) == (where, rule)
    if rule == "unknown_stage":
        assert "acknowledged, verified" in fault.value.what


def test_an_objective_is_exact_and_may_be_all_of_them() -> None:
    read = policy(objectives={"acknowledged": 1, "verified": "0.95"})
    assert read.objectives == {"acknowledged": Fraction(1), "verified": Fraction(19, 20)}
    assert policy().objectives == {}
