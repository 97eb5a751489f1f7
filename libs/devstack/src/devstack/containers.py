"""Kafka and PostgreSQL in containers, when a Docker engine can be reached."""

import contextlib
import hashlib
import secrets
import sys
from pathlib import Path

import docker
from docker.errors import DockerException, ImageNotFound
from docker.models.containers import Container
from requests.exceptions import RequestException
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from devstack import kafka_config
from devstack.child import Keeper
from devstack.errors import StartError, UnavailableError
from devstack.local_postgres import SETTINGS as POSTGRES_SETTINGS
from devstack.ports import LOOPBACK, answers, free_port, kafka_answers
from devstack.settings import Settings
from devstack.waiting import until

_LIMIT = 90.0
_PULL_LIMIT = 60  # seconds without a word from the engine, not for the whole image
_REMOVE = "import docker, sys; docker.from_env().containers.get(sys.argv[1]).remove(force=True, v=True)"


class _Contained:
    """What both containers share: one host port for life, a keeper instead of Ryuk (whose image would be a third to fetch)."""

    def __init__(self, container: DockerContainer, inner_port: int, folder: Path, kind: str) -> None:
        host = container.get_docker_client().host()
        local = host in {"localhost", LOOPBACK}
        self._host = LOOPBACK if local else host
        self._port = free_port()
        self._log = folder / f"{kind}.log"
        self._kind = kind
        self._folder = folder
        self._definition = container
        # a developer's servers are nobody else's: an engine on this machine publishes them on the loopback address alone
        bound = (LOOPBACK, self._port) if local else self._port
        container.ports[str(inner_port)] = bound  # type: ignore[assignment]  # the engine takes an address too; its declaration does not
        self._container: Container | None = None
        self._keeper: Keeper | None = None

    def start(self) -> None:
        """Creates the container, or starts the killed one again with its port and data."""
        if self._container:
            self._container.start()
        else:
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                self._container = self._definition.start().get_wrapped_container()
            except DockerException as problem:
                raise StartError(f"The container of {self._definition.image} did not start: {problem}") from problem
            self._keeper = Keeper.running([sys.executable, "-c", _REMOVE, str(self._container.id)])
        if not until(self._ready, self._gone, _LIMIT):
            self._keep_log()
            raise StartError(f"{self._definition.image} did not start; its log is {self._log}")

    def kill(self) -> None:
        """kill -9 of the container; its file system stays."""
        if self._container and not self._gone():
            self._container.kill()

    def freeze(self) -> None:
        """Pauses all processes of the container."""
        if self._container:
            self._container.pause()

    def thaw(self) -> None:
        """Ends the pause."""
        if self._container:
            self._container.unpause()

    def stop(self, *, keep_data: bool) -> None:
        """Removes the container; a named volume stays when the data is wanted."""
        if self._container:
            if keep_data:
                self._container.stop(timeout=30)
            self._keep_log()
            self._definition.stop()
            self._container = None
        if self._keeper:
            self._keeper.dismiss()
            self._keeper = None

    def _keep_log(self) -> None:
        if self._container:
            with contextlib.suppress(OSError, DockerException):
                self._log.write_bytes(self._container.logs())

    def _gone(self) -> bool:
        assert self._container
        self._container.reload()
        return str(self._container.status) in {"exited", "dead"}

    def _ready(self) -> bool:
        raise NotImplementedError


