"""One page for each interface that people outside the code base use: its schema in words, and its examples."""

import json
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

MADE = "<!-- Made by `aftersales generate` from libs/ops/src/ops/interfaces; do not edit. -->\n"


def pages() -> dict[str, str]:
    """File name → text, for docs/interfaces."""
    schemas = {entry.name.removesuffix(".json"): json.loads(entry.read_text("utf-8")) for entry in _files()}
    made = {f"{name}.md": _page(name, schema) for name, schema in sorted(schemas.items())}
    listed = [f"- [{name}]({name}.md): {schema['description']}" for name, schema in sorted(schemas.items())]
    head = [
        MADE,
        "# Interfaces",
        "",
        "Shapes that do not drift: a field may be added, none is renamed, removed or changes its meaning.",
        "",
    ]
    return {"README.md": "\n".join([*head, *listed, ""]), **made}


def _files() -> list[Traversable]:
    return [entry for entry in resources.files("ops").joinpath("interfaces").iterdir() if entry.name.endswith(".json")]


def _page(name: str, schema: Mapping[str, Any]) -> str:
    lines = [MADE, f"# {name}", "", schema["description"], "", f"The schema: `aftersales schema {name}`.", ""]
    shapes = schema.get("$defs", {})
    if "properties" in schema:
        lines += [*_fields(schema), ""]
    for title, shape in shapes.items():
        lines += [f"## {title}", "", shape.get("description", ""), ""]
        lines += [*_fields(shape), ""] if "properties" in shape else []
        for one in (one for one in shape.get("anyOf", ()) if "properties" in one):
            lines += [one["description"], "", *_fields(one), ""]
    for example in schema.get("examples", ()):
        lines += ["```json", json.dumps(example, ensure_ascii=False), "```", ""]
    return "\n".join(lines)


def _fields(shape: Mapping[str, Any]) -> Iterator[str]:
    yield "| field | required | meaning |"
    yield "|---|---|---|"
    for name, field in shape["properties"].items():
        needed = "yes" if name in shape.get("required", ()) else "no"
        meaning = field.get("description") or (f"see {field['$ref'].rpartition('/')[2]}" if "$ref" in field else "")
        yield f"| `{name}` | {needed} | {meaning} |".replace("||", "|")
