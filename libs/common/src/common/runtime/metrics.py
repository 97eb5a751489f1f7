"""The metrics that every service has, each declared once with its meaning; docs/metrics.md is made from here."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from common.contracts.envelope import Received
from common.kafka.records import TopicPartition
from common.kernel.wall_clock import now
from common.sla.reconcile import FirstOutcome
from common.store.record_counts import RecordCounts

_SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.25, 1.5, 2.0, 4.0)
_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)


class ChassisMetrics:
    """The metrics of one service, in a registry of its own. Region, priority and person are never labels."""

    def __init__(self, service: str, version: str, stages: Iterable[str], registry: CollectorRegistry, *, prefix: str = "") -> None:
        self.service = service
        self.registry = registry
        self._counter, self._gauge = partial(Counter, registry=registry), partial(Gauge, registry=registry)
        self._histogram = partial(Histogram, registry=registry)
        self._declare_clocks(stages)
        self._declare_events()
        self._declare_positions()
        self._declare_installation(version, prefix)

    def _declare_clocks(self, stages: Iterable[str]) -> None:
        self.outcomes = self._counter(
            "aftersales_sla_outcomes_total",
            "SLA clocks that were met or breached, counted as first published; a later correction does not change it.",
            ["service", "stage", "outcome"],
        )
        self.elapsed_ratio = self._histogram(
            "aftersales_sla_elapsed_ratio",
            "Share of the target that was used when the outcome was first published; above 1 is a breach.",
            ["service", "stage"],
            buckets=_SHARES,
        )
        self.compliance = self._gauge(
            "aftersales_sla_compliance_ratio",
            "Met clocks as a share of the clocks that closed in the window by event time, from the database; absent while none closed.",
            ["service", "stage", "window"],
        )
        self.objective = self._gauge(
            "aftersales_sla_objective_ratio",
            "The share of promises of a stage to be kept in the running month, by the policy in force; absent where none is set.",
            ["service", "stage"],
        )
        self.month_closed = self._gauge(
            "aftersales_sla_month_closed",
            "Clocks that were met or breached in the running month by event time, from the database; absent while none was.",
            ["service", "stage", "outcome"],
        )
        self.budget_remaining = self._gauge(
            "aftersales_sla_budget_remaining",
            "How many promises of the stage may still be broken of those that closed in the running month so far; below 0 when too many "
            "were. Absent without an objective, and while none closed.",
            ["service", "stage"],
        )
        self.clocks_open = self._gauge(
            "aftersales_sla_clocks_open", "SLA clocks without an outcome, from the database.", ["service", "stage"]
        )
        self.timer_oldest = self._gauge(
            "aftersales_timer_oldest_due_seconds",
            "How long the oldest due timer, of a clock or a wake-up, has been waiting to fire; 0 when none is due.",
            ["service"],
        )
        for stage in stages:
            for outcome in ("met", "breached"):
                self.outcomes.labels(self.service, stage, outcome)

    def _declare_events(self) -> None:
        self.consumed = self._counter(
            "aftersales_events_consumed_total",
            "Records by what became of them: applied (also what nobody here wants), duplicate, dead (a dead letter), "
            "parked (held back; applied as well, once it is).",
            ["service", "topic", "result"],
        )
        self.end_to_end = self._histogram(
            "aftersales_event_end_to_end_seconds",
            "From the instant an event was recorded to the commit of its effect here; what nobody here wants has none.",
            ["service", "topic"],
            buckets=_SECONDS,
        )
        self.dead_letters = self._gauge(
            "aftersales_dead_letters_open",
            "Dead letters that nobody has repaired yet, and events that are parked or wait, by the rule that they break.",
            ["service", "topic", "error_class"],
        )
        self.outbox_oldest = self._gauge(
            "aftersales_outbox_oldest_unpublished_seconds",
            "Age of the oldest decided event that is not on Kafka yet, but for what Kafka refuses; 0 when there is none.",
            ["service"],
        )
        self.outbox_refused = self._gauge(
            "aftersales_outbox_refused",
            "Decided events that Kafka will not take; each holds back its own key alone, and `aftersales outbox retry` sends it again.",
            ["service"],
        )

    def _declare_positions(self) -> None:
        self.lag = self._gauge(
            "aftersales_consumer_lag_records",
            "Records of a partition that are not handled yet: end offset minus the offset committed with the effects. "
            "One replica shows all partitions, also those that nobody reads at the moment.",
            ["service", "topic", "partition"],
        )
        self.halted = self._gauge(
            "aftersales_partitions_halted",
            "Partitions that stopped after 50 defects of ours in a row; `aftersales resume` goes on.",
            ["service"],
        )
        self.holes = self._gauge(
            "aftersales_log_holes_open",
            "Partitions on which records are missing, or would never be read: made_anew, set_back, deleted_unread, skipped. "
            "Timers and cycles wait until `aftersales holes accept`, or until the records are there again.",
            ["service", "topic", "kind"],
        )

    def _declare_installation(self, version: str, prefix: str) -> None:
        self.build = self._gauge("aftersales_build_info", "Always 1; the version that runs.", ["service", "version"])
        self.build.labels(self.service, version).set(1)
        self.prefix_info = self._gauge(
            "aftersales_kafka_prefix_info",
            "Always 1; what stands before every name of this installation on Kafka. The label `topic` has the name without it.",
            ["service", "prefix"],
        )
        self.prefix_info.labels(self.service, prefix).set(1)

    def committed(self, tally: RecordCounts, first_outcomes: Sequence[FirstOutcome], applied: Sequence[Received]) -> None:
        """Counts what a committed transaction has done."""
        for (topic, _), counts in tally.counts.items():
            dead = counts.dead - counts.parked
            results = {"applied": counts.applied, "duplicate": counts.duplicates, "dead": dead, "parked": counts.parked}
            for result, number in results.items():
                if number > 0:
                    self.consumed.labels(self.service, topic, result).inc(number)
        self.count_outcomes(first_outcomes)
        moment = now()
        for received in applied:
            age = (moment - received.record.appended_at).total_seconds()
            self.end_to_end.labels(self.service, received.record.topic).observe(max(age, 0))

    def count_outcomes(self, first_outcomes: Sequence[FirstOutcome]) -> None:
        """Counts outcomes of clocks that were published for the first time."""
        for outcome in first_outcomes:
            self.outcomes.labels(self.service, outcome.stage, outcome.outcome).inc()
            self.elapsed_ratio.labels(self.service, outcome.stage).observe(outcome.used_share)

    def lags(self, lags: Mapping[TopicPartition, int]) -> None:
        """Shows the lag of these partitions and of no others: all of them on the replica that leads, none on the others."""
        self.lag.clear()
        for (topic, partition), records in lags.items():
            self.lag.labels(self.service, topic, str(partition)).set(records)
