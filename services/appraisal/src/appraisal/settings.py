"""What appraisal is told from outside, prefix `APPRAISAL_`."""

from pydantic_settings import SettingsConfigDict

from common.runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """The settings that every service has."""

    model_config = SettingsConfigDict(env_prefix="APPRAISAL_", frozen=True, extra="ignore")
