"""What every service with clocks does with the operator's rules: keeps them; the clocks take them in when they are next looked at."""

from collections.abc import Mapping

from common.contracts.claims.operator import CalendarPublished, SlaPolicyActivated
from common.contracts.envelope import UNKNOWN
from common.contracts.event import Event
from common.kernel.errors import Malformed
from common.kernel.faults import Fault, Where, place
from common.kernel.working_time import Calendar
from common.runtime.handling import Handler
from common.runtime.unit_of_work import UnitOfWork
from common.sla.policy import Policy, parse_policy
from common.sla.rulebook import Rulebook
from common.store.rulebook import RuleVersion


def on_calendar_published(event: CalendarPublished, uow: UnitOfWork) -> None:
    """Keeps the calendar; raises `Malformed` for what is no calendar, or another one under a version that is taken."""
    if event.calendar != f"{event.name}@{event.version}":
        raise Malformed("bad_calendar", field="data.calendar", reason="expected name@version")
    try:
        calendar = Calendar.from_json(event.document, ("data", "document"))
        _ = calendar.ordinary_day  # one that never opens could not answer anything
    except Fault as fault:
        raise Malformed("bad_calendar", field=place(_known(fault))[:256], reason=fault.what[:256]) from None
    for known in uow.rulebook.calendars.get(event.name, ()):
        if known.version == event.version:
            if known.calendar != calendar:
                raise Malformed("version_taken", field="data.version", reason="this version was published with other content")
            return
    uow.rule_versions.append(RuleVersion(event.name, event.version, event.time, calendar.to_json(), event.envelope.id))


def on_sla_policy_activated(event: SlaPolicyActivated, uow: UnitOfWork) -> None:
    """Keeps the policy where it is this service's own; raises `Malformed` for what is no policy of it."""
    if event.service != uow.service:
        return
    try:
        policy = parse_policy(event.document)
    except Fault as fault:
        field = ".".join(map(str, ("data", "document", *_known(fault))))
        raise Malformed("bad_policy", field=field[:256], reason=fault.what[:256]) from None
    if not event.policy == policy.ref == f"{event.service}@{event.version}":
        raise Malformed("bad_policy", field="data.policy", reason="expected service@version, as the document says")
    asked = {name for when, _ in policy.rules for name in when}
    if unknown := sorted(asked - set(uow.traits)):
        raise Malformed("bad_policy", field="data.document.stages", reason=f"no case of this service has a {unknown[0]}")
    if _is_known(policy, uow.rulebook):
        return
    since = max(event.effective_at, event.time)  # no promise is changed behind anybody's back
    uow.rule_versions.append(RuleVersion("", event.version, since, event.document, event.envelope.id, event.applies_to_open))


def _known(fault: Fault) -> Where:
    """Where a document is wrong, without the name of a field that is not ours: it may be a person's."""
    return fault.where if fault.rule not in ("unknown_field", "unknown_trait") else (*fault.where[:-1], UNKNOWN)


def _is_known(policy: Policy, rulebook: Rulebook) -> bool:
    if missing := set(rulebook.stages) - set(policy.stages):
        raise Malformed("bad_policy", field="data.document.stages", reason=f"nothing is promised for {sorted(missing)[0]}")
    for known in rulebook.activated:
        if known.policy.ref == policy.ref:
            if known.policy != policy:
                raise Malformed("version_taken", field="data.version", reason="this version was activated with other content")
            return True
    return False


RULE_HANDLERS: Mapping[type[Event], Handler] = {
    CalendarPublished: Handler(CalendarPublished, (), on_calendar_published),
    SlaPolicyActivated: Handler(SlaPolicyActivated, (), on_sla_policy_activated),
}
