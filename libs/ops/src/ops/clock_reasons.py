"""Why a clock is met, breached or open, in one sentence of Chinese and one of English: for the person who is charged with it."""

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any

from common.kernel.instants import SECOND

ZH = {
    "hours": "承诺 {amount} 工作时间内完成（{policy}，日历 {calendar}）",
    "hours_of_days": "承诺 {amount} 个工作日的工作时长内完成（{policy}，日历 {calendar}）",
    "end_of_day": "承诺在起始日之后第 {amount} 个工作日{hour}完成（{policy}，日历 {calendar}）",
    "same_day": "承诺当日{hour}办结{cut_off}（{policy}，日历 {calendar}）",
    "after_day_0": "承诺在起算日之后第 {amount} 个工作日{hour}完成{cut_off}（{policy}，日历 {calendar}）",
    "no_promise": "未作时限承诺：{why_none}（{policy}，日历 {calendar}）",
    "by_closing": "结束前",
    "by_hour": " {time} 前",
    "with_cut_off": "，{time} 截止受理，逾时自下一工作日起算",
    "day_off": "当日非工作日，自 {date} 起算",
    "cut_off": "截止时刻后受理，自 {date} 起算",
    "closing": "下班后受理，自 {date} 起算",
    "by": "当日办结时刻已过，自 {date} 起算",
    "patterns": "适用作息：{patterns}",
    "season": "季节作息 {from} 至 {to}",
    "alternating": "大小周（基准日 {anchor}）",
    "excused": "免责时段不计时：{windows}",
    "extended": "到期前已告知客户延期 {extensions} 次",
    "rounds": "第 {round} 轮，自 {begun} 重新起算（此前：{before}）",
    "round_met": "达标",
    "round_breached": "超时",
    "round_superseded": "未完成即重新起算，不计",
    "round_none": "未作承诺",
    "void": "已作废（{why_void}），不计达标也不计超时",
    "nothing_owed": "进行中，已用工作时间 {used}，无到期时间",
    "nothing_owed_done": "{stopped} 完成，已用工作时间 {used}，不考核时限",
    "met": "{stopped} 完成，已用工作时间 {used}，达标",
    "breached": "{due} 到期，{stopped} 才完成，超时 {over}",
    "breached_and_not_done": "{due} 到期，尚未完成，超时 {over}",
    "paused": "暂停中，已用工作时间 {used}",
    "paused_but_due": "暂停中，已用工作时间 {used}，{due} 到期",
    "running": "进行中，已用工作时间 {used}，{due} 到期",
    "running_provisional": "进行中，已用工作时间 {used}，{due} 到期（暂定：该年度节假日尚未公布）",
    "held": "计时归属：{shares}",
    "share": "{who} {time}",
    "wait": "{who} {time}",
    "waited": "暂停（不计时）：{shares}",
    "waited_in_vain": "暂停（期限不顺延）：{shares}",
    "nobody": "未指定",
    "none": "无",
    "and": "、",
    "then": "；",
    "end": "。",
}
EN = {
    "hours": "Promised within {amount} of working time ({policy}, calendar {calendar})",
    "hours_of_days": "Promised within the working hours of {amount} working days ({policy}, calendar {calendar})",
    "end_of_day": "Promised by {hour} of working day {amount} after the day of the start ({policy}, calendar {calendar})",
    "same_day": "Promised by {hour} of the same day{cut_off} ({policy}, calendar {calendar})",
    "after_day_0": "Promised by {hour} of working day {amount} after the day from which it counts{cut_off} ({policy}, calendar {calendar})",
    "no_promise": "No time is promised: {why_none} ({policy}, calendar {calendar})",
    "by_closing": "the end",
    "by_hour": "{time}",
    "with_cut_off": ", with a cut-off at {time}",
    "day_off": "counted from {date}, since nobody worked on the day of the start",
    "cut_off": "counted from {date}, since it came after the cut-off",
    "closing": "counted from {date}, since it came after closing",
    "by": "counted from {date}, since that hour was over",
    "patterns": "hours of {patterns}",
    "season": "the season from {from} to {to}",
    "alternating": "the weekday that alternates with {anchor}",
    "excused": "no time counted during {windows}",
    "extended": "extended {extensions} time(s), each told to the customer before the deadline",
    "rounds": "round {round}, which began anew {begun} (before: {before})",
    "round_met": "met",
    "round_breached": "breached",
    "round_superseded": "begun anew before it was over, which counts for nobody",
    "round_none": "nothing promised",
    "void": "void ({why_void}): neither met nor breached",
    "nothing_owed": "running after {used} of working time, due at no time",
    "nothing_owed_done": "done {stopped}, after {used} of working time, with no time to keep",
    "met": "done {stopped}, after {used} of working time: met",
    "breached": "due {due} and done {stopped}: breached, {over} over",
    "breached_and_not_done": "due {due} and not done yet: breached, {over} over",
    "paused": "standing still after {used} of working time",
    "paused_but_due": "standing still after {used} of working time, due {due}",
    "running": "running after {used} of working time, due {due}",
    "running_provisional": "running after {used} of working time, due {due} (provisional: that year's holidays are not announced)",
    "held": "held by {shares}",
    "share": "{who} {time}",
    "wait": "{time} for {who}",
    "waited": "waited {shares}",
    "waited_in_vain": "waited {shares} (which does not move this deadline)",
    "nobody": "nobody",
    "none": "nobody",
    "and": ", ",
    "then": "; ",
    "end": ".",
}


