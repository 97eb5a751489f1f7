"""Apache Kafka's jars, by the machine's own Maven, checked against the lock and kept between runs."""

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from devstack.child import Identity, run
from devstack.errors import DevstackError, UnavailableError
from devstack.java import home_of
from devstack.settings import KAFKA_VERSION

# Pinned like the rest: without a version Maven takes whatever its release ships.
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.9.0:copy-dependencies"


def kafka_jars(cache: Path, program: Path, which: Callable[[str], str | None] = shutil.which) -> Path:
    """The folder of Kafka's jars, each with the SHA-256 of `kafka-jars.lock`; fetched once for all processes of this user."""
    lock = read_lock()
    folder = cache / f"kafka-{KAFKA_VERSION}"
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(cache / f"kafka-{KAFKA_VERSION}.lock"):
        if not differences(folder, lock):
            return folder
        mvn = which("mvn")
        if not mvn:
            raise UnavailableError("no mvn on PATH to fetch Apache Kafka's jars with")
        with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as part:
            fetch(mvn, program, Path(part))
            if found := differences(Path(part), lock):
                raise DevstackError("The jars that Maven fetched are not those of kafka-jars.lock:\n" + "\n".join(found))
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(part, folder)
    return folder


def read_lock() -> dict[str, str]:
    """File name → SHA-256 of every jar."""
    text = resources.files("devstack").joinpath("kafka-jars.lock").read_text(encoding="utf-8")
    lock = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            coordinates, digest = line.split()
            _, artifact, version = coordinates.split(":")
            lock[f"{artifact}-{version}.jar"] = digest
    return lock


def differences(folder: Path, lock: Mapping[str, str]) -> list[str]:
    """What in the folder is not as the lock says; empty when all is."""
    present = {jar.name: jar for jar in folder.glob("*.jar")}
    wrong = [f"{name}: missing" for name in lock if name not in present]
    wrong += [f"{name}: not in the lock" for name in present if name not in lock]
    return wrong + [f"{name}: other content" for name, jar in present.items() if name in lock and sha256(jar) != lock[name]]


def sha256(file: Path) -> str:
    """The digest of a file, as the lock writes it."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fetch(mvn: str, program: Path, target: Path, *options: str) -> None:
    """Maven's own download, with its own settings, mirrors and checksums; it runs on the Java that was found."""
    with resources.as_file(resources.files("devstack").joinpath("pom.xml")) as pom:
        # a project folder of its own, so that Maven writes nothing beside the installed package
        project = target / "pom.xml"
        shutil.copyfile(pom, project)
    command = [
        mvn,
        "-B",
        "-q",
        "--strict-checksums",
        "-f",
        str(project),
        "-DincludeScope=runtime",
        _COPY,
        f"-DoutputDirectory={target}",
        *options,
    ]
    try:
        done = run(["env", f"JAVA_HOME={home_of(program)}", *command], Identity(), limit=600)
    except subprocess.TimeoutExpired:
        raise UnavailableError("mvn did not fetch Apache Kafka's jars within ten minutes") from None
    if done.returncode:
        raise UnavailableError(f"mvn could not fetch Apache Kafka's jars:\n{(done.stdout + done.stderr).strip()[-2000:]}")
    project.unlink()


@contextmanager
def _alone(lock_file: Path) -> Iterator[None]:
    """Keeps other processes out until the block ends; the system lets go when a process dies."""
    with lock_file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
