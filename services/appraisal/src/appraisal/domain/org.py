"""The organisations that HR describes, each by itself; who is what in them is `kernel.parties`."""

from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True, slots=True)
class DescribedOrganisation:
    """One organisation, and since when a picture of it is known. Its changes are kept where every service keeps them."""

    id: str
    since: datetime

    def described(self, at: datetime) -> "DescribedOrganisation":
        """The same with a picture from that instant on."""
        return replace(self, since=min(self.since, at))
