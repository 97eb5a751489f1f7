"""What the services do with the organisation's changes: they keep them, and so know who is what as of any instant."""

from collections.abc import Mapping
from typing import get_args

from common.contracts.event import Event
from common.contracts.org import OrganisationChanged, change_of
from common.runtime.handling import Handler
from common.runtime.unit_of_work import UnitOfWork


def keep_change(changed: OrganisationChanged, uow: UnitOfWork) -> None:
    """Keeps a change that appraisal has decided."""
    uow.organisation_changes.append(change_of(changed))


PARTY_HANDLERS: Mapping[type[Event], Handler] = {event: Handler(event, (), keep_change) for event in get_args(OrganisationChanged)}
