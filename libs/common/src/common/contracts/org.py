"""What appraisal decided about the organisation's picture; topic `org-snapshots`."""

from common.contracts.event import ClaimRejected, Event
from common.contracts.fields import Instant, Name, TeamId


class OrgSnapshotTaken(Event, type="org.snapshot_taken", topic="org-snapshots"):
    """The organisation as it is from `effective_at` on; `digest` names its content in every grade."""

    org_id: TeamId
    effective_at: Instant
    members: int
    digest: Name


class OrgClaimRejected(ClaimRejected, type="org.claim_rejected", topic="org-snapshots", answers="org-claims"):
    """A rule refused HR's picture of the organisation."""

    org_id: TeamId
