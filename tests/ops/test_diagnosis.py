"""What `aftersales doctor` makes of the figures of a platform, without one."""

import math
from dataclasses import replace

import pytest

from common.kafka.topic_admin import Difference
from ops.diagnosis import Figures, Finding, of_service, of_topics

WELL = Figures(
    version="0001",
    newest="0001",
    leaderless_seconds=-5,
    refused=0,
    lag=0,
    behind_seconds=0,
    halted=0,
    letters=0,
    parked=0,
    waiting=0,
    unpublished=0,
    unpublished_seconds=0,
    timers_due=0,
    timer_seconds=0,
)


def _worse(figures: Figures) -> list[Finding]:
    return [found for found in of_service("intake", figures) if found.state != "ok"]


def test_a_service_that_keeps_up_needs_nothing() -> None:
    found = of_service("intake", WELL)
    assert {one.state for one in found} == {"ok"}
    assert not any(one.do for one in found)


@pytest.mark.parametrize(
    ("what", "state", "changed"),
    [
        ("intake tables", "bad", {"newest": "0002"}),
        ("intake runs", "bad", {"leaderless_seconds": 31.0}),
        ("intake runs", "bad", {"leaderless_seconds": math.inf}),
        ("intake refused", "bad", {"refused": 1}),
        ("intake lag", "warn", {"lag": 10, "behind_seconds": 61.0}),
        ("intake lag", "bad", {"lag": 10, "behind_seconds": 901.0}),
        ("intake halts", "bad", {"halted": 1}),
        ("intake holes", "bad", {"holes": ["service-request-claims (set_back, 1 partitions)"]}),
        ("intake offsets", "bad", {"ahead": ["service-request-claims/0"]}),
        ("intake partitions", "bad", {"unowned": ["service-request-claims/0"]}),
        ("intake holds back", "warn", {"letters": 1}),
        ("intake holds back", "bad", {"letters": 1, "parked": 1}),
        ("intake outbox", "warn", {"unpublished": 1, "unpublished_seconds": 61.0}),
        ("intake outbox", "bad", {"unpublished": 1, "unpublished_seconds": 301.0}),
        ("intake timers", "bad", {"timers_due": 1, "timer_seconds": 301.0}),
    ],
)
def test_each_trouble_is_one_finding_that_says_what_to_do(what: str, state: str, changed: dict[str, object]) -> None:
    [found] = _worse(replace(WELL, **changed))  # type: ignore[arg-type]  # the names are those of the fields
    assert (found.what, found.state) == (what, state)
    assert found.do


def test_timers_that_are_due_are_told_apart_by_what_they_serve() -> None:
    [found] = _worse(replace(WELL, timers_due=3, wake_ups_due=1, timer_seconds=301.0))
    assert found.found == "3 due (2 of clocks, 1 wake-ups), the oldest for 301 s"


def test_a_cycle_that_is_asked_to_close_is_trouble_only_over_a_hole() -> None:
    assert not _worse(replace(WELL, unfinished={"cycles": 1}))
    found = _worse(replace(WELL, unfinished={"cycles": 1}, holes=["kpi-facts (made_anew, 12 partitions)"]))
    assert [(one.what, one.state) for one in found] == [("intake holes", "bad"), ("intake cycles", "bad")]


def test_a_partition_that_nobody_reads_is_no_news_where_the_service_does_not_run() -> None:
    assert [one.what for one in _worse(replace(WELL, leaderless_seconds=31.0, unowned=["service-request-claims/0"]))] == ["intake runs"]


def test_events_that_wait_for_an_earlier_one_are_no_trouble() -> None:
    assert not _worse(replace(WELL, waiting=7))


def test_a_lease_that_changes_hands_is_no_trouble() -> None:
    assert not _worse(replace(WELL, leaderless_seconds=12))


def test_tables_are_not_judged_where_the_service_is_not_installed() -> None:
    assert not _worse(replace(WELL, newest=None))


def test_a_topic_that_is_missing_is_worse_than_one_that_is_set_otherwise() -> None:
    missing = Difference("complaints", "topic", "exists", "missing")
    other = Difference("kpi-facts", "retention.ms", "-1", "604800000")
    assert [one.state for one in of_topics([missing, other], 28)] == ["bad", "warn"]
    assert [one.state for one in of_topics([], 28)] == ["ok"]
