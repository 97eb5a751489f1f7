"""Stamps as logs write them, read strictly: ISO 8601, or a pattern of strptime's directives."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timezone
from typing import NamedTuple

from common.kernel.documents import Node
from common.kernel.instants import after_second_60, instant_of
from common.kernel.zones import ZoneInfo
from ops.replay.zone_words import UNSURE, WORD, is_fixed, offset_of

_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d|\d{8})(?:[Tt ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?\s?(" + WORD + ")?",
    re.ASCII,
)
_PLAIN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_ZONE = re.compile(rf"(?<![A-Za-z])(?:{WORD})(?![A-Za-z\d])", re.ASCII)
_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)
_DIRECTIVES = frozenset("aAbBdfGHIjmMpSuUVwWyYzZ%")
_HOLE = "\x1f"
"""Stands where a pattern and a stamp have their zone."""
_SAMPLES = (datetime(2026, 11, 28, 16, 31, 45), datetime(2024, 2, 5, 21, 7, 9))  # noqa: DTZ001 - a pattern knows local times


class Stamp(NamedTuple):
    """A stamp that was read: a local time or one with its offset, and whether it is a mere date."""

    at: datetime
    dated: bool
    leap: bool = False
    """Whether it is a second 60: `at` then is the first instant of the next minute."""


Reader = Callable[[str], Stamp]


def iso_reader(zone: ZoneInfo | None) -> Reader:
    """Reads ISO 8601: a date, perhaps with a time, perhaps with an offset or a zone's abbreviation.

    Readers raise `Unusable` for a zone that nobody knows, and `ValueError` for what is no stamp.
    """

    def read(stamp: str) -> Stamp:
        if _PLAIN.fullmatch(stamp):
            return Stamp(instant_of(stamp), False)
        match = _ISO.fullmatch(stamp)
        if match is None or (match[2] is None and match[6] and match[6][0] in "+-"):
            raise ValueError
        day, hour, minute, second, fraction, word = match.groups()
        date = day if "-" in day else f"{day[:4]}-{day[4:6]}-{day[6:]}"
        text, leap = f"{date}T{hour or '00'}:{minute or '00'}:{second or '00'}.{fraction or '0'}", second == "60"
        found = after_second_60(text) if leap else datetime.fromisoformat(text)
        return Stamp(found if word is None else found.replace(tzinfo=offset_of(word, zone, found.year)), hour is None, leap)

    return read


def pattern_reader(form: str, when: Node, zone: ZoneInfo | None) -> Reader:
    """Reads stamps of a strptime pattern; raises a `Fault` of the declaration `when` for one that cannot tell a day, or no zone.

    A zone that stands in the stamp is read, also where it is a part of the pattern that is always the same, as `UTC`.
    """
    directives = _DIRECTIVE.findall(form)
    _check_directives(directives, when.field("format"))
    always = _always(form, zone, when)
    bare = re.sub(r"%[zZ]", _HOLE, form)
    dated = not {*"HI"} & {*directives}
    _check_samples(bare, when.field("format"), dated)
    if zone is None and always is None and not {*"zZ"} & {*directives}:
        raise when.fault("no zone: declare `zone`, such as Europe/Berlin, or have %z in the format")

    def read(stamp: str) -> Stamp:
        if bare == form:
            return Stamp(datetime.strptime(stamp, form).replace(tzinfo=always), dated)
        return Stamp(_with_hole(stamp, bare, zone), dated)

    return read


def _with_hole(stamp: str, bare: str, zone: ZoneInfo | None) -> datetime:
    """The stamp read around its zone, which is the last word that fits the pattern there."""
    for match in reversed(list(_ZONE.finditer(stamp))):
        try:
            found = datetime.strptime(f"{stamp[: match.start()]}{_HOLE}{stamp[match.end() :]}", bare)  # noqa: DTZ007 - the zone follows
        except ValueError:
            continue
        return found.replace(tzinfo=offset_of(match[0], zone, found.year))
    raise ValueError


def _check_directives(directives: list[str], declaration: Node) -> None:
    if not directives:
        raise declaration.fault("iso is expected, or a pattern of Python's strptime such as %d.%m.%Y %H:%M:%S")
    for directive in directives:
        if directive not in _DIRECTIVES:
            raise declaration.fault(f"strptime has no directive %{directive} that reads the same on every machine")
    used = set(directives)
    if len([directive for directive in directives if directive in "zZ"]) > 1:
        raise declaration.fault("one of %z and %Z is expected, once")
    if ("p" in used) != ("I" in used):
        raise declaration.fault("%I and %p belong together: hours of a half day and which half; %H is the hour of the day")
    if used & {*"MSf"} and not used & {*"HI"}:
        raise declaration.fault("the pattern reads minutes without hours")
    if not used & {*"YyG"}:
        raise declaration.fault("the pattern reads no year, so it names no day")


def _check_samples(bare: str, declaration: Node, dated: bool) -> None:
    """Writes two times in the pattern and reads them back: the day must come back, and the hour where there is one."""
    for sample in _SAMPLES:
        try:
            back = datetime.strptime(sample.strftime(bare), bare)  # noqa: DTZ007 - a pattern knows local times
        except (ValueError, re.error, KeyError, IndexError) as problem:
            raise declaration.fault(f"strptime cannot read the pattern ({problem})") from None
        if back.date() != sample.date():
            raise declaration.fault("the pattern does not name a day: year, month and day of the month, or what stands for them")
        if not dated and back.hour != sample.hour:
            raise declaration.fault("the pattern does not name an hour of the day")


def _always(form: str, zone: ZoneInfo | None, when: Node) -> timezone | None:
    """The zone that each stamp of the pattern ends with, as in `%H:%M:%S UTC`; it must not contradict the declared one."""
    for match in _ZONE.finditer(_DIRECTIVE.sub(_HOLE, form)):
        word = match[0]
        numeric = word[0] in "+-" and not form.endswith((f"%S{word}", f"%M{word}", f"%f{word}", f" {word}"))
        if word in UNSURE:
            raise when.field("format").fault(f"{word} stands for no one offset: write %Z in its place and declare the `zone`")
        if numeric or word != word.upper() or not is_fixed(word):
            continue
        if zone is not None and not (offset_of(word, None, 2000) == UTC and zone.key in ("UTC", "Etc/UTC", "GMT", "Etc/GMT")):
            raise when.field("zone").fault(f"each stamp says {word}, so no zone can be declared besides: leave `zone` out")
        return offset_of(word, None, 2000)
    return None
