"""How one field of an event is made from a row: a small fixed vocabulary, so that a mapping stays declarations.

A field is a constant, or an object with one source: `column` (a column of the row, with `missing` for the words that stand
for nothing in it), `set` (what the row's rule sets) or `row: number`. Around it: `from: first` (the case's first row instead
of this one), `blank` (what a blank stands for), `table` with `otherwise` (a lookup), `as` (slug, pseudonym, word, number),
`prefix` and `suffix`.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from common.kernel.documents import Node
from ops.replay.declarations import Columns
from ops.replay.rows import Row, Unusable

_KNOWN = ("column", "set", "row", "from", "blank", "table", "otherwise", "as", "prefix", "suffix", "missing")
_KINDS = ("slug", "pseudonym", "word", "number")
_REFUSED_IN_ID = re.compile(r"[^A-Za-z0-9.@-]")
_REFUSED_IN_WORD = re.compile(r"[^A-Za-z0-9\u4e00-\u9fff ._:/()+-]")
NOTHING: Any = object()
"""Stands for a declaration that was not made."""

KNOWN = 4096

Sets = Mapping[str, str]
Source = Callable[[Row, Sets], str]


@dataclass(frozen=True, slots=True)
class FieldValue:
    """One field's declaration, read."""

    name: str
    source: Source | None
    """None for a constant, which then is `otherwise`."""
    of_first: bool = False
    blank: Any = NOTHING
    table: Mapping[str, Any] | None = None
    otherwise: Any = NOTHING
    kind: str = ""
    prefix: str = ""
    suffix: str = ""
    salt: str = ""
    missing: frozenset[str] = frozenset()
    """Words that stand for nothing, unless the table gives them a meaning."""
    known: dict[str, object] = field(default_factory=dict, compare=False, repr=False)
    """What values became, since the same names come in row after row; at most `KNOWN` of them."""

    def of(self, row: Row, first: Row, sets: Sets) -> object:
        """The field's value for `row` of the case that begins with `first`; raises `Unusable`."""
        if self.source is None:
            return self.otherwise
        said = self.source(first if self.of_first else row, sets)
        found = self.known.get(said, NOTHING)
        if found is NOTHING:
            if len(self.known) >= KNOWN:
                self.known.clear()
            found = self.known[said] = self._of(said)
        return found

    def _of(self, found: str) -> object:
        if found in self.missing and not (self.table and found in self.table):
            found = ""
        if self.kind == "word":
            found = word(found)
        if not found or found.isspace():
            if self.blank is NOTHING:
                raise Unusable(f"blank:{self.name}")
            return self.blank
        if self.table is not None:
            value = self.table.get(found, self.otherwise)
            if value is NOTHING:
                raise Unusable(f"not_in_table:{self.name}")
            return f"{self.prefix}{value}{self.suffix}" if self.prefix or self.suffix else value
        return self._made(found)

    def _made(self, found: str) -> object:
        match self.kind:
            case "number":
                if not re.fullmatch(r"-?[0-9]{1,18}", found, re.ASCII):
                    raise Unusable(f"no_number:{self.name}")
                return int(found)
            case "slug":
                found = slug(found)
            case "pseudonym":
                found = pseudonym(self.salt, found)
        return f"{self.prefix}{found}{self.suffix}"


def read_field(declaration: Node, name: str, columns: Columns, sets: Collection[str], salt: str) -> FieldValue:
    """The field that a declaration describes; `sets` are what rules set, `salt` is what pseudonyms are made with."""
    if not isinstance(declaration.value, dict):
        return FieldValue(name, None, otherwise=declaration.value)
    declared = declaration.fields(known=_KNOWN)
    table = declaration.field("table").fields() if "table" in declared else None
    if table is not None and not table:
        raise declaration.field("table").fault("at least one value with what it stands for is expected")
    if table is None and "otherwise" in declared:
        raise declaration.field("otherwise").fault("it is for values that a table does not have, and there is no table")
    if "missing" in declared and "column" not in declared:
        raise declaration.field("missing").fault("it is for the values of a column")
    source, missing = _source(declaration, columns, table or (), sets)
    return FieldValue(
        name,
        source,
        of_first="from" in declared and bool(declaration.field("from").one_of(("first",))),
        blank=declared.get("blank", NOTHING),
        table=table,
        otherwise=declared.get("otherwise", NOTHING),
        kind=declaration.field("as").one_of(_KINDS) if "as" in declared else "",
        prefix=declaration.field("prefix").text() if "prefix" in declared else "",
        suffix=declaration.field("suffix").text() if "suffix" in declared else "",
        salt=salt,
        missing=missing,
    )


def _source(declaration: Node, columns: Columns, meaning: Iterable[str], sets: Collection[str]) -> tuple[Source, frozenset[str]]:
    """Where the value is taken from, and the words that stand for nothing there."""
    match [name for name in ("column", "set", "row") if name in declaration]:
        case ["column"]:
            column, missing = columns.part(declaration, meaning)
            return lambda row, _: row.values[column], missing
        case ["set"]:
            key = declaration.field("set").one_of(sets)
            return lambda _, sets: sets.get(key, ""), frozenset()
        case ["row"]:
            declaration.field("row").one_of(("number",))
            return lambda row, _: str(row.number), frozenset()
        case _:
            raise declaration.fault("exactly one of column, set, row is expected")


def slug(value: str) -> str:
    """`value` as an id that our contracts take: a blank becomes `_`, what they refuse `:` and its UTF-8 bytes in hex.

    Two values never share a slug.
    """
    return _REFUSED_IN_ID.sub(lambda found: "_" if found[0] == " " else "".join(f":{byte:02x}" for byte in found[0].encode()), value)


def pseudonym(salt: str, value: str) -> str:
    """Twelve hexadecimal digits that stand for a name: names of persons do not travel (decisions 9)."""
    return hashlib.sha256(f"{salt}\x1f{value}".encode()).hexdigest()[:12]


def word(value: str) -> str:
    """`value` as a word of a list: without what words may not have, at most 64 characters, perhaps none; for reading, not for keys."""
    return _REFUSED_IN_WORD.sub("-", value).lstrip(" ._:/()+-")[:64].rstrip()
