"""What is wrong with a scheme although it can be read: with its indicators, its pay, its approvals and posts, and beside other schemes.

Documents are looked at as they are written, also where the reader refuses a part of them, so that all findings come at once.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import Any

from appraisal.domain.document import SCHEME, number
from appraisal.domain.indicators import REGISTRY, Direction, Indicator, Unit
from appraisal.domain.pay import pay_from
from common.kernel.calendars import BUILT_IN
from common.kernel.documents import Node
from common.kernel.faults import Fault, Where
from common.kernel.known_fields import nearest
from common.kernel.staff import LEVELS

_OFFICES = {"manager": ("functional_manager", "department_manager")}
"""Under which names the holder of a post stands in a chain of approvals (D11-40, D9-03)."""
_EFFECTIVE = ("from", "until", "departments")
_ALWAYS = ("0000-00-00", "9999-99-99")


def findings(
    document: Mapping[str, Any],
    posts: Collection[str] = (),
    registry: Sequence[Indicator] = REGISTRY,
    calendars: Collection[str] = (),
) -> Iterator[Fault]:
    """What is wrong with one scheme by itself; `posts` and `calendars` are those that the enterprise has beside the ordinary ones."""
    yield from _indicators(document, {one.id: one for one in registry})
    yield from _pay(document)
    yield from _posts(document, (*LEVELS, *posts))
    yield from _calendar(document, (*BUILT_IN, *calendars))
    yield from _approvals(document)
    yield from _effective(document)


def _indicators(document: Mapping[str, Any], registry: Mapping[str, Indicator]) -> Iterator[Fault]:
    for where, used, name in _named_indicators(document):
        known = registry.get(name)
        if known is None:
            yield Fault(where, "unknown_indicator", f"{name} is not in the registry{_nearest(name, registry)}")
            continue
        if not known.source.strip():
            yield Fault(where, "no_producer", f"nothing and nobody measures {name}")
        elif not known.denominator.strip():
            yield Fault(where, "no_denominator", f"{name} is counted over nothing")
        if where[0] == "sections":
            yield from _weighed(where, used, known)
        elif known.direction is Direction.HIGHER:
            yield Fault(where, "caps_the_better", f"the gate opens as soon as there is any {name}, and of it higher is better")


def _named_indicators(document: Mapping[str, Any]) -> Iterator[tuple[Where, Mapping[str, Any], str]]:
    for place, section in _objects(document.get("sections")):
        for index, used in _objects(section.get("indicators")):
            if isinstance(name := used.get("id"), str):
                yield ("sections", place, "indicators", index, "id"), used, name
    for place, gate in _objects(document.get("gates")):
        if isinstance(name := gate.get("indicator"), str):
            yield ("gates", place, "indicator"), gate, name


def _weighed(where: Where, used: Mapping[str, Any], known: Indicator) -> Iterator[Fault]:
    """What is weighed is a rate, and its scores rise with what is better."""
    if known.unit is Unit.COUNT:
        yield Fault(where, "count_weighed", f"{known.id} is a count: there is no rate that could be scored")
        return
    part = Node(used, where[:-1], SCHEME)
    try:
        zero_at, full_at = number(part.field("zero_at"), "0"), number(part.field("full_at"), "100")
    except Fault:
        return  # a finding of the reader
    if zero_at != full_at and (full_at > zero_at) is not (known.direction is Direction.HIGHER):
        told = f"{_shown(full_at)} % scores 100 and {_shown(zero_at)} % scores 0, and of {known.id} {known.direction} is better"
        yield Fault(where, "pays_the_worse", told)


def _pay(document: Mapping[str, Any]) -> Iterator[Fault]:
    """Pay never falls when the score rises (X-14), and a failing month costs the bonus, never base pay (D9-07, X-13)."""
    try:
        rule = pay_from(Node(document["pay"], ("pay",), SCHEME))
    except (Fault, KeyError):
        return
    line, base = rule.pass_line, Fraction(1)
    failing, passing = (rule.pay(base, line, deciding).exact for deciding in (line - 1, line))
    if failing > passing and line > 0:
        told = f"just below {_shown(line)} the pay is {_shown(failing)} of the base, at {_shown(line)} it is {_shown(passing)}"
        yield Fault(("pay", "reading"), "pay_falls", told)
    if rule.base_pay_deducted:
        yield Fault(("pay", "base_pay_deducted"), "base_pay_deducted", "a failing month would cost base pay")


def _shown(number: Fraction) -> str:
    return f"{float(number):g}"


def _posts(document: Mapping[str, Any], known: Sequence[str]) -> Iterator[Fault]:
    cycle = document.get("cycle")
    own = cycle.get("posts") if isinstance(cycle, Mapping) else None
    named: list[tuple[Where, str]] = [(("cycle", "posts", post), post) for post in own] if isinstance(own, Mapping) else []
    for part in ("approvals", "dimensions"):
        given = document.get(part)
        named += [((part, post), post) for post in given if post != "default"] if isinstance(given, Mapping) else []
    for where, post in named:
        if post not in known:
            yield Fault(where, "unknown_post", f"there is no post {post}{_nearest(post, known)}")


def _calendar(document: Mapping[str, Any], known: Sequence[str]) -> Iterator[Fault]:
    cycle = document.get("cycle")
    named = cycle.get("calendar") if isinstance(cycle, Mapping) else None
    if isinstance(named, str) and named not in known:
        yield Fault(("cycle", "calendar"), "unknown_calendar", f"there is no calendar {named}{_nearest(named, known)}")


def _nearest(name: str, known: Collection[str]) -> str:
    near = nearest(name, known)
    return f"; the nearest is {near}" if near else ""


def _approvals(document: Mapping[str, Any]) -> Iterator[Fault]:
    """A chain comes to nobody twice, and to nobody about the own result (D11-40, X-35)."""
    chains = document.get("approvals")
    if not isinstance(chains, Mapping):
        return
    names = _one_name_a_role(document.get("roles"))
    for post, chain in chains.items():
        if not isinstance(chain, list) or not all(isinstance(role, str) for role in chain):
            yield Fault(("approvals", post), "bad_chain", "a list of roles is expected, in the order in which they approve")
            continue
        seen: set[str] = set()
        for place, role in enumerate(chain):
            name = names.get(role, role)
            if name in seen:
                yield Fault(("approvals", post, place), "approves_twice", f"{role} has approved before in this chain")
            seen.add(name)
    for post in sorted(_graded_posts(document)):
        by = post if post in chains else "default"
        chain = chains.get(by)
        for place, role in enumerate(chain if isinstance(chain, list) else ()):
            if isinstance(role, str) and names.get(role, role) in (post, *_OFFICES.get(post, ())):
                yield Fault(("approvals", by, place), "approves_own", f"for a {post}, {role} would approve the own result")


def _graded_posts(document: Mapping[str, Any]) -> set[str]:
    """The posts of which the document says that it grades them."""
    cycle = document.get("cycle")
    posts = cycle.get("posts") if isinstance(cycle, Mapping) else None
    chains = document.get("approvals")
    named = {str(post) for part in (posts, chains) if isinstance(part, Mapping) for post in part}
    return named - {"default"}


def _one_name_a_role(roles: object) -> dict[str, str]:
    """Every other name of a role, with the one that stands for all of them (X-12)."""
    if not isinstance(roles, Mapping):
        return {}
    return {str(name): str(role) for role, names in roles.items() if isinstance(names, list) for name in names}


@dataclass(frozen=True, slots=True)
class _Validity:
    first: str
    last: str
    departments: frozenset[str]
    """Empty for all of them."""

    def meets(self, other: "_Validity") -> bool:
        shared = not self.departments or not other.departments or self.departments & other.departments
        return bool(shared) and self.first <= other.last and other.first <= self.last


def _effective(document: Mapping[str, Any]) -> Iterator[Fault]:
    try:
        _validity(document)
    except Fault as fault:
        yield fault


def _validity(document: Mapping[str, Any]) -> _Validity:
    """From when until when, and for which departments, a scheme is in force; where it says nothing, always and for all.

    `effective: 2027-01-01` is short for `effective: {from: 2027-01-01}`.
    """
    given = document.get("effective", {})
    part = Node({"from": given} if isinstance(given, str) else given, ("effective",), SCHEME)
    part.fields(known=_EFFECTIVE)
    first, last = (part.field(name).date().isoformat() if name in part else edge for name, edge in zip(_EFFECTIVE, _ALWAYS, strict=False))
    if first > last:
        raise part.field("until").fault("it would end before it begins", "bad_date")
    departments = part.field("departments").texts() if "departments" in part else ()
    return _Validity(first, last, frozenset(departments))


@dataclass(frozen=True, slots=True)
class Given:
    """A scheme's file beside others: its name and document, and whether it is a preset as it is shipped."""

    file: str
    document: Mapping[str, Any]
    is_shipped: bool = False


