"""Apache Kafka in KRaft mode on a local JVM."""

import signal
from pathlib import Path

from devstack import kafka_config
from devstack.child import Child, Identity, last_lines, run
from devstack.errors import StartError, UnavailableError
from devstack.jars import kafka_jars
from devstack.java import java
from devstack.ports import LOOPBACK, free_port, kafka_answers
from devstack.settings import KAFKA_VERSION, Settings
from devstack.waiting import until

_LIMIT = 60.0
# The first compiler alone starts faster; a benchmark wants the second one and room.
_SMALL = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_LARGE = ("-Xms1g", "-Xmx1g", "-XX:+UseSerialGC")


class LocalKafka:
    """One node, broker and controller in one process, its data and log below `folder`."""

    name = f"Apache Kafka {KAFKA_VERSION} (local JVM)"

    def __init__(self, java: Path, jars: Path, folder: Path, *, for_benchmark: bool) -> None:
        self._java = [str(java), "-Dorg.slf4j.simpleLogger.showDateTime=true", "-cp", f"{jars}/*"]
        self._options = _LARGE if for_benchmark else _SMALL
        self._flush_each_record = not for_benchmark
        self._folder = folder
        self._port = free_port()
        self._child: Child | None = None

    @property
    def address(self) -> str:
        """The bootstrap server."""
        return f"{LOOPBACK}:{self._port}"

    @property
    def log(self) -> Path:
        """The broker's log."""
        return self._folder / "kafka.log"

    def start(self) -> None:
        """Formats the storage once and returns when clients are served; after a kill that takes up to 6 s."""
        if self._child and not self._child.ended:
            return
        config = self._folder / "server.properties"
        if not self._child:
            self._prepare(config)
        self._child = child = Child([self._java[0], *self._options, *self._java[1:], "kafka.Kafka", str(config)], self.log, Identity())
        if not until(lambda: kafka_answers(LOOPBACK, self._port), lambda: child.ended, _LIMIT):
            self.kill()
            raise StartError(f"Apache Kafka did not start; the end of {self.log}:\n{last_lines(self.log)}")

    def kill(self) -> None:
        """kill -9; every acknowledged record is on disk."""
        if self._child:
            self._child.kill()

    def freeze(self) -> None:
        """SIGSTOP: it keeps its connections and answers nobody."""
        if self._child:
            self._child.freeze()

    def thaw(self) -> None:
        """SIGCONT."""
        if self._child:
            self._child.thaw()

    def stop(self, *, keep_data: bool) -> None:
        """A controlled shutdown when the data is wanted."""
        if self._child and keep_data:
            self._child.stop(signal.SIGTERM, limit=30)
        self.kill()

    def _prepare(self, config: Path) -> None:
        """Writes the configuration for this life's ports and formats the storage of a new folder."""
        self._folder.mkdir(parents=True, exist_ok=True)
        data = self._folder / "data"
        wanted = kafka_config.properties(
            client=self.address,
            advertised=self.address,
            controller=f"{LOOPBACK}:{free_port()}",
            flush_each_record=self._flush_each_record,
        )
        config.write_text(kafka_config.as_file(wanted | {"log.dirs": str(data)}), encoding="utf-8")
        if (data / "meta.properties").exists():
            return
        tool = [self._java[0], "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", *self._java[1:], "kafka.tools.StorageTool"]
        done = run([*tool, "format", "-t", kafka_config.CLUSTER_ID, "-c", str(config)], Identity())
        if done.returncode:
            raise StartError(f"Apache Kafka's storage could not be formatted:\n{(done.stdout + done.stderr)[-2000:]}")


def local_kafka(settings: Settings, folder: Path, *, for_benchmark: bool) -> LocalKafka:
    """A Kafka on this machine's Java, not started; UnavailableError when Java or the jars cannot be had."""
    program = java(settings.java_home)
    try:
        jars = kafka_jars(settings.cache, program)
    except OSError as problem:
        raise UnavailableError(f"the cache folder {settings.cache} cannot be used: {problem}") from problem
    return LocalKafka(program, jars, folder, for_benchmark=for_benchmark)
