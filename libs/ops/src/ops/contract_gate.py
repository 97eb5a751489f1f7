"""What a change of a contract means for those who wrote and read under the old one: the gate that a break does not pass.

A schema is JSON Schema as pydantic writes it. An event that we decide is read again on replay and by others, so it may neither
be narrowed nor become something that a reader does not know; a claim is only read by us. A reader skips words of a list that it
does not know (CONTRIBUTING.md), so a longer list is no break.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: `rule` names its kind, `field` the place (`data.members[].post`), `breaking` whether it must not be."""

    rule: str
    field: str
    breaking: bool
    was: str = ""
    now: str = ""

    def __str__(self) -> str:
        """One line for a person: the verdict first."""
        verdict = "BREAKS" if self.breaking else "ok"
        return f"{verdict} {self.field}: {self.rule}" + (f" ({self.was} → {self.now})" if self.was or self.now else "")


def changes(old: Schema, new: Schema, *, ours: bool) -> list[Change]:
    """Every difference between two schemas of one event type; `ours` tells that we write it and others read it."""
    return list(_differ(inlined(old), inlined(new), "data", ours))


def inlined(schema: Schema) -> dict[str, Any]:
    """The schema with every `$ref` replaced by what it refers to, so that it can stand inside another document."""
    definitions = schema.get("$defs", {})

    def resolve(node: Any) -> Any:
        if isinstance(node, Mapping):
            if "$ref" in node:
                found = definitions[node["$ref"].rpartition("/")[2]]
                return resolve({**found, **{name: value for name, value in node.items() if name != "$ref"}})
            return {name: resolve(value) for name, value in node.items() if name != "$defs"}
        return [resolve(entry) for entry in node] if isinstance(node, list) else node

    resolved: dict[str, Any] = resolve(schema)
    return resolved


def _differ(old: Schema, new: Schema, field: str, ours: bool) -> Iterator[Change]:
    before, after = _alternatives(old), _alternatives(new)
    if any(not _admitted(kind, after) for kind in before):
        yield Change("type_narrowed", field, True, _kinds(before), _kinds(after))
    elif any(not _admitted(kind, before) for kind in after):
        yield Change("type_widened", field, ours, _kinds(before), _kinds(after))
    for kind in [kind for kind in before if kind in after]:
        yield from _differ_in_kind(before[kind], after[kind], field, ours)
    if old.get("default", _ABSENT) != new.get("default", _ABSENT) and "default" in old and "default" in new:
        yield Change("default_changed", field, True, repr(old["default"]), repr(new["default"]))


def _alternatives(schema: Schema) -> dict[str, Schema]:
    """What may stand here, by kind: one entry for each JSON type, `any` where nothing is said."""
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        found: dict[str, Schema] = {}
        for kind, branch in (pair for entry in branches for pair in _alternatives(entry).items()):
            found[f"{kind} {len(found)}" if kind in found else kind] = branch
        return found
    kinds = schema.get("type", "any")
    return dict.fromkeys([kinds] if isinstance(kinds, str) else kinds, schema)


def _admitted(kind: str, by: Mapping[str, Schema]) -> bool:
    return kind in by or "any" in by or (kind == "integer" and "number" in by)


def _kinds(alternatives: Mapping[str, Schema]) -> str:
    return " | ".join(sorted(alternatives))


def _differ_in_kind(old: Schema, new: Schema, field: str, ours: bool) -> Iterator[Change]:
    yield from _words(old, new, field)
    for name in ("pattern", "format"):
        if old.get(name) != new.get(name):
            # Whether one pattern admits all that another does cannot be told in general: another pattern is a tighter one.
            rule = f"{name}_dropped" if new.get(name) is None else f"{name}_tightened"
            yield Change(rule, field, new.get(name) is not None, str(old.get(name)), str(new.get(name)))
    yield from _limits(old, new, field)
    yield from _members(old, new, field, ours)
    if "items" in old or "items" in new:
        yield from _differ(old.get("items", {}), new.get("items", {}), f"{field}[]", ours)
    if new.get("uniqueItems") and not old.get("uniqueItems"):
        yield Change("unique_items_asked", field, True)


def _words(old: Schema, new: Schema, field: str) -> Iterator[Change]:
    before, after = _listed(old), _listed(new)
    if before is None and after is None:
        return
    if after is None:
        yield Change("list_opened", field, False)
    elif before is None:
        yield Change("list_closed", field, True, now=", ".join(after))
    else:
        for word in [word for word in before if word not in after]:
            yield Change("enum_value_removed", field, True, was=word)
        for word in [word for word in after if word not in before]:
            yield Change("enum_value_added", field, False, now=word)


def _listed(schema: Schema) -> list[str] | None:
    words = [schema["const"]] if "const" in schema else schema.get("enum")
    return None if words is None else [str(word) for word in words]


def _limits(old: Schema, new: Schema, field: str) -> Iterator[Change]:
    for name in (*_LOWER, *_UPPER):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        tighter = after is not None and (before is None or (after > before if name in _LOWER else after < before))
        yield Change("limit_tightened" if tighter else "limit_loosened", field, tighter, f"{name} {before}", f"{name} {after}")


def _members(old: Schema, new: Schema, field: str, ours: bool) -> Iterator[Change]:
    before, after = old.get("properties", {}), new.get("properties", {})
    gone, fresh = [name for name in before if name not in after], [name for name in after if name not in before]
    for name in gone:
        heir = next((other for other in fresh if _same(before[name], after[other])), None)
        rule = "field_removed" if heir is None else "field_renamed"
        yield Change(rule, f"{field}.{name}", True, name, heir or "")
    needed_before, needed_after = old.get("required", ()), new.get("required", ())
    for name in fresh:
        needed = name in needed_after
        yield Change("new_required_field" if needed else "field_added", f"{field}.{name}", needed)
    for name in [name for name in before if name in after]:
        if name in needed_after and name not in needed_before:
            yield Change("field_became_required", f"{field}.{name}", True)
        elif name in needed_before and name not in needed_after:
            yield Change("field_became_optional", f"{field}.{name}", False)
        yield from _differ(before[name], after[name], f"{field}.{name}", ours)
    yield from _others(old.get("additionalProperties", True), new.get("additionalProperties", True), field, ours)


def _others(old: Any, new: Any, field: str, ours: bool) -> Iterator[Change]:
    """Members that the schema does not name."""
    if old is not False and new is False:
        yield Change("other_fields_refused", field, True)
    elif old is False and new is not False:
        yield Change("other_fields_admitted", field, False)
    elif isinstance(old, Mapping) or isinstance(new, Mapping):
        yield from _differ(old if isinstance(old, Mapping) else {}, new if isinstance(new, Mapping) else {}, f"{field}.*", ours)


def _same(one: Schema, other: Schema) -> bool:
    told = ("title", "description")
    return {k: v for k, v in one.items() if k not in told} == {k: v for k, v in other.items() if k not in told}
