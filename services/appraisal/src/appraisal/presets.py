"""Where schemes come from: the presets that are shipped, folders of installed schemes, and whole schemes in a question.

All scalars of a file are read as text, so `70`, `"70"` and `no` mean what they look like, and no number ever is a binary
float. JSON is YAML too.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from appraisal.domain.question import UNKNOWN
from appraisal.domain.scheme import Scheme, scheme_from
from common.contracts.yaml_files import read_yaml
from common.kernel.faults import Fault

PRESETS = Path(__file__).parent / "schemes"


class Schemes:
    """Schemes by name. Files are called `<id>@<version>.yaml` (or `.json`); a folder given later wins over an earlier one."""

    def __init__(self, *folders: Path) -> None:
        self._folders = (PRESETS, *folders)
        self._found: dict[str, Scheme] = {}

    def find(self, wanted: object) -> Scheme:
        """The scheme that a name (`department-360`, `department-360@1`) or a whole document stands for.

        A name without a version is the highest version there is. Raises a `Fault` `unknown_scheme`, or the scheme's own.
        """
        if isinstance(wanted, Mapping):
            return scheme_from(wanted)
        if not isinstance(wanted, str):
            raise Fault(("scheme",), UNKNOWN, "must be a scheme's name or a whole scheme")
        if wanted not in self._found:
            self._found[wanted] = self._read(wanted)
        return self._found[wanted]

    def _read(self, name: str) -> Scheme:
        files = {path.stem: path for folder in self._folders for path in scheme_files(folder)}
        versions = [stem for stem in files if name in (stem, stem.partition("@")[0])]
        if not versions:
            raise Fault(("scheme",), UNKNOWN, f"there are {', '.join(sorted(files))}")
        return read_scheme(files[max(versions, key=_version)])


def read_scheme(path: Path) -> Scheme:
    """The scheme in one YAML or JSON file; a `Fault` when it is none, or is not what its file name says."""
    try:
        scheme = scheme_from(read_document(path.read_bytes()))
    except OSError as error:
        raise Fault((), "unreadable", "the file cannot be read") from error
    if scheme.reference != path.stem:
        raise Fault(("id",), "file_name", f"the file is called {path.stem} and holds {scheme.reference}")
    return scheme


def read_document(text: bytes | str) -> object:
    """The document that a YAML or JSON file holds, all its scalars as text; a `Fault` with the line where it cannot be read."""
    try:
        file = read_yaml(text if isinstance(text, bytes) else text.encode(), as_text=True)
    except Fault as fault:
        raise Fault((), fault.rule, str(fault)) from None
    for where, _ in file.twice():
        raise Fault(where, "twice", f"stands twice in one object, again in line {file.line_of(where)}")
    return file.value


def scheme_files(folder: Path) -> list[Path]:
    """The files of schemes in a folder, by name."""
    return [path for path in sorted(folder.glob("*@*")) if path.suffix in (".yaml", ".yml", ".json")]


def _version(stem: str) -> int:
    number = stem.partition("@")[2]
    return int(number) if number.isdecimal() else 0


@cache
def _shipped() -> Schemes:
    return Schemes()


def find_scheme(reference: str) -> Scheme | None:
    """The shipped scheme of that reference, None when there is none."""
    try:
        return _shipped().find(reference)
    except Fault as fault:
        if fault.rule != UNKNOWN:
            raise
        return None
