"""The order in which a server is looked for, and what is said when there is none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from devstack.errors import DevstackError, UnavailableError
from devstack.server import Server

WAYS = """\
  1. name running servers: KAFKA_BOOTSTRAP_SERVERS=host:port and DATABASE_URL=postgresql://user:password@host:port/postgres
  2. start a Docker engine that has, or can fetch, the images apache/kafka:4.4.0 and postgres:18
     (others: DEVSTACK_KAFKA_IMAGE, DEVSTACK_POSTGRES_IMAGE)
  3. without Docker: mvn on PATH (Debian: apt-get install maven) with Java 17 or newer for Apache Kafka's jars,
     and the wheels of this project (make install) for PostgreSQL"""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to a server: `find` returns it, not started, or raises UnavailableError with the reason."""

    find: Callable[[], Server]
    label: str
    worth_telling: Callable[[str], bool] = lambda _reason: False


def first_open(kind: str, ways: Sequence[Way], say: Callable[[str], None]) -> Server:
    """The server of the first way that is open.

    A reason that the developer would want to know (an engine that lacks the image) is said while the next way is tried.
    When none is open, the error names the three ways and why each was closed.
    """
    closed = []
    for way in ways:
        try:
            return way.find()
        except UnavailableError as reason:
            closed.append(f"  - {way.label}: {reason}")
            if way.worth_telling(str(reason)):
                say(f"{kind}: {reason}; trying the next way")
    raise DevstackError(f"No {kind} can be had. Ways to have one:\n{WAYS}\nWhat was tried:\n" + "\n".join(closed))
