"""What a field means: the text that stands under it in the contract's source, or under the name of its kind."""

import ast
import inspect
from functools import cache
from itertools import pairwise
from types import ModuleType

from pydantic import BaseModel

from common.contracts import fields


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """Field → meaning in one line, the inherited ones included; a field of which nothing is said is absent."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if not issubclass(owner, BaseModel) or owner is BaseModel:
            continue
        body = _class_body(owner)
        kinds = {**_texts_under(_tree(fields).body), **_texts_under(_tree(_module(owner)).body)}
        found |= {name: kinds[kind] for name, kind in _annotations(body).items() if kind in kinds}
        found |= _texts_under(body)
    return {name: found[name] for name in model.model_fields if name in found}


def _module(owner: type) -> ModuleType:
    module = inspect.getmodule(owner)
    assert module is not None, f"{owner.__name__} has no module"
    return module


@cache
def _tree(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))


def _class_body(owner: type) -> list[ast.stmt]:
    classes = [node for node in ast.walk(_tree(_module(owner))) if isinstance(node, ast.ClassDef) and node.name == owner.__name__]
    return classes[0].body


def _texts_under(body: list[ast.stmt]) -> dict[str, str]:
    """Name → the string that follows its definition."""
    found = {}
    for node, following in pairwise(body):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(target, ast.Name) and isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            found[target.id] = " ".join(str(following.value.value).split())
    return found


def _annotations(body: list[ast.stmt]) -> dict[str, str]:
    """Field → the name of its kind, where it is one name, or one name or nothing (`AssetId | None`)."""
    found = {}
    for node in body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            kind = node.annotation.left if isinstance(node.annotation, ast.BinOp) else node.annotation
            if isinstance(kind, ast.Name):
                found[node.target.id] = kind.id
    return found
