"""Ports on the loopback address: free ones, and whether somebody answers on one."""

import contextlib
import random
import socket
import struct

LOOPBACK = "127.0.0.1"
# Below the range from which the system takes the ports of outgoing connections. A client that retries a closed port of that range can
# end up connected to itself, and a server that was killed then never gets its port back.
_FIRST, _LAST = 20_000, 32_000


def free_port() -> int:
    """A port of the loopback address on which nothing listens, not used for outgoing connections."""
    for _ in range(200):
        port = random.randint(_FIRST, _LAST)  # noqa: S311 - a port, not a secret
        with contextlib.suppress(OSError), socket.create_server((LOOPBACK, port)):
            return port
    raise OSError(f"no free port between {_FIRST} and {_LAST}")


def answers(host: str, port: int, limit: float = 1.0) -> bool:
    """Whether a connection to the port is accepted within `limit` seconds."""
    try:
        with socket.create_connection((host, port), limit):
            return True
    except OSError:
        return False


def socket_answers(path: str) -> bool:
    """Whether somebody listens on the Unix socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
        except OSError:
            return False
        return True


def kafka_answers(host: str, port: int, limit: float = 2.0) -> bool:
    """Whether a Kafka answers there; an open port alone may be a container engine's proxy."""
    api_versions = struct.pack(">hhih", 18, 0, 1, -1)  # the request that every broker answers: key 18, version 0, no client id
    try:
        with socket.create_connection((host, port), limit) as connection:
            connection.sendall(struct.pack(">i", len(api_versions)) + api_versions)
            return len(connection.recv(4)) == 4
    except OSError:
        return False
