"""A Kafka and a PostgreSQL together, for as long as a block lasts."""

import atexit
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from devstack import given
from devstack.errors import UnavailableError
from devstack.local_kafka import local_kafka
from devstack.local_postgres import local_postgres
from devstack.ports import socket_answers
from devstack.server import Server
from devstack.settings import Settings, read
from devstack.ways import Way, first_open


class Stack:
    """Two real servers and what may be done to them. Made by `stack()`."""

    def __init__(self, kafka: Server, postgres: Server, folder: Path, *, named: bool, say: Callable[[str], None]) -> None:
        self._kafka = kafka
        self._postgres = postgres
        self._folder = folder
        self._named = named
        self._say = say
        self._stopped = False

    @property
    def kafka(self) -> str:
        """Kafka's bootstrap servers."""
        return self._kafka.address

    @property
    def database_url(self) -> str:
        """The URL of PostgreSQL's own database, `postgresql://user:password@host:port/postgres`; `url_of` names another one."""
        return self._postgres.address

    @property
    def kafka_name(self) -> str:
        """Such as `Apache Kafka 4.4.0 (local JVM)`."""
        return self._kafka.name

    @property
    def postgres_name(self) -> str:
        """Such as `PostgreSQL 18.4 (wheel)`."""
        return self._postgres.name

    @property
    def folder(self) -> Path:
        """Where data and logs lie."""
        return self._folder

    def url_of(self, database: str) -> str:
        """The URL of another database of the same server, which may not exist yet."""
        return urlsplit(self.database_url)._replace(path=f"/{database}").geturl()

    def start(self) -> None:
        """Starts what does not run."""
        for server in (self._postgres, self._kafka):
            if not isinstance(server, given.GivenServer):
                server.start()

    def kill_kafka(self) -> None:
        """kill -9 of Kafka; NotOursError when it was given."""
        self._kafka.kill()

    def start_kafka(self) -> None:
        """The killed Kafka again, at its address and with its data."""
        self._kafka.start()

    def freeze_kafka(self) -> None:
        """Kafka keeps its connections and answers nobody; NotOursError when it was given."""
        self._kafka.freeze()

    def thaw_kafka(self) -> None:
        """The frozen Kafka goes on."""
        self._kafka.thaw()

    def freeze_postgres(self) -> None:
        """PostgreSQL and its workers keep their connections and answer nobody; NotOursError when it was given."""
        self._postgres.freeze()

    def thaw_postgres(self) -> None:
        """The frozen PostgreSQL goes on."""
        self._postgres.thaw()

    def kill_postgres(self) -> None:
        """kill -9 of PostgreSQL; NotOursError when it was given."""
        self._postgres.kill()

    def start_postgres(self) -> None:
        """The killed PostgreSQL again, at its address and with its data."""
        self._postgres.start()

    def stop(self, *, keep_logs: bool = False) -> None:
        """Ends both servers; a temporary folder goes with them, but for its logs when they are asked for. Harmless twice."""
        if self._stopped:
            return
        self._stopped = True
        atexit.unregister(self.stop)
        try:
            for server in (self._kafka, self._postgres):
                server.stop(keep_data=self._named)
        finally:
            if not self._named:
                self._clear(keep_logs=keep_logs)

    def _clear(self, *, keep_logs: bool) -> None:
        logs = list(self._folder.glob("*/*.log")) if keep_logs else []
        if not logs:
            shutil.rmtree(self._folder, ignore_errors=True)
            return
        for data in self._folder.glob("*/data"):
            shutil.rmtree(data, ignore_errors=True)
        self._say("The logs of Kafka and PostgreSQL are kept: " + " ".join(map(str, logs)))


@contextmanager
def stack(
    folder: Path | None = None,
    *,
    for_benchmark: bool = False,
    settings: Settings | None = None,
    say: Callable[[str], None] | None = None,
) -> Iterator[Stack]:
    """A running Kafka and PostgreSQL until the block ends; when it ends with an error the logs stay and their paths are said.

    Data lies in `folder` and stays there, or in a temporary folder that goes. A benchmark has a large heap, the optimizing compiler and no
    flush for each record. DevstackError with the ways to have servers when there are none.
    """
    running = open_stack(folder, for_benchmark=for_benchmark, settings=settings, say=say)
    try:
        yield running
    except BaseException:
        running.stop(keep_logs=True)
        raise
    running.stop()


def open_stack(
    folder: Path | None = None,
    *,
    for_benchmark: bool = False,
    settings: Settings | None = None,
    say: Callable[[str], None] | None = None,
) -> Stack:
    """As `stack`, for a caller who ends it with `stop()`; what is not ended goes with this process."""
    settings = settings or read()
    say = say or _say
    named = folder is not None
    place = _named(folder) if folder else _temporary()
    try:
        kafka = first_open("Kafka", _kafka_ways(settings, place / "kafka", named=named, for_benchmark=for_benchmark), say)
        postgres = first_open("PostgreSQL", _postgres_ways(settings, place / "postgres", named=named), say)
    except BaseException:
        if not named:
            shutil.rmtree(place, ignore_errors=True)
        raise
    opened = Stack(kafka, postgres, place, named=named, say=say)
    atexit.register(opened.stop)
    try:
        opened.start()
    except BaseException:
        opened.stop(keep_logs=True)
        raise
    return opened


def _kafka_ways(settings: Settings, folder: Path, *, named: bool, for_benchmark: bool) -> list[Way]:
    def contained() -> Server:
        _require_engine(settings)
        from devstack.containers import contained_kafka  # the engine's client is slow to import

        return contained_kafka(settings, folder, named=named, for_benchmark=for_benchmark)

    return [
        Way(lambda: given.given_kafka(settings.kafka_bootstrap_servers), "given"),
        Way(contained, "Docker", _lacks_image),
        Way(lambda: local_kafka(settings, folder, for_benchmark=for_benchmark), "local JVM"),
    ]


def _postgres_ways(settings: Settings, folder: Path, *, named: bool) -> list[Way]:
    def contained() -> Server:
        _require_engine(settings)
        from devstack.containers import contained_postgres  # as above

        return contained_postgres(settings, folder, named=named)

    return [
        Way(lambda: given.given_postgres(settings.database_url), "given"),
        Way(contained, "Docker", _lacks_image),
        Way(lambda: local_postgres(folder), "wheel"),
    ]


def _require_engine(settings: Settings) -> None:
    """Asks the socket itself: the engine's client leaves one open when nobody listens."""
    if not settings.use_docker:
        raise UnavailableError("DEVSTACK_DOCKER=no")
    scheme, _, path = settings.docker_host.partition("://")
    if scheme == "unix" and not socket_answers(path):
        raise UnavailableError(f"no Docker engine listens on {path}")


def _lacks_image(reason: str) -> bool:
    return "has no image" in reason


def _named(folder: Path) -> Path:
    place = folder.expanduser().resolve()
    place.mkdir(parents=True, exist_ok=True)
    return place


def _temporary() -> Path:
    place = Path(tempfile.mkdtemp(prefix="devstack-"))
    # PostgreSQL may run as another user, who has to pass through
    place.chmod(0o711)
    return place


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
