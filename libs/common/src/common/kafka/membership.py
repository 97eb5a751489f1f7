"""A member of a consumer group that leaves on purpose says so, and one whose place another has taken notices.

Our members are static: one that restarts at once finds its partitions again without a rebalance. The price is that nobody
takes them over before the session has run out, also when a member left for good. Kafka lets a static member leave since
version 3 of the request, which names it by its instance id; aiokafka knows version 1 and sends nothing for static members.
Here its coordinator sends version 3 when it is closed, which is after the last batch and its acknowledgement; the others
hear of it with their next heartbeat and have its partitions at once.
"""

from typing import Any

import structlog
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.protocol.types import Array, Int16, Int32, Schema, String

log = structlog.get_logger(__name__)


class _Left(Response):  # type: ignore[misc]  # aiokafka ships no types, here and below
    API_KEY = 13
    API_VERSION = 3
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("members", Array(("member_id", String()), ("group_instance_id", String()), ("error_code", Int16))),
    )


class _Leave(RequestStruct):  # type: ignore[misc]  # as above
    API_KEY = 13
    API_VERSION = 3
    RESPONSE_TYPE = _Left
    SCHEMA = Schema(("group", String()), ("members", Array(("member_id", String()), ("group_instance_id", String()))))


class _LeaveRequest(Request[_Leave]):  # type: ignore[misc]  # as above
    API_KEY = 13

    def __init__(self, group: str, member: str, instance: str) -> None:
        self._group = group
        self._members = [(member, instance)]

    def build(self, request_struct_class: type[_Leave]) -> _Leave:
        return request_struct_class(self._group, self._members)


class _Alive(Response):  # type: ignore[misc]  # as above
    API_KEY = 12
    API_VERSION = 3
    SCHEMA = Schema(("throttle_time_ms", Int32), ("error_code", Int16))


class _Beat(RequestStruct):  # type: ignore[misc]  # as above
    API_KEY = 12
    API_VERSION = 3
    RESPONSE_TYPE = _Alive
    SCHEMA = Schema(("group", String()), ("generation_id", Int32), ("member_id", String()), ("group_instance_id", String()))


class _BeatRequest(Request[_Beat]):  # type: ignore[misc]  # as above
    API_KEY = 12

    def __init__(self, group: str, generation: int, member: str, instance: str) -> None:
        self._fields = (group, generation, member, instance)

    def build(self, request_struct_class: type[_Beat]) -> _Beat:
        return request_struct_class(*self._fields)


_FENCED = 82
"""Kafka's code for: another process has joined under this instance id. aiokafka has no name for it and tries again for ever."""


def be_told() -> None:
    """Makes the consumers of this process leave in this way and notice when they are fenced; harmless twice."""
    GroupCoordinator._maybe_leave_group = _leave
    GroupCoordinator._send_req = _send


def fenced(consumer: Any) -> bool:
    """Whether Kafka has given the consumer's place in its group to another process of the same name: it handles nothing any more."""
    return getattr(consumer._coordinator, "_is_fenced", False)


_send_req = GroupCoordinator._send_req


async def _send(coordinator: Any, request: Any) -> Any:
    if isinstance(request, HeartbeatRequest):  # aiokafka's does not name the instance, and is told "unknown" instead of "fenced"
        request = _BeatRequest(coordinator.group_id, coordinator.generation, coordinator.member_id, coordinator._group_instance_id)
    answer = await _send_req(coordinator, request)
    if getattr(answer, "error_code", 0) == _FENCED:
        coordinator._is_fenced = True
    return answer


async def _leave(coordinator: Any) -> None:
    """What aiokafka calls when a consumer stops, and when it has not asked for records for too long."""
    if coordinator.generation > 0 and not getattr(coordinator, "_is_fenced", False):
        request = _LeaveRequest(coordinator.group_id, coordinator.member_id, coordinator._group_instance_id)
        try:
            answer = await coordinator._send_req(request)
            codes = [answer.error_code, *(code for _, _, code in answer.members)]
            if failed := next(filter(None, codes), 0):
                log.warning("group_not_left", group=coordinator.group_id, error=for_code(failed).__name__)
        except KafkaError as error:
            log.warning("group_not_left", group=coordinator.group_id, error=type(error).__name__)
    coordinator.reset_generation()
