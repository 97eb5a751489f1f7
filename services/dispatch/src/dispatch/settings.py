"""What the dispatch service is told from outside, prefix `DISPATCH_`."""

from pydantic_settings import SettingsConfigDict

from common.runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """The settings that every service has."""

    model_config = SettingsConfigDict(env_prefix="DISPATCH_", frozen=True, extra="ignore")
