"""Prints the statutory calendar of China as JSON: `python make_cn.py > cn.json`, in an environment with chinesecalendar.

The file was made once from chinesecalendar 1.11 and is reviewed data since then: a new year comes from its notice of the
State Council, not from a newer package. Only the two kinds of exception are kept: weekdays that are closed and weekend
days that are worked.
"""

import json
import sys
from datetime import date, timedelta

import chinese_calendar

# The package lacks the make-up day of 2005-12-31 (国办发明电〔2005〕35号: "12月31日(星期六)上班").
_WORKED_BY_NOTICE = {date(2005, 12, 31)}
_NOTICES = {
    2006: "国办发明电〔2005〕35号",
    2007: "国办发明电〔2006〕49号",
    2023: "国办发明电〔2022〕16号",
    2024: "国办发明电〔2023〕7号",
    2025: "国办发明电〔2024〕12号",
    2026: "国办发明电〔2025〕7号",
}
_FIRST, _LAST = 2004, 2026


def years() -> dict[str, dict[str, object]]:
    """Per year the notice (where its number is known), closed weekdays and make-up days as MM-DD."""
    found: dict[str, dict[str, object]] = {}
    for year in range(_FIRST, _LAST + 1):
        days = [date(year, 1, 1) + timedelta(days=index) for index in range((date(year + 1, 1, 1) - date(year, 1, 1)).days)]
        worked = {day for day in days if chinese_calendar.is_workday(day)} | _WORKED_BY_NOTICE
        found[str(year)] = {
            "notice": _NOTICES.get(year),
            "closed": [f"{day:%m-%d}" for day in days if day.weekday() < 5 and day not in worked],
            "make_up": [f"{day:%m-%d}" for day in days if day.weekday() >= 5 and day in worked],
        }
    return found


def written(statutory: dict[str, dict[str, object]]) -> str:
    """The document with one line a list, so that a reviewer can hold it against the notice."""
    blocks = []
    for year, entry in statutory.items():
        lines = ",\n".join(f"      {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in entry.items())
        blocks.append(f'    "{year}": {{\n{lines}\n    }}')
    body = ",\n".join(blocks)
    return f'{{\n  "known_until": "{_LAST}-12-31",\n  "years": {{\n{body}\n  }}\n}}\n'


if __name__ == "__main__":
    sys.stdout.write(written(years()))
