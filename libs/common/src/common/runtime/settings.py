"""The settings of every service, from outside; a service adds its own under its prefix."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from common.kafka.settings import valid_prefix


class ServiceSettings(BaseSettings):
    """Read once, where the process starts, and passed on; never read again."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    kafka_bootstrap_servers: str = Field(validation_alias="KAFKA_BOOTSTRAP_SERVERS")
    """`host:port`, several separated by commas."""
    kafka_prefix: Annotated[str, AfterValidator(valid_prefix)] = Field(default="", validation_alias="KAFKA_PREFIX")
    """Stands before every name on Kafka: topics, groups, members, clients. The same for all services of one installation."""
    database_url: str = Field(validation_alias="DATABASE_URL")
    """The PostgreSQL server; the service uses the database of its own name there."""
    http_host: str = "127.0.0.1"
    http_port: int = 0
    """For `/metrics`, `/health/live`, `/health/ready` and `/asyncapi`; 0 takes a free one and prints it."""
    replica: str = "0"
    """Tells replicas of one service apart; the consumer's static id is `<group>-<replica>`."""
    start_seconds: float = 120
    """How long a service waits for Kafka, the topics and the database before it gives up."""
    wait_hours: float = 24
    """How long an event that came too early waits for the earlier one."""
    max_lag_wait: timedelta = timedelta(minutes=15)
    """How long a partition may be behind before it no longer holds timers back."""
    replay_idle_seconds: float = 5
    """How long no replayed event may have come before timers of a replayed history fire."""
    outbox_keep_days: int = 7
    log_level: str = "INFO"
