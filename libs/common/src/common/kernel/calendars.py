"""The calendars that have a name: "cn" with the statutory working days of China, "mon-fri" and "24x7" (P2)."""

import json
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path

from common.kernel.faults import Fault, Where
from common.kernel.timeline import Hours
from common.kernel.working_time import Calendar

NINE_TO_SIX = (Hours(9 * 3600, 18 * 3600),)
ALL_DAY = (Hours(0, 24 * 3600),)
BUILT_IN = ("cn", "mon-fri", "24x7")


@cache
def built_in(name: str) -> Calendar:
    """The built-in calendar of this name; raises `Fault` `unknown_calendar`.

    "cn": Asia/Shanghai, 09:00–18:00 on the statutory working days of the State Council's notices, known for 2004–2026
    (before and after, Monday to Friday); in 5 of these years a notice also moved the last days of the year before, so those from
    26 December of the last one on are unsure. "mon-fri": UTC, 09:00–18:00, no holidays. "24x7": UTC, always.
    """
    match name:
        case "cn":
            return _china()
        case "mon-fri":
            return Calendar("UTC", weekly_hours=(NINE_TO_SIX,) * 5 + ((),) * 2)
        case "24x7":
            return Calendar("UTC", weekly_hours=(ALL_DAY,) * 7)
        case _:
            raise Fault(("calendar",), "unknown_calendar", f"the built-in calendars are {', '.join(BUILT_IN)}")


def named(name: str, others: Mapping[str, Calendar], where: Where = ("calendar",)) -> Calendar:
    """The calendar of this name among the built-in ones and `others`; raises `Fault` `unknown_calendar`."""
    if name in others:
        return others[name]
    if name in BUILT_IN:
        return built_in(name)
    known = ", ".join((*BUILT_IN, *sorted(others)))
    raise Fault(where, "unknown_calendar", f"the known calendars are {known}")


def _china() -> Calendar:
    source = Path(__file__).with_name("calendar_data") / "cn.json"
    statutory = json.loads(source.read_text(encoding="utf-8"))
    years = statutory["years"].items()
    return Calendar(
        "Asia/Shanghai",
        weekly_hours=(NINE_TO_SIX,) * 5 + ((),) * 2,
        closed_dates=frozenset(date.fromisoformat(f"{year}-{day}") for year, days in years for day in days["closed"]),
        make_up_days=frozenset(date.fromisoformat(f"{year}-{day}") for year, days in years for day in days["make_up"]),
        known_until=date.fromisoformat(statutory["known_until"]),
        known_from=date(min(map(int, statutory["years"])), 1, 1),
        unsure_from=(12, 26),
    )
