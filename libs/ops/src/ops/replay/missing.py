"""Words that stand for a missing value: those that a mapping declares, and those that look like one."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

SUSPECTS = frozenset(
    (
        "?", "??", "???", "-", "--", "---", "–", "—", ".", "*", "n/a", "#n/a", "na", "n.a.", "nan", "none", "null", "(null)", "<null>",
        "nil", "nul", "unknown", "unspecified", "undefined", "missing", "empty", "blank", "(blank)", "not available", "not applicable",
        "not specified", "tbd", "unbekannt", "inconnu", "无", "未知", "空", "不详", "不明", "暂无", "未填写",
    )
)  # fmt: skip
"""Words that often stand for a missing value, in lower case."""


class Part(NamedTuple):
    """A column that is read for a purpose, and the words that stand for nothing in it."""

    column: int
    missing: frozenset[str]

    def of(self, values: tuple[str, ...]) -> str:
        """The row's value; empty where it is blank or a word for "missing"."""
        value = values[self.column]
        return "" if value in self.missing or value.isspace() else value


class Suspects:
    """Counts the values that look like words for "missing" and have no meaning in the mapping."""

    def __init__(self, columns: tuple[str, ...], explained: Mapping[int, frozenset[str]]) -> None:
        self._columns = columns
        self._explained = tuple(explained.items())
        self._found: Counter[tuple[int, str]] = Counter()

    def look_at(self, values: tuple[str, ...]) -> None:
        """Takes a row."""
        for column, explained in self._explained:
            value = values[column]
            if len(value) < 16 and value.lower() in SUSPECTS and value not in explained:
                self._found[column, value] += 1

    def document(self) -> list[dict[str, Any]]:
        """Column, value, number of rows, and what to do about it, in a sentence."""
        found = sorted((self._columns[column], value, rows) for (column, value), rows in self._found.items())
        return [{"column": column, "value": value, "rows": rows, "hint": _hint(column, value, rows)} for column, value, rows in found]


def _hint(column: str, value: str, rows: int) -> str:
    where = f"{rows:,} row{'' if rows == 1 else 's'} of the column {column!r}"
    return f'{value!r} in {where} is taken for a name; if nothing is meant, declare missing: ["{value}"]'
