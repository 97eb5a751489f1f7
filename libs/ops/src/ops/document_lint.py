"""What is wrong with the file of a document: every finding with its line, and what to do about it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from common.contracts.yaml_files import Finding, read_yaml
from common.kernel.faults import Fault

REMEDIES = {
    "bad_yaml": "mend the YAML",
    "duplicate_key": "keep one of the two",
    "bad_value": "write it as the document that ships does (aftersales document show)",
    "bad_calendar": "write it as `aftersales clock calculate` takes it (aftersales schema clock-calculate)",
    "bad_instant": "write the date as 2026-10-01",
    "unknown_field": "mend the spelling, or take it out",
    "missing_field": "add it",
    "unknown_kind": "say which kind of document it is, with `kind:` in the file or with --kind",
    "version_taken": "raise the version",
}
_MOST_FINDINGS = 500


def refused(read: Callable[[], object]) -> Iterator[Fault]:
    """The first fault for which `read` refuses, or each that an event would have of its own fields; none where it does not."""
    try:
        read()
    except Fault as fault:
        yield fault
    except ValidationError as error:  # of what the event takes: a name or a version
        for one in error.errors(include_url=False, include_input=False):
            if one["loc"] != ("document",):  # which is made of both, and wrong when one of them is
                yield Fault(one["loc"], "bad_value", one["msg"])


def findings(
    file: Path, faults: Callable[[Mapping[str, Any]], Iterable[Fault]], *, expected: str, remedies: Mapping[str, str] = REMEDIES
) -> list[Finding]:
    """What `faults` finds in a file, in the order of its lines; `expected` says what its document has to be."""

    def finding(line: int, fault: Fault, problem: str) -> Finding:
        return Finding(str(file), line, fault.rule, problem, remedies.get(fault.rule) or REMEDIES.get(fault.rule, REMEDIES["bad_value"]))

    try:
        read = read_yaml(file.read_bytes())
    except Fault as fault:
        return [finding(fault.line, fault, fault.what)]
    if not isinstance(read.value, dict):
        return [finding(1, Fault((), "bad_value", ""), expected)]
    found = [Fault(where, "duplicate_key", f"it stands in line {line} already") for where, line in read.twice()]
    found += islice(faults(read.value), _MOST_FINDINGS)
    lines = {finding(read.line_of(one.where), one, f"{'.'.join(map(str, one.where))}: {one.what}".removeprefix(": ")) for one in found}
    return sorted(lines, key=lambda one: (one.line, one.rule, one.what))
