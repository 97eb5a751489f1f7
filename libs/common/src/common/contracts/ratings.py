"""What appraisal decided about ratings; topic `ratings`. A rating's score never leaves appraisal (X-30)."""

from common.contracts.event import ClaimRejected, Event
from common.contracts.fields import EmployeeId, Instant, Name, Word


class RatingRecorded(Event, type="rating.recorded", topic="ratings"):
    """A revision of a rating is on record; neither the score nor the appraiser is published."""

    rating_id: Word
    cycle: Name
    scheme: Name
    appraisee: EmployeeId
    revision: int = 1
    recorded_at: Instant


class RatingClaimRejected(ClaimRejected, type="rating.claim_rejected", topic="ratings", answers="rating-claims"):
    """A rule refused a rating."""

    rating_id: Word
