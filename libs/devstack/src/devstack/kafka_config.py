"""A one-node Kafka's properties: the same for the JVM and for the container."""

from collections.abc import Mapping

# Any 16 bytes in base64url; fixed, so that a data folder can be opened again.
CLUSTER_ID = "YWZ0ZXJzYWxlcy1kZXYtMQ"


def properties(*, client: str, advertised: str, controller: str, flush_each_record: bool) -> dict[str, str]:
    """The broker's properties for one node that is broker and controller.

    `client` and `controller` are the addresses to listen on, `advertised` the one that clients are told.
    """
    wanted = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"PLAINTEXT://{client},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{advertised}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        # topics are created from the topics table alone
        "auto.create.topics.enable": "false",
        # a body of 1 MiB and its headers must fit
        "message.max.bytes": "2097152",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "2",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "1",
        "group.initial.rebalance.delay.ms": "0",
        # after kill -9 the controller refuses the broker until this has passed: 5 s instead of 13
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # without it the log cleaner alone wants more than the heap
        "log.cleaner.dedupe.buffer.size": "8388608",
        "num.network.threads": "2",
        "num.io.threads": "4",
    }
    if flush_each_record:
        # one broker has no replica that could remember an acknowledged record
        wanted["log.flush.interval.messages"] = "1"
    return wanted


def as_file(wanted: Mapping[str, str]) -> str:
    """The text of a `server.properties`."""
    return "".join(f"{name}={value}\n" for name, value in wanted.items())


def as_environment(wanted: Mapping[str, str]) -> dict[str, str]:
    """The variables by which the public image is told the same."""
    return {"KAFKA_" + name.upper().replace(".", "_"): value for name, value in wanted.items()}
