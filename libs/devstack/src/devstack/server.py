"""What the stack needs of a server, whoever runs it."""

from typing import Protocol


class Server(Protocol):
    """A Kafka or a PostgreSQL at one address for its whole life: killed and started again, it has the same address and data."""

    @property
    def name(self) -> str:
        """Its kind, version and origin, such as `PostgreSQL 18.4 (wheel)`."""

    @property
    def address(self) -> str:
        """`host:port` of Kafka, or the URL of PostgreSQL's database `postgres`."""

    def start(self) -> None:
        """Starts it and returns when it serves."""

    def kill(self) -> None:
        """Ends it as kill -9 does."""

    def freeze(self) -> None:
        """Holds it where it is: it keeps its connections and answers nobody."""

    def thaw(self) -> None:
        """Lets a frozen one go on."""

    def stop(self, *, keep_data: bool) -> None:
        """Ends it for good: in good order when the data is wanted, at once when not."""
