"""`aftersales schema`: the JSON Schema of an interface or an event, as it is shipped."""

import sys
from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable

_FOLDERS = (("ops", "interfaces"), ("common.contracts", "schemas"))


def run(arguments: Sequence[str]) -> int:
    """The JSON Schema of an interface or an event: `aftersales schema complaint.acknowledged`.

    Without a name the names that there are. 0 when it was printed, 2 when there is none of that name.
    """
    found = {entry.name.removesuffix(".json"): entry for folder in _FOLDERS for entry in _files(*folder)}
    match list(arguments):
        case []:
            sys.stdout.write("".join(f"{name}\n" for name in sorted(found)))
            return 0
        case ["--help" | "-h"]:
            sys.stdout.write("Usage: aftersales schema [NAME]\n\nPrints the JSON Schema NAME, or the names that there are.\n")
            return 0
        case [name] if name in found:
            sys.stdout.write(found[name].read_text("utf-8"))
            return 0
        case _:
            sys.stderr.write(f"aftersales schema: there is none of the name {' '.join(arguments)!r}; without a name it lists them\n")
            return 2


def _files(package: str, folder: str) -> list[Traversable]:
    return [entry for entry in resources.files(package).joinpath(folder).iterdir() if entry.name.endswith(".json")]