class ContainedKafka(_Contained):
    """The public apache/kafka image, or one that keeps its contract."""

    def __init__(self, image: str, folder: Path, volume: str | None, *, for_benchmark: bool) -> None:
        super().__init__(DockerContainer(image), 9092, folder, "kafka")
        self.name = f"Apache Kafka {image.rpartition(':')[2]} (container {image})"
        self.address = f"{self._host}:{self._port}"
        properties = kafka_config.properties(
            client=":9092", advertised=self.address, controller="localhost:9094", flush_each_record=not for_benchmark
        )
        heap = "-Xms1g -Xmx1g" if for_benchmark else "-Xms64m -Xmx384m"
        self._definition.with_envs(
            **kafka_config.as_environment(properties | {"log.dirs": "/var/lib/kafka/data"}),
            CLUSTER_ID=kafka_config.CLUSTER_ID,
            KAFKA_HEAP_OPTS=heap,
        )
        if volume:
            self._definition.with_volume_mapping(f"{volume}-kafka", "/var/lib/kafka/data", "rw")

    def _ready(self) -> bool:
        return kafka_answers(self._host, self._port)


class ContainedPostgres(_Contained):
    """The public postgres image, or one that keeps its contract."""

    def __init__(self, image: str, folder: Path, volume: str | None) -> None:
        super().__init__(DockerContainer(image), 5432, folder, "postgres")
        self._image = image
        self._version = ""
        options = " ".join(f"-c {name}={value}" for name, value in POSTGRES_SETTINGS.items())
        self._definition.with_command(f"postgres {options}")
        self._definition.with_envs(POSTGRES_PASSWORD=self._password())
        self.address = f"postgresql://postgres:{self._password()}@{self._host}:{self._port}/postgres"
        if volume:
            self._definition.with_volume_mapping(f"{volume}-postgres", "/var/lib/postgresql", "rw")

    @property
    def name(self) -> str:
        """With the version that the server tells."""
        return f"PostgreSQL {self._version or '18'} (container {self._image})"

    def start(self) -> None:
        """As for every container; afterwards the version is known."""
        super().start()
        assert self._container
        told = self._container.exec_run(["postgres", "--version"]).output.decode(errors="replace")
        self._version = next((word for word in told.split() if word[:1].isdigit()), "")

    def _ready(self) -> bool:
        # while the image creates its data folder, a first server listens on the socket alone
        assert self._container
        asked = ["pg_isready", "-q", "-h", "127.0.0.1", "-U", "postgres"]
        return answers(self._host, self._port) and self._container.exec_run(asked).exit_code == 0

    def _password(self) -> str:
        """One for each data folder, kept beside it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / "password"
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(secrets.token_hex(12), encoding="ascii")
        return file.read_text(encoding="ascii").strip()


def contained_kafka(settings: Settings, folder: Path, *, named: bool, for_benchmark: bool) -> ContainedKafka:
    """A Kafka in a container, not started; UnavailableError without an engine or its image."""
    _require_image(settings.kafka_image)
    return ContainedKafka(settings.kafka_image, folder, _volume(folder, named=named), for_benchmark=for_benchmark)


def contained_postgres(settings: Settings, folder: Path, *, named: bool) -> ContainedPostgres:
    """A PostgreSQL in a container, not started; UnavailableError without an engine or its image."""
    _require_image(settings.postgres_image)
    return ContainedPostgres(settings.postgres_image, folder, _volume(folder, named=named))


def _volume(folder: Path, *, named: bool) -> str | None:
    """A named folder's data lies in a volume of its own: a bind mount would belong to the image's users."""
    return f"devstack-{hashlib.sha256(str(folder.parent).encode()).hexdigest()[:12]}" if named else None


def _require_image(image: str) -> None:
    testcontainers_config.ryuk_disabled = True
    wanted = testcontainers_config.hub_image_name_prefix + image
    try:
        client = docker.from_env(timeout=_PULL_LIMIT)
        client.ping()
    except (DockerException, RequestException):
        raise UnavailableError("no Docker engine can be reached") from None
    with contextlib.closing(client):
        try:
            client.images.get(wanted)
        except ImageNotFound:
            try:
                client.images.pull(wanted)
            except (DockerException, RequestException) as problem:
                raise UnavailableError(
                    f"the Docker engine has no image {wanted} and cannot fetch it: {getattr(problem, 'explanation', problem)}"
                ) from None
