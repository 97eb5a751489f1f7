"""What appraisal decided about an appraisal cycle; topic `cycles`."""

from common.contracts.event import ClaimRejected, Event
from common.contracts.fields import Instant


class CycleClosed(Event, type="cycle.closed"):
    """The cycle is graded with all that was known as of `as_of`; `cut` tells up to which record of each partition.

    `unknown_subjects` lists whom facts are about that the org snapshot does not know; their facts are kept, not graded.
    """

    cycle_key: str
    cycle: str
    scheme: str
    as_of: Instant
    starts_at: Instant
    ends_at: Instant
    cut: dict[str, int]
    """`{"kpi-facts/0": 1234}`: the first record of that partition that was not looked at."""
    graded: int
    not_graded: dict[str, str]
    """Who of the organisation has no grade, and why: `{"E1004": "ratings_missing"}`."""
    unknown_subjects: list[str]


class CycleClaimRejected(ClaimRejected, type="cycle.claim_rejected"):
    """A rule refused to close a cycle."""

    cycle_key: str