def reasons(account: Mapping[str, Any]) -> tuple[str, str]:
    """The reason in Chinese and in English, from the members of the account that `clock explain --json` prints."""
    return _sentence(account, ZH), _sentence(account, EN)


def hours(amount: int | str) -> str:
    """Working seconds as hours, minutes and seconds; parts of a second as they are."""
    micros = int(Fraction(amount) * SECOND)
    whole, rest = divmod(micros, SECOND)
    text = f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
    return f"{text}.{rest:06}" if rest else text


def _sentence(account: Mapping[str, Any], words: Mapping[str, str]) -> str:
    target = account["target"]
    kind, amount = _promise(target)
    told = {
        "amount": amount,
        "hour": words["by_hour"].format(time=target["by"]) if "by" in target else words["by_closing"],
        "cut_off": words["with_cut_off"].format(time=target["cut_off"]) if "cut_off" in target else "",
        "policy": account["policy"],
        "calendar": account["calendar"],
        "stopped": _at(account["segments"][-1]["to"] if account["segments"] else account["started_at"]),
        "due": _at(account["breached_at"] or account["due_at"]),
        "used": hours(account["elapsed_working_seconds"]),
        "over": hours(account["overdue_working_seconds"]),
        "why_none": target.get("reason", ""),
        "why_void": next((event["reason"] for event in account.get("ledger", ()) if event["type"] == "voided" and event["counts"]), ""),
        "extensions": str(account.get("extensions", 0)),
        "round": str(len(account.get("rounds", ())) + 1),
        "begun": _at(account["started_at"]),
        "before": words["and"].join(words[f"round_{one['outcome']}"] for one in account.get("rounds", ())),
        "windows": words["and"].join(f"{one['from']} – {one['to']} ({one['reason']})" for one in account.get("excused", ())),
    }
    parts = [words[kind].format(**told)]
    if reason := account.get("day_0", {}).get("reason"):
        parts.append(words[reason].format(date=account["day_0"]["date"]))
    if patterns := [words[name].format(**pattern) for name, pattern in patterns_of(account)]:
        parts.append(words["patterns"].format(patterns=words["and"].join(patterns)))
    parts += [
        words[name].format(**told)
        for name, is_so in (
            ("rounds", account.get("rounds")),
            ("excused", account.get("excused")),
            ("extended", account.get("extensions")),
        )
        if is_so
    ]
    parts.append(words[_how_it_stands(account)].format(**told))
    parts.append(words["held"].format(shares=_shares(account["working_seconds_by_owner"], "share", words)))
    if waits := account["paused_working_seconds_by_party"]:
        parts.append(words["waited_in_vain" if _is_fixed(account["target"]) else "waited"].format(shares=_shares(waits, "wait", words)))
    return words["then"].join(parts) + words["end"]


def _promise(target: Mapping[str, Any]) -> tuple[str, str]:
    """The kind of promise, and how much was promised."""
    if "none" in target:
        return "no_promise", ""
    if "working_seconds" in target:
        return "hours", hours(target["working_seconds"])
    number = target["working_days"]
    if target["meaning"] == "working_hours":
        return "hours_of_days", str(number)
    if number == 0:
        return "same_day", ""
    return "after_day_0" if "cut_off" in target else "end_of_day", str(number)


def patterns_of(account: Mapping[str, Any]) -> list[tuple[str, dict[str, str]]]:
    """The seasons and alternating weekdays whose hours were counted or are still to come, each once, by the name of their kind."""
    counted = [*account.get("days", ()), *(one for segment in account["segments"] for one in segment.get("ranges", ()))]
    found: list[tuple[str, dict[str, str]]] = []
    for step in (*counted, *account.get("ahead", ())):
        found += [(name, step[name]) for name in ("season", "alternating") if name in step and (name, step[name]) not in found]
    return found


def _how_it_stands(account: Mapping[str, Any]) -> str:
    match account["outcome"], account["state"]:
        case "met" | "void" as outcome, _:
            return str(outcome)
        case "none", state:
            return "nothing_owed_done" if state in ("stopped", "void") else "nothing_owed"
        case "breached", state:
            return "breached" if state == "stopped" else "breached_and_not_done"
        case _, "paused":
            return "paused_but_due" if account["due_at"] else "paused"
        case _:
            return "running_provisional" if account["provisional"] else "running"


def _shares(shares: Mapping[str, int | str], one: str, words: Mapping[str, str]) -> str:
    each = (words[one].format(who=who or words["nobody"], time=hours(amount)) for who, amount in shares.items())
    return words["and"].join(each) or words["none"]


def _is_fixed(target: Mapping[str, Any]) -> bool:
    """Whether the deadline is an instant that no pause moves (X-06)."""
    return target.get("meaning") == "end_of_day" and not target.get("pauses_count")


def _at(instant: str | None) -> str:
    """An instant on the calendar's wall clock, to the second; the tables have it whole."""
    return "" if instant is None else datetime.fromisoformat(instant).strftime("%Y-%m-%d %H:%M:%S")
