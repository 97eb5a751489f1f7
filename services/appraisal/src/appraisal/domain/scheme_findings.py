"""All that the reader of schemes (`scheme_from`) refuses in a document, where it says the first fault only.

Each part of the document is put by itself into a small scheme that is right, and read: what is refused at the part or inside it is a
finding, so no fault hides the next. The reader stays the one authority: nothing here decides what a scheme may hold.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from appraisal.domain.scheme import scheme_from
from common.kernel.faults import Fault, Where

_HEAD: dict[str, Any] = {"id": "x", "version": "1", "name": {"zh": "x", "en": "x"}, "source": "x"}
_PERIODS = {"period": "month", "zone": "UTC", "posts": {}, "least_periods": "1", "first_day": "1", "calendar": "cn"}
_SHEET = {"id": "x", "zh": "x", "en": "x", "weight": "100"}
_MEASURED = {**_SHEET, "indicators": [{"id": "x", "weight": "100", "zero_at": "0", "full_at": "100"}]}
_GROUPS = {"groups": ["x"], "required": "x", "when_missing": "refuse", "rate": "section", "weights": [{"x": "100"}]}
_RATED = {**_SHEET, "raters": _GROUPS}
_OUTCOME = {"outcome": "x", "grades": [], "trigger": "cycle", "times": "1", "confirm": "false", "source": "x"}
_AXIS = {"words": ["x"], "aliases": {}, "id": "x", "zh": "x", "period": "quarter"}
SCORED: dict[str, Any] = {
    **_HEAD,
    "cycle": _PERIODS,
    "scale": {"bands": [{"grade": "x", "en": "x", "from": "0", "to": "100", "aliases": []}], "round_before_banding": "false"},
    "sections": [_RATED],
    "when_not_assessable": "redistribute",
    "pay": {"pass_line": "60", "deducted_percent": "30", "reading": "a", "base_pay_deducted": "false"},
    "outcomes": [_OUTCOME],
}
"""A scheme that is right, with a score. The parts of a document are read in its order, so that a part finds what it rests on."""
IN_WORDS: dict[str, Any] = {
    **_HEAD,
    "cycle": _PERIODS,
    "committee": {"grades": [{"grade": "x", "en": "x"}], "axes": [_AXIS, _AXIS]},
    "outcomes": [_OUTCOME],
}
"""The same, with a committee."""
_OF_GRADES = ("unknown_grade", "gate_averaged", "one_scale")
_RESTS_ON: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "outcomes": (("scale", "committee"), _OF_GRADES),
    "gates": (("scale", "committee", "sections"), _OF_GRADES),
    "pay": (("scale", "committee"), _OF_GRADES),
    "axes": (("grades",), ("words_match",)),
    "aliases": (("words",), ("unknown_word",)),
    "required": (("groups",), ("unknown_group",)),
    "weights": (("groups", "required"), ("unknown_field", "weights_cover")),
    "least_periods": (("period",), ("out_of_range",)),
    "first_day": (("period",), ("out_of_range",)),
}
"""By which other parts a part is judged, and by which rules: while those are at fault, these say nothing of it."""
_NUMBERS = ("weight", "from", "to")
"""What is added up over a list; a sum is not judged while one of them is at fault."""
_MOST_READS = 2000


class _Found(NamedTuple):
    faults: list[Fault]
    mended: Any
    """The part, with what is right in the place of what is at fault."""
    is_own: bool
    """Whether that is still the document's own, but for fields that were left out or added: others may be judged by it."""


class _Place(NamedTuple):
    """Where a part is in the document, where in the right scheme, and how it is put there."""

    at: Where
    there: Where
    put: Callable[[Any], Any]

    def inside(self, step: str | int, there: str | int, put: Callable[[Any], Any]) -> "_Place":
        return _Place((*self.at, step), (*self.there, there), lambda value: self.put(put(value)))


def reader_findings(document: Mapping[str, Any]) -> list[Fault]:
    """The faults of a document of text, lists and objects; empty exactly when the reader takes it."""
    first = _fault_of(document)
    if first is None:
        return []
    right = IN_WORDS if "committee" in document and "scale" not in document else SCORED
    found = _Reading().fields(_Place((), (), lambda whole: whole), document, right).faults
    return found if any((one.where, one.rule) == (first.where, first.rule) for one in found) else [first, *found]


