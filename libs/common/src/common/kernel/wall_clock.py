"""The one place that reads the wall clock."""

from datetime import UTC, datetime


def now() -> datetime:
    """The current instant in UTC. Rules never call this: they get the time of the event they judge."""
    return datetime.now(UTC)  # noqa: TID251 - this is the owner that the ban points to
