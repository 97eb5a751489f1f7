#!/usr/bin/env bash
# `make up`: builds the images, starts everything, waits until all of it is healthy and says where it is.
set -euo pipefail
cd "$(dirname "$0")/.."
compose() { docker compose --file deploy/compose.yaml "$@"; }
at() { compose port "$@"; }

docker version >/dev/null 2>&1 || { echo "No Docker engine can be reached. Without one: make run" >&2; exit 1; }
docker compose version >/dev/null 2>&1 || { echo "Docker has no compose plugin (Debian: apt-get install docker-compose-plugin)" >&2; exit 1; }

deploy/packages.sh
compose build --quiet
if ! compose up --detach --wait --wait-timeout 240; then
  compose ps --all
  compose logs --tail 20
  echo "Not everything became healthy; it is left as it is for a look, and \`make down\` removes it." >&2
  exit 1
fi

echo
for service in intake dispatch complaints appraisal; do
  for index in $(seq "${REPLICAS:-1}"); do echo "$service: http://$(at --index "$index" $service 8000)/metrics"; done
done
kafka=$(at kafka 9092)
cat <<TEXT
Prometheus: http://$(at prometheus 9090)
Kafka: $kafka

For the command line, in another terminal:
  export KAFKA_BOOTSTRAP_SERVERS=$kafka DATABASE_URL=postgresql://postgres:${POSTGRES_PASSWORD:-aftersales}@$(at postgres 5432)/postgres${KAFKA_PREFIX:+ KAFKA_PREFIX=$KAFKA_PREFIX}
  .venv/bin/aftersales simulate     a quarter of claims
  .venv/bin/aftersales doctor       whether all is well
\`make down\` ends it and removes its data.
TEXT