def _fault_of(document: object) -> Fault | None:
    try:
        scheme_from(document)
    except Fault as fault:
        return fault
    return None


class _Reading:
    """One document's parts are read, at most so many: whoever has more faults than that has the first of the whole in any case."""

    def __init__(self) -> None:
        self._left = _MOST_READS

    def fields(self, place: _Place, value: Mapping[str, Any], right: Mapping[str, Any]) -> _Found:
        faults: list[Fault] = []
        mended: dict[str, Any] = {}
        at_fault: set[str] = set()
        around = dict(right)
        order = {name: number for number, name in enumerate(right)}
        for name in sorted(value, key=lambda name: order.get(name, len(order))):
            ground, rules = _RESTS_ON.get(name, ((), ()))
            silent = rules if at_fault.intersection(ground) else ()
            inner = place.inside(name, name, lambda part, name=name: {**around, name: part})  # type: ignore[misc]  # no lambda has types
            found = self._part(inner, value[name], right.get(name))
            told = [fault for fault in found.faults if fault.rule not in silent]
            faults += told
            if not found.is_own or silent:
                at_fault.add(name)
            if found.mended is not None:
                mended[name] = around[name] = found.mended
        return self._missing(place, mended, faults, right, at_fault)

    def _missing(self, place: _Place, mended: dict[str, Any], faults: list[Fault], right: Mapping[str, Any], at_fault: set[str]) -> _Found:
        """The fields that must be there, one after another, and last what is wrong with an object whose fields are right."""
        while (fault := self._refused(place, mended)) is not None:
            name = fault.where[-1] if len(fault.where) == len(place.at) + 1 else None
            if not (isinstance(name, str) and name not in mended and name in right):
                numbers = {name: mended[name] for name in _NUMBERS if name in mended}
                return _Found(faults or [fault], {**right, **numbers}, is_own=False)
            faults.append(fault)
            mended[name] = right[name]
        return _Found(faults, mended, not at_fault)

    def items(self, place: _Place, value: Sequence[Any], right: Sequence[Any]) -> _Found:
        faults: list[Fault] = []
        mended = []
        own = True
        for number, item in enumerate(value):
            inner = place.inside(number, 0, lambda part: [part, *right[1:]])
            found = self._part(inner, item, _pattern(place.at, item, right))
            faults += found.faults
            own = own and found.is_own
            if found.mended is not None:
                mended.append(found.mended)
        fault = self._refused(place, mended)
        if fault is None:
            return _Found(faults, mended, own)
        is_new = not faults or (fault.where == place.at and not any(_hides_a_sum(one.where, place.at) for one in faults))
        return _Found([*faults, fault] if is_new else faults, right, is_own=False)

    def _part(self, place: _Place, value: Any, right: Any) -> _Found:
        if isinstance(value, Mapping) and isinstance(right, Mapping):
            return self.fields(place, value, right)
        if isinstance(value, list) and isinstance(right, list) and right and isinstance(right[0], Mapping):
            return self.items(place, value, right)
        fault = self._refused(place, value)
        return _Found([], value, is_own=True) if fault is None else _Found([fault], right, fault.rule == "unknown_field")

    def _refused(self, place: _Place, value: Any) -> Fault | None:
        """What the reader says about a part; what it says about the right scheme around it is of no interest."""
        self._left -= 1
        fault = _fault_of(place.put(value)) if self._left >= 0 else None
        length = len(place.there)
        if fault is None or fault.where[:length] != place.there:
            return None
        return Fault((*place.at, *fault.where[length:]), fault.rule, fault.what)


def _pattern(at: Where, item: Any, right: Sequence[Any]) -> Any:
    """What is right in the place of an item: of sections there are two kinds, and a row of weights names the scheme's own groups."""
    if at[-1] == "sections":
        return _MEASURED if isinstance(item, Mapping) and "indicators" in item else _RATED
    return {} if at[-1] == "weights" else right[0]


def _hides_a_sum(where: Where, at: Where) -> bool:
    """Whether a fault in the list at `at` is about a whole item of it, or about a number that is added up."""
    inside = where[len(at) :]
    return len(inside) == 1 or (len(inside) == 2 and (at[-1] == "weights" or inside[1] in _NUMBERS))
