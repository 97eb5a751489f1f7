"""The deadline that a service's own policy gives to a clock: the policy as it ships, folded by the kernel."""

from datetime import datetime

from common.kernel.clock_events import Paused, Resumed, Started
from common.kernel.sla_clock import fold
from common.sla.policy import load_policy


def deadline(service: str, stage: str, start: str, *pauses: tuple[str, str], **traits: str) -> datetime | None:
    """When the stage is due that begins at `start` (ISO 8601) and stands still during `pauses`."""
    policy = load_policy(service)
    promise = policy.promise(stage, traits)
    at = datetime.fromisoformat(start)
    events: list[Started | Paused | Resumed] = [Started(id="start", at=at, calendar=promise.calendar, target=promise.target)]
    for number, (since, until) in enumerate(pauses):
        events.append(Paused(id=f"{number}-from", at=datetime.fromisoformat(since), party="customer"))
        at = datetime.fromisoformat(until)
        events.append(Resumed(id=f"{number}-to", at=at))
    return fold(events, at, policy.calendars).deadline
