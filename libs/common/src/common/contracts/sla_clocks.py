"""What happened to an SLA clock; topic `sla-clocks`, keyed by the clock, from every service that owns one."""

from typing import Annotated, Literal

from pydantic import Field

from common.contracts.event import Event
from common.contracts.fields import Instant, Name, Sentence, Word


class _ClockFact(Event, topic="sla-clocks"):
    clock_id: Name
    """`<service>:<aggregate id>:<stage>`."""
    service: Word
    stage: Word
    aggregate_id: Name
    round: Annotated[int, Field(ge=1)] = 1
    """Which round of the clock this is about: each restart begins another, with an outcome of its own."""
    policy: Name
    """Name and version of the policy in force: `complaints@1`."""
    at: Instant
    deadline: Instant | None
    provisional: bool
    owner: Name


class SlaClockStarted(_ClockFact, type="sla_clock.started"):
    """The clock runs, towards `deadline`."""


class SlaClockPaused(_ClockFact, type="sla_clock.paused"):
    """The clock stands still; the time belongs to `party`."""

    party: Word
    reason: Name


class SlaClockResumed(_ClockFact, type="sla_clock.resumed"):
    """The clock goes on, towards a new `deadline`."""


class SlaClockOwnerChanged(_ClockFact, type="sla_clock.owner_changed"):
    """From here on the running time belongs to `owner`."""


class SlaClockReopened(_ClockFact, type="sla_clock.reopened"):
    """The clock goes on where it stood; its outcome is open again unless it was breached, and will be published anew."""


class SlaClockAtRisk(_ClockFact, type="sla_clock.at_risk"):
    """A share of the target is used up and the clock still runs."""

    used_share: Name
    """`"3/4"`."""
    before_seconds: int | None = None
    """So much working time is left; None where the threshold is a share."""
    notify: Annotated[tuple[Word, ...], Field(max_length=50)] = ()
    """The roles that the policy wants notified."""


class SlaClockRederived(_ClockFact, type="sla_clock.rederived"):
    """Another calendar, policy or priority now applies to an open clock and moved its deadline, or made it certain.

    Never undoes a breach.
    """

    was: Instant | None
    """The deadline before; None while the clock stood still."""
    why: Sentence
    """`calendar cn@2027`, `policy complaints@2`, `priority urgent`: the version that became known, or the trait that is new."""


class SlaClockVoided(_ClockFact, type="sla_clock.voided"):
    """The clock ended without an outcome: cancelled, merged, taken back. It counts for nobody.

    A breach that was published before stays one, unless the promise was never `owed`; then `sla_clock.corrected` says so.
    """

    reason: Name
    owed: bool
    by: Name
    """Who said so, `employee:E1`; empty where a system did."""


class SlaClockExtended(_ClockFact, type="sla_clock.extended"):
    """The customer was told of a later `deadline` before the one that was in force, within what the policy lets be extended."""

    reason: Name
    by: Name
    """Who said so, `employee:E1`; empty where a system did."""
    was: Instant | None
    """The deadline before; None while the clock stood still."""


class SlaClockExtensionRefused(_ClockFact, type="sla_clock.extension_refused"):
    """Somebody extended a promise and it changes nothing: `why` says what the policy or the clock did not admit."""

    reason: Name
    by: Name
    """Who said so, `employee:E1`; empty where a system did."""
    why: Literal["after_deadline", "ended", "nothing_promised", "too_many", "too_long"]


class SlaClockRestarted(_ClockFact, type="sla_clock.restarted"):
    """The promise began anew: from here on round `round` runs towards `deadline`, with nothing consumed."""

    reason: Name
    by: Name
    """Who said so, `employee:E1`; empty where a system did."""
    was: Instant | None
    """The deadline of the round before; None while that stood still or had ended."""
    ended: Literal["met", "breached", "superseded", "none"]
    """What came of the round before; `superseded` where it was neither stopped nor breached: it counts for nobody."""


class SlaClockRestartRefused(_ClockFact, type="sla_clock.restart_refused"):
    """Somebody let a promise begin anew and it changes nothing: it is void, or the policy does not admit so many restarts."""

    reason: Name
    by: Name
    """Who said so, `employee:E1`; empty where a system did."""
    why: Literal["ended", "too_many"]


class SlaClockBreached(_ClockFact, type="sla_clock.breached"):
    """The deadline passed without a stop: a fact that no later change takes back."""


class SlaClockMet(_ClockFact, type="sla_clock.met"):
    """The clock was stopped at or before its deadline."""

    elapsed_working_seconds: Name
    """Exact: `"3600"`, or a decimal."""


class SlaClockCorrected(_ClockFact, type="sla_clock.corrected"):
    """A published breach or met is wrong in the light of an event or a rule of the past that became known late, or was never owed."""

    outcome: Literal["open", "met", "breached", "void", "none", "superseded"]
    """`void`: it counts for nobody; `none`: nothing was promised; `superseded`: an earlier round that was not over when the next began."""
    supersedes: Name
    """The id of the event that published the earlier outcome."""
