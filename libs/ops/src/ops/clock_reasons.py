"""Why a clock is met, breached or open, in one sentence of Chinese and one of English: for the person who is charged with it."""

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any

from common.kernel.instants import SECOND


def reasons(account: Mapping[str, Any]) -> tuple[str, str]:
    """The reason in Chinese and in English, from the members of the account that `clock explain --json` prints."""
    return _zh(account), _en(account)


def hours(amount: int | str) -> str:
    """Working seconds as hours, minutes and seconds; parts of a second as they are."""
    micros = int(Fraction(amount) * SECOND)
    whole, rest = divmod(micros, SECOND)
    text = f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
    return f"{text}.{rest:06}" if rest else text


def _zh(account: Mapping[str, Any]) -> str:
    target, promise = account["target"], f"{account['policy']}，日历 {account['calendar']}"
    if "working_seconds" in target:
        promised = f"承诺 {hours(target['working_seconds'])} 工作时间内完成（{promise}）"
    elif target["meaning"] == "working_hours":
        promised = f"承诺 {target['working_days']} 个工作日的工作时长内完成（{promise}）"
    else:
        promised = f"承诺在起始日之后第 {target['working_days']} 个工作日结束前完成（{promise}）"
    used = f"已用工作时间 {hours(account['elapsed_working_seconds'])}"
    match account["outcome"], account["state"]:
        case "met", _:
            outcome = f"{_stopped(account)} 完成，{used}，达标"
        case "breached", state:
            done = f"{_stopped(account)} 才完成" if state == "stopped" else "尚未完成"
            outcome = f"{_at(account['breached_at'])} 到期，{done}，超时 {hours(account['overdue_working_seconds'])}"
        case _, "paused":
            outcome = f"暂停中，{used}" + (f"，{_at(account['due_at'])} 到期" if account["due_at"] else "")
        case _:
            outcome = f"进行中，{used}，{_at(account['due_at'])} 到期"
            outcome += "（暂定：该年度节假日尚未公布）" if account["provisional"] else ""
    shares = [f"{who or '未指定'} {hours(amount)}" for who, amount in account["working_seconds_by_owner"].items()]
    waits = [f"{who or '未指定'} {hours(amount)}" for who, amount in account["paused_working_seconds_by_party"].items()]
    held = "计时归属：" + "、".join(shares or ["无"])
    waited = [("暂停（期限不顺延）：" if _is_fixed(target) else "暂停（不计时）：") + "、".join(waits)] if waits else []
    return "；".join([promised, outcome, held, *waited]) + "。"


def _en(account: Mapping[str, Any]) -> str:
    target, promise = account["target"], f"{account['policy']}, calendar {account['calendar']}"
    if "working_seconds" in target:
        promised = f"Promised within {hours(target['working_seconds'])} of working time ({promise})"
    elif target["meaning"] == "working_hours":
        promised = f"Promised within the working hours of {target['working_days']} working days ({promise})"
    else:
        promised = f"Promised by the end of working day {target['working_days']} after the day of the start ({promise})"
    used = f"after {hours(account['elapsed_working_seconds'])} of working time"
    match account["outcome"], account["state"]:
        case "met", _:
            outcome = f"done {_stopped(account)}, {used}: met"
        case "breached", state:
            done = f"done {_stopped(account)}" if state == "stopped" else "not done yet"
            outcome = f"due {_at(account['breached_at'])} and {done}: breached, {hours(account['overdue_working_seconds'])} over"
        case _, "paused":
            outcome = f"standing still {used}" + (f", due {_at(account['due_at'])}" if account["due_at"] else "")
        case _:
            outcome = f"running {used}, due {_at(account['due_at'])}"
            outcome += " (provisional: that year's holidays are not announced)" if account["provisional"] else ""
    shares = [f"{who or 'nobody'} {hours(amount)}" for who, amount in account["working_seconds_by_owner"].items()]
    waits = [f"{hours(amount)} for {who or 'nobody'}" for who, amount in account["paused_working_seconds_by_party"].items()]
    moves = " (which does not move this deadline)" if _is_fixed(target) else ""
    waited = [f"waited {', '.join(waits)}{moves}"] if waits else []
    return "; ".join([promised, outcome, "held by " + ", ".join(shares or ["nobody"]), *waited]) + "."


def _is_fixed(target: Mapping[str, Any]) -> bool:
    """Whether the deadline is an instant that no pause moves (X-06)."""
    return target.get("meaning") == "end_of_day" and not target.get("pauses_count")


def _stopped(account: Mapping[str, Any]) -> str:
    return _at(account["segments"][-1]["to"] if account["segments"] else account["started_at"])


def _at(instant: str) -> str:
    """An instant on the calendar's wall clock, to the second; the tables have it whole."""
    return datetime.fromisoformat(instant).strftime("%Y-%m-%d %H:%M:%S")
