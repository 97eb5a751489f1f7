"""The kinds of reference document by which appraisal decides, beside calendars and policies; and the scheme of a reference among them."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from appraisal.domain.document import plain
from appraisal.domain.indicators import INDICATORS
from appraisal.domain.remedies import REMEDIES
from appraisal.domain.scheme import Scheme, scheme_from
from appraisal.domain.scheme_checks import findings
from appraisal.domain.scheme_findings import reader_findings
from appraisal.presets import find_scheme
from common.kernel.errors import Refused
from common.kernel.faults import Fault
from common.kernel.reference import Documents, Kind

_OF_THE_ENTERPRISE = ("unknown_indicator", "unknown_post", "unknown_calendar")
"""Whoever writes a scheme for what the enterprise has for itself is asked for it by `aftersales scheme lint`, and when a cycle closes."""


def _faults(body: Mapping[str, Any]) -> Iterator[Fault]:
    try:
        document = plain(body)
    except Fault as fault:
        yield fault
        return
    assert isinstance(document, Mapping), "a body has fields"
    if find_scheme(f"{document.get('id')}@{document.get('version')}") is not None:
        yield Fault(("version",), "shipped_already", "this version ships with every release, and says there what it says")
    yield from reader_findings(document)
    yield from (fault for fault in findings(document) if fault.rule not in _OF_THE_ENTERPRISE)


SCHEMES = Kind("scheme", scheme_from, needs_approval=True, faults=_faults, remedies=REMEDIES, named_by="id", as_text=True)
"""Schemes that an enterprise publishes beside those that ship. Whoever grades names the version, so that none takes another's place."""
KINDS = (INDICATORS, SCHEMES)


def scheme_at(documents: Documents, reference: str, instant: datetime) -> Scheme | Refused:
    """The scheme of that reference which is in force at an instant: one that was published and approved, or ships.

    Raises `LookupError` where it was published and cannot be read.
    """
    name, _, number = reference.partition("@")
    version = int(number) if number.isdecimal() else 0
    for one in documents.versions(SCHEMES, name):
        if one.document.version == version and one.document.effective_at <= instant:
            return one.value
    if (shipped := find_scheme(reference)) is not None:
        return shipped
    waits = any(one.effective_at <= instant for one in documents.published(SCHEMES.name, name, version))
    return Refused("an_approved_scheme" if waits else "unknown_scheme", field="scheme")