def conflicts(given: Iterable[Given]) -> Iterator[tuple[str, Fault]]:
    """Files that do not go together, each with what is wrong: two schemes have outcomes for one department on one date (X-31).

    Presets as they are shipped are a choice, not yet in force anywhere: they do not conflict with each other.
    """
    for one, other in combinations(given, 2):
        if (one.is_shipped and other.is_shipped) or _one_scheme(one.document, other.document):
            continue
        try:
            meet = _validity(one.document).meets(_validity(other.document))
        except Fault:
            continue  # a finding of that file
        if not meet:
            continue
        for file, told in ((one, other), (other, one)):
            if (part := _paying(file.document)) and _paying(told.document):
                yield file.file, Fault((part,), "outcomes_overlap", f"{told.file} has outcomes for the same departments and dates too")
            if _deducts(file.document) and _deducts(told.document):
                yield (
                    file.file,
                    Fault(("pay", "base_pay_deducted"), "deducted_twice", f"{told.file} deducts base pay from the same people too"),
                )


def _paying(document: Mapping[str, Any]) -> str:
    """The part from which something follows for a person; empty for an observer, which grades and pays nobody."""
    return next((part for part in ("outcomes", "pay") if document.get(part)), "")


def _deducts(document: Mapping[str, Any]) -> bool:
    pay = document.get("pay")
    return isinstance(pay, Mapping) and pay.get("base_pay_deducted") == "true"


def _one_scheme(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether the two are the same file again, or versions of one scheme: a later one ends the one before it."""
    same_id = one.get("id") == other.get("id")
    return (same_id and one.get("version") != other.get("version")) or one == other


def _objects(value: object) -> Iterator[tuple[int, Mapping[str, Any]]]:
    return ((number, one) for number, one in enumerate(value if isinstance(value, list) else ()) if isinstance(one, Mapping))
