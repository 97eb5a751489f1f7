"""No import circle anywhere: of two modules, at least one can be understood without the other."""

from collections.abc import Mapping, Set

import grimp

ROOTS = ("common", "ops", "devstack", "intake", "dispatch", "complaints", "appraisal")


def circles(imports: Mapping[str, Set[str]]) -> list[list[str]]:
    """The groups of modules that import each other, directly or by way of others."""
    reach = {module: _reached(imports, module) for module in imports}
    groups = {tuple(sorted(other for other in reach[module] if module in reach[other])) for module in imports if module in reach[module]}
    return sorted(map(list, groups))


def _reached(imports: Mapping[str, Set[str]], start: str) -> set[str]:
    found: set[str] = set()
    left = [start]
    while left:
        for module in imports.get(left.pop(), ()):
            if module not in found:
                found.add(module)
                left.append(module)
    return found


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = grimp.build_graph(*ROOTS, cache_dir=None)  # with the imports for type checkers only
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(imports) > 200
    assert circles(imports) == []


def test_a_circle_is_found_with_all_who_stand_in_it() -> None:
    imports = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set(), "e": {"a"}, "f": {"f"}}
    assert circles(imports) == [["a", "b", "c"], ["f"]]
