"""The metrics that only appraisal has."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector


class GradesPublished(Collector):
    """Counts published grades from the database, so that the count survives restarts; never by person."""

    def __init__(self) -> None:
        self._counts: Mapping[tuple[str, str], int] = {}

    def show(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Takes the counts by (scheme, grade) as they are now."""
        self._counts = counts

    def clear(self) -> None:
        """Shows nothing: another replica shows the counts, and the sum over all of them has to be right."""
        self._counts = {}

    def collect(self) -> Iterable[CounterMetricFamily]:
        """The family as Prometheus reads it."""
        family = CounterMetricFamily(
            "aftersales_grades", "Published grades by scheme and grade, every version counted.", labels=["scheme", "grade"]
        )
        for labels, number in self._counts.items():
            family.add_metric(labels, number)
        yield family


def declare(registry: CollectorRegistry) -> GradesPublished:
    """Adds appraisal's metrics to the service's registry."""
    grades = GradesPublished()
    registry.register(grades)
    return grades
