"""A contract for import-linter: some modules see nothing but what is named. import-linter itself can only forbid a list of packages."""

import sys
from typing import Any

import grimp
from importlinter import Contract, ContractCheck, fields, output
from importlinter.application import contract_utils
from importlinter.application.contract_utils import AlertLevel


class OnlyContract(Contract):
    """Modules that import only what `may_see` names: `stdlib`, or a module with all that is in it.

    `modules` may hold wildcards; what is inside a module belongs to it, and may see the rest of it. `never` takes modules out of
    `stdlib` again. Only direct imports are looked at: each module that may be seen has rules of its own.
    """

    type_name = "only"

    modules = fields.SetField(subfield=fields.StringField())
    may_see = fields.SetField(subfield=fields.StringField())
    never = fields.SetField(subfield=fields.StringField(), required=False)
    ignore_imports = fields.SetField(subfield=fields.ImportExpressionField(), required=False)

    def check(self, graph: grimp.ImportGraph, verbose: bool) -> ContractCheck:
        """Whether the contract is kept, with the imports that break it."""
        ignored: Any = self.ignore_imports  # import-linter puts the parsed words of an option in the place of its field
        contract_utils.remove_ignored_imports_and_report(graph=graph, ignore_imports=ignored, unmatched_alerting=AlertLevel.ERROR)
        broken = []
        for package in sorted(_matching(graph, self._words("modules"))):
            allowed = {package, *(name.replace("<service>", package.split(".")[0]) for name in self._words("may_see"))}
            for module in sorted({package, *graph.find_descendants(package)}):
                seen = graph.find_modules_directly_imported_by(module)
                output.verbose_print(verbose, f"{module} sees {', '.join(sorted(seen)) or 'nothing'}")
                broken += [(module, other) for other in sorted(seen) if not self._allows(allowed, other)]
        return ContractCheck(kept=not broken, metadata={"broken": [(*pair, _line(graph, *pair)) for pair in broken]})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Prints one line for each import that breaks the contract."""
        for module, other, line in check.metadata["broken"]:
            output.print_error(
                f"{module} must not see {other} (line {line}); it may see: {', '.join(sorted(self._words('may_see')))}", bold=False
            )

    def _words(self, option: str) -> set[str]:
        return set(getattr(self, option) or ())

    def _allows(self, allowed: set[str], other: str) -> bool:
        top = other.split(".")[0]
        if top in sys.stdlib_module_names:
            return "stdlib" in allowed and top not in self._words("never")
        return any(other == name or other.startswith(f"{name}.") for name in allowed)


def _matching(graph: grimp.ImportGraph, expressions: set[str]) -> set[str]:
    found: set[str] = set()
    for expression in expressions:
        found |= graph.find_matching_modules(expression) if "*" in expression else {expression}
    return found


def _line(graph: grimp.ImportGraph, module: str, other: str) -> int:
    return graph.get_import_details(importer=module, imported=other)[0]["line_number"]
