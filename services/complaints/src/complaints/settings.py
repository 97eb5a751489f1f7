"""What the complaints service is told from outside, prefix `COMPLAINTS_`."""

from pydantic_settings import SettingsConfigDict

from common.runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """The settings that every service has."""

    model_config = SettingsConfigDict(env_prefix="COMPLAINTS_", frozen=True, extra="ignore")
