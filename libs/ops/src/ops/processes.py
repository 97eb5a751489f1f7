"""The four services as processes of their own, beside a Kafka and a PostgreSQL: for the demo, `aftersales run` and the fault tests."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from common.contracts.topics import SERVICES
from devstack.ports import free_port

MOST_REPLICAS = 6
"""As many as a topic has partitions; a further replica would have little or nothing to read."""


@dataclass(slots=True)
class ServiceProcess:
    """One replica of a service in a process: started, asked, killed and stopped."""

    name: str
    kafka: str
    database_url: str
    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    kafka_prefix: str = ""
    replica: int = 0
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, on the same port as before."""
        self.port = self.port or free_port()
        own = self.name.upper()
        environment = {
            **os.environ,  # noqa: TID251 - a child gets what its parent has, and what is set here on top
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "KAFKA_PREFIX": self.kafka_prefix,
            "DATABASE_URL": self.database_url,
            f"{own}_HTTP_PORT": str(self.port),
            f"{own}_REPLICA": str(self.replica),
            **{f"{own}_{name.upper()}": value for name, value in self.settings.items()},
        }
        with self.log.open("ab") as log:
            # a session of its own: Ctrl-C on the terminal is the parent's to handle
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own module
                [sys.executable, "-c", f"from {self.name}.app import main; main()"],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def title(self) -> str:
        """What it is called among its siblings: the first replica as the service itself, the others with a number, from `…-1` on."""
        return f"{self.name}-{self.replica}" if self.replica else self.name

    @property
    def log(self) -> Path:
        """Where its log is: a file of its own in the folder."""
        return self.folder / f"{self.title}.log"

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of its HTTP side; status 0 while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except (OSError, TimeoutError):
            return 0, ""

    @property
    def is_ready(self) -> bool:
        """Whether it runs and says that it is ready; another one that has its port does not say it for it."""
        return self.process is not None and self.process.poll() is None and self.get("/health/ready")[0] == 200

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def freeze(self) -> None:
        """SIGSTOP: to its peers it is a process that is away, to itself no time passes."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)

    def stop(self, limit: float = 35) -> int | None:
        """SIGTERM, then its exit status; None when it had to be killed after `limit` seconds."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.kill()
            return None


@contextmanager
def services(
    kafka: str,
    database_url: str,
    folder: Path,
    names: Sequence[str] = SERVICES,
    settings: Mapping[str, str] | None = None,
    kafka_prefix: str = "",
    replicas: int = 1,
) -> Iterator[dict[str, ServiceProcess]]:
    """So many replicas of each named service by their titles, running and ready; stopped at the end, whatever happens in between."""
    folder.mkdir(parents=True, exist_ok=True)
    every = [
        ServiceProcess(name, kafka, database_url, folder, settings or {}, kafka_prefix, replica)
        for replica in range(replicas)
        for name in names
    ]
    running = {one.title: one for one in every}
    try:
        for service in running.values():
            service.start()
        for service in running.values():
            wait_until_ready(service, 60 * replicas)
        yield running
    finally:
        for service in running.values():
            if service.process is not None and service.process.poll() is None:
                service.process.terminate()
        for service in running.values():
            service.stop()


def wait_until_ready(service: ServiceProcess, limit: float = 60) -> None:
    """Returns when the service is ready; RuntimeError with the end of its log when it is not within `limit` seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if service.is_ready:
            return
        if service.process is None or service.process.poll() is not None:
            break
        time.sleep(0.1)
    text = service.log.read_text(errors="replace")[-3000:] if service.log.exists() else ""
    raise RuntimeError(f"{service.title} did not become ready; the end of {service.log}:\n{text}")
