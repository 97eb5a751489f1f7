"""`python -m common.runtime.apply_topics`: makes the topics where only a service is installed, not the operator's command line."""

import asyncio
import sys

import structlog

from common.kafka.settings import KafkaSettings
from common.kafka.topic_admin import apply
from common.runtime import logging
from common.runtime.settings import ServiceSettings

log = structlog.get_logger(__name__)


def main() -> None:
    """Applies the topics table to the Kafka of KAFKA_BOOTSTRAP_SERVERS, under KAFKA_PREFIX; exits with 1 on wrong partitions."""
    settings = ServiceSettings()
    logging.configure("topics", settings.log_level)
    found = asyncio.run(apply(KafkaSettings(settings.kafka_bootstrap_servers, "aftersales-topics", settings.kafka_prefix)))
    wrong = sorted(difference.topic for difference in found if difference.what == "partitions")
    log.info("topics_applied", created=sum(difference.what == "topic" for difference in found), differences=len(found), wrong=wrong)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
