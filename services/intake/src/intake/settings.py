"""What the intake service is told from outside, prefix `INTAKE_`."""

from pydantic_settings import SettingsConfigDict

from common.runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """The settings that every service has."""

    model_config = SettingsConfigDict(env_prefix="INTAKE_", frozen=True, extra="ignore")
