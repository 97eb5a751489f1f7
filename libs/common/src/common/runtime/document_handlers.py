"""What every service does with a published document: keeps it; whatever is decided from its instant on is decided by it."""

from collections.abc import Mapping
from typing import Any

from common.contracts.documents import DocumentActivated, ref_of
from common.contracts.envelope import UNKNOWN
from common.contracts.event import Event
from common.contracts.topics import topic_of
from common.kernel.errors import Malformed
from common.kernel.faults import Fault, Where
from common.kernel.reference import Kind
from common.runtime.handling import Handler
from common.runtime.unit_of_work import UnitOfWork
from common.sla.policy import Policy
from common.store.documents import document_of

_RULE = "bad_document"


def keep_document(event: DocumentActivated, uow: UnitOfWork) -> None:
    """Keeps the document; raises `Malformed` for one that its kind does not take, or another one under a version that is taken."""
    if event.document != ref_of(event.kind, event.name, event.version):
        raise Malformed(_RULE, field="data.document", reason="expected kind/name@version")
    if event.control.status == "shipped" and event.envelope.source not in topic_of(DocumentActivated).sources:
        raise Malformed(_RULE, field="data.control.status", reason="only a service says what ships with it: expected in_force or draft")
    kind = uow.documents.kind(event.kind)
    value = None if kind is None else _value(kind, event)
    if isinstance(value, Policy) and event.name == uow.service:
        _check_own_policy(value, uow)
    for known in uow.documents.published(event.kind, event.name, event.version):
        if known.body != event.body and (kind is None or value != _stored(kind, known.body)):
            raise Malformed("version_taken", field="data.version", reason="this version was published with other content")
    uow.document_records.append(document_of(event, event.time, event.envelope.id))


def _value(kind: Kind[Any], event: DocumentActivated) -> Any:
    try:
        value = kind.parse(event.body)
    except Fault as fault:
        field = ".".join(map(str, ("data", "body", *_known(fault))))
        raise Malformed(_RULE, field=field[:256], reason=f"{fault.rule}: {fault.what}"[:256]) from None
    if kind.named_by and (event.body.get(kind.named_by), event.body.get("version")) != (event.name, event.version):
        raise Malformed(_RULE, field="data.document", reason="expected the name and the version that the body says")
    return value


def _stored(kind: Kind[Any], body: Mapping[str, Any]) -> Any:
    try:
        return kind.parse(body)
    except Fault:
        return None


def _known(fault: Fault) -> Where:
    """Where a document is wrong, without the name of a field that is not ours: it may be a person's."""
    return fault.where if fault.rule not in ("unknown_field", "unknown_trait") else (*fault.where[:-1], UNKNOWN)


def _check_own_policy(policy: Policy, uow: UnitOfWork) -> None:
    asked = {name for when, _ in policy.rules for name in when}
    if unknown := sorted(asked - set(uow.traits)):
        raise Malformed(_RULE, field="data.body.stages", reason=f"no case of this service has a {unknown[0]}")
    if missing := set(uow.rulebook.stages) - set(policy.stages):
        raise Malformed(_RULE, field="data.body.stages", reason=f"nothing is promised for {sorted(missing)[0]}")


DOCUMENT_HANDLERS: Mapping[type[Event], Handler] = {DocumentActivated: Handler(DocumentActivated, (), keep_document)}
