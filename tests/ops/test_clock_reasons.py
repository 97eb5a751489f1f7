"""The one sentence that says why: each outcome in Chinese and in English, from an account as `clock explain --json` prints it."""

from typing import Any

import pytest

from ops.clock_reasons import hours, reasons

ACCOUNT: dict[str, Any] = {
    "policy": "dispatch@2",
    "calendar": "cn@0",
    "target": {"working_seconds": 28800},
    "outcome": "open",
    "state": "running",
    "started_at": "2025-07-07T09:00:00+08:00",
    "breached_at": None,
    "due_at": "2025-07-07T18:00:00+08:00",
    "provisional": False,
    "elapsed_working_seconds": 3600,
    "overdue_working_seconds": 0,
    "working_seconds_by_owner": {"employee:E1": 3600},
    "paused_working_seconds_by_party": {},
    "segments": [{"to": "2025-07-07T10:00:00+08:00"}],
}
DAYS = {"working_days": 3, "meaning": "end_of_day"}
SAME_DAY = {"working_days": 0, "meaning": "end_of_day", "cut_off": "16:00"}
SUMMER = {"season": {"from": "05-01", "to": "09-30"}}
BIG_WEEK = {"alternating": {"anchor": "2025-07-05"}}
HOURS_OF_DAYS = {"working_days": 3, "meaning": "working_hours"}


@pytest.mark.parametrize(
    ("changes", "zh", "en"),
    [
        (
            {},
            "进行中，已用工作时间 1:00:00，2025-07-07 18:00:00 到期",
            "running after 1:00:00 of working time, due 2025-07-07 18:00:00",
        ),
        ({"provisional": True}, "暂定", "provisional"),
        ({"state": "paused", "due_at": None}, "暂停中，已用工作时间 1:00:00；", "standing still after 1:00:00 of working time;"),
        (
            {"state": "stopped", "outcome": "met"},
            "2025-07-07 10:00:00 完成，已用工作时间 1:00:00，达标",
            "done 2025-07-07 10:00:00",
        ),
        (
            {"outcome": "breached", "breached_at": "2025-07-07T09:30:00+08:00", "overdue_working_seconds": 1800},
            "2025-07-07 09:30:00 到期，尚未完成，超时 0:30:00",
            "due 2025-07-07 09:30:00 and not done yet: breached, 0:30:00 over",
        ),
        ({"target": DAYS}, "起始日之后第 3 个工作日结束前", "by the end of working day 3 after the day of the start"),
        ({"target": HOURS_OF_DAYS}, "3 个工作日的工作时长内", "within the working hours of 3 working days"),
        ({"paused_working_seconds_by_party": {"parts": 5400}}, "暂停（不计时）：parts 1:30:00。", "waited 1:30:00 for parts."),
        (
            {"paused_working_seconds_by_party": {"parts": 5400}, "target": DAYS},
            "暂停（期限不顺延）：parts 1:30:00。",
            "waited 1:30:00 for parts (which does not move this deadline).",
        ),
        ({"working_seconds_by_owner": {}}, "计时归属：无", "held by nobody"),
        (
            {"target": {**SAME_DAY, "by": "17:00"}, "day_0": {"date": "2025-07-07"}},
            "承诺当日 17:00 前办结，16:00 截止受理，逾时自下一工作日起算（dispatch@2，日历 cn@0）；进行中",
            "Promised by 17:00 of the same day, with a cut-off at 16:00 (dispatch@2, calendar cn@0); running",
        ),
        (
            {"target": {"working_days": 0, "meaning": "end_of_day"}, "day_0": {"date": "2025-07-07"}},
            "承诺当日结束前办结（dispatch@2，日历 cn@0）；进行中",
            "Promised by the end of the same day (dispatch@2, calendar cn@0); running",
        ),
        (
            {"target": SAME_DAY, "day_0": {"date": "2025-07-08", "reason": "cut_off"}},
            "承诺当日结束前办结，16:00 截止受理，逾时自下一工作日起算（dispatch@2，日历 cn@0）；截止时刻后受理，自 2025-07-08 起算；",
            "Promised by the end of the same day, with a cut-off at 16:00 (dispatch@2, calendar cn@0); "
            "counted from 2025-07-08, since it came after the cut-off;",
        ),
        (
            {"target": {**DAYS, "cut_off": "16:00"}, "day_0": {"date": "2025-07-07", "reason": "day_off"}},
            "第 3 个工作日结束前完成，16:00 截止受理，逾时自下一工作日起算（dispatch@2，日历 cn@0）；当日非工作日，自 2025-07-07 起算；",
            "by the end of working day 3 after the day from which it counts, with a cut-off at 16:00 (dispatch@2, calendar cn@0); "
            "counted from 2025-07-07, since nobody worked on the day of the start;",
        ),
        (
            {"target": {**DAYS, "by": "17:00"}},
            "起始日之后第 3 个工作日 17:00 前完成",
            "by 17:00 of working day 3 after the day of the start",
        ),
        ({"day_0": {"date": "2025-07-08", "reason": "closing"}}, "下班后受理，自 2025-07-08 起算", "since it came after closing"),
        ({"day_0": {"date": "2025-07-08", "reason": "by"}}, "当日办结时刻已过，自 2025-07-08 起算", "since that hour was over"),
        (
            {"segments": [{"to": "2025-07-07T10:00:00+08:00", "ranges": [SUMMER, SUMMER]}], "ahead": [BIG_WEEK], "days": [SUMMER]},
            "；适用作息：季节作息 05-01 至 09-30、大小周（基准日 2025-07-05）；",
            "; hours of the season from 05-01 to 09-30, the weekday that alternates with 2025-07-05;",
        ),
    ],
)
def test_each_outcome_and_each_kind_of_promise_has_its_sentence(changes: dict[str, Any], zh: str, en: str) -> None:
    chinese, english = reasons({**ACCOUNT, **changes})
    assert zh in chinese
    assert en in english


def test_parts_of_a_second_are_shown_as_they_are() -> None:
    assert (hours(0), hours(90_061), hours("1.5")) == ("0:00:00", "25:01:01", "0:00:01.500000")
