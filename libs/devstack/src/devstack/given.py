"""Servers that the environment names: used as they are, never killed or started."""

from urllib.parse import urlsplit

from devstack.errors import DevstackError, NotOursError, UnavailableError
from devstack.ports import answers, kafka_answers

_SILENT = "{variable} names {place}, which does not answer; start it, or unset {variable}"


class GivenServer:
    """A server that somebody else runs."""

    def __init__(self, kind: str, variable: str, address: str, place: str) -> None:
        self.name = f"{kind} at {place} (given by {variable})"
        self.address = address
        self._variable = variable

    def start(self) -> None:
        """Refuses: a given server runs already."""
        raise NotOursError(f"{self.name} is not ours to start; unset {self._variable} to have a server of our own")

    def kill(self) -> None:
        """Refuses: others may be using it."""
        raise NotOursError(f"{self.name} is not ours to kill; unset {self._variable} to have a server of our own")

    def freeze(self) -> None:
        """Refuses, as for a kill."""
        raise NotOursError(f"{self.name} is not ours to freeze; unset {self._variable} to have a server of our own")

    def thaw(self) -> None:
        """Nothing to do: it was never frozen."""

    def stop(self, *, keep_data: bool) -> None:
        """Leaves it as it is."""


def given_kafka(bootstrap: str | None) -> GivenServer:
    """The Kafka of `KAFKA_BOOTSTRAP_SERVERS`; an error when the first of its addresses does not answer."""
    if not bootstrap:
        raise UnavailableError("KAFKA_BOOTSTRAP_SERVERS is not set")
    host, _, port = bootstrap.split(",")[0].strip().rpartition(":")
    if not host or not port.isdecimal():
        raise DevstackError(f"KAFKA_BOOTSTRAP_SERVERS={bootstrap} is not host:port")
    if not kafka_answers(host.strip("[]"), int(port), limit=5):
        raise DevstackError(_SILENT.format(variable="KAFKA_BOOTSTRAP_SERVERS", place=f"{host}:{port}"))
    return GivenServer("Kafka", "KAFKA_BOOTSTRAP_SERVERS", bootstrap, bootstrap)


def given_postgres(url: str | None) -> GivenServer:
    """The PostgreSQL of `DATABASE_URL`, a driver's name in its scheme taken off; an error when it does not answer."""
    if not url:
        raise UnavailableError("DATABASE_URL is not set")
    parts = urlsplit(url)
    if parts.scheme.split("+")[0] not in {"postgresql", "postgres"} or not parts.hostname:
        raise DevstackError("DATABASE_URL is not of the form postgresql://user:password@host:port/database")
    port = parts.port or 5432
    if not answers(parts.hostname, port, limit=5):
        raise DevstackError(_SILENT.format(variable="DATABASE_URL", place=f"{parts.hostname}:{port}"))
    return GivenServer("PostgreSQL", "DATABASE_URL", parts._replace(scheme="postgresql").geturl(), f"{parts.hostname}:{port}")
