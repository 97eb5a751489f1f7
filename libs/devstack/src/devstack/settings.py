"""The environment variables that devstack reads, in one place."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

KAFKA_VERSION = "4.4.0"
KAFKA_IMAGE = f"apache/kafka:{KAFKA_VERSION}"
POSTGRES_IMAGE = "postgres:18"


@dataclass(frozen=True)
class Settings:
    """Where servers come from and where jars are kept; every field has a working default."""

    kafka_bootstrap_servers: str | None = None
    database_url: str | None = None
    kafka_image: str = KAFKA_IMAGE
    postgres_image: str = POSTGRES_IMAGE
    use_docker: bool = True
    docker_host: str = "unix:///var/run/docker.sock"
    java_home: Path | None = None
    cache: Path = Path("~/.cache/aftersales")


def read(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process, or of the given variables; an empty variable counts as not set.

    `KAFKA_BOOTSTRAP_SERVERS`, `DATABASE_URL`, `DEVSTACK_KAFKA_IMAGE`, `DEVSTACK_POSTGRES_IMAGE`, `DEVSTACK_DOCKER` (`no` passes
    Docker by), `DOCKER_HOST`, `JAVA_HOME`, `XDG_CACHE_HOME`.
    """
    given = os.environ if environment is None else environment  # noqa: TID251 - this is the settings module of a library without pydantic
    found = {name: value for name, value in given.items() if value}
    java_home = found.get("JAVA_HOME")
    return Settings(
        kafka_bootstrap_servers=found.get("KAFKA_BOOTSTRAP_SERVERS"),
        database_url=found.get("DATABASE_URL"),
        kafka_image=found.get("DEVSTACK_KAFKA_IMAGE", KAFKA_IMAGE),
        postgres_image=found.get("DEVSTACK_POSTGRES_IMAGE", POSTGRES_IMAGE),
        use_docker=found.get("DEVSTACK_DOCKER", "yes").lower() not in {"no", "0", "false"},
        docker_host=found.get("DOCKER_HOST", Settings.docker_host),
        java_home=Path(java_home) if java_home else None,
        cache=Path(found.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "aftersales",
    )
