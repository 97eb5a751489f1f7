"""The consumer groups of each service: one for its cases, and one for each topic that it reads apart from them."""

from common.contracts.topics import Topic, consumed_by


def groups_of(service: str) -> dict[str, tuple[Topic, ...]]:
    """The consumer groups of `service` by name, each with the topics that it reads; there are no others."""
    groups: dict[str, tuple[Topic, ...]] = {}
    for topic in consumed_by(service):
        name = f"{service}-{topic.group}" if topic.group else service
        groups[name] = (*groups.get(name, ()), topic)
    return groups
