# Everything a developer does here, one word each. `make` alone lists the words.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help install lint types imports test proof mutants faults demo run bench up down lock

PYPROJECTS := pyproject.toml $(wildcard libs/*/pyproject.toml services/*/pyproject.toml)
INSTALLED := .venv/.installed
BIN := .venv/bin
SOURCES := $(wildcard libs/*/src services/*/src) tests tools $(wildcard benchmarks)

export DEMO_REPORT

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## .venv from requirements.lock and the command .venv/bin/aftersales; nothing to do when up to date

$(INSTALLED): requirements.lock $(PYPROJECTS) tools/install.sh
	@tools/install.sh

lint: $(INSTALLED) ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED) ## mypy --strict on sources and tests
	$(BIN)/mypy $(SOURCES)

imports: $(INSTALLED) ## import-linter: who may import whom
	$(BIN)/lint-imports

test: lint types imports ## all checks and tests, on a real Kafka and PostgreSQL, two files at a time
	$(BIN)/pytest --numprocesses 2 --dist loadfile $(PYTEST)

proof: $(INSTALLED) ## the long counts: kills, poison, timers, and every property on new cases; prints what was counted
	PROOF=1 $(BIN)/pytest -m proof -rP --show-capture=stdout --hypothesis-show-statistics $(PYTEST)

mutants: $(INSTALLED) ## defects planted at random, of which the tests have to find 95 %; MUTANTS=200 SEED=1 ONLY=common.kernel NAMED=all
	@MUTANTS="$(MUTANTS)" SEED="$(SEED)" ONLY="$(ONLY)" TESTS="$(TESTS)" NAMED="$(NAMED)" $(BIN)/python -m tests.mutation

faults: $(INSTALLED) ## every fault, so often: lost, doubled, grades, recovered in; about 40 minutes; FAULTS="--only churn --runs 1"
	$(BIN)/python -m tests.faults.table $(FAULTS)

demo: $(INSTALLED) ## a quarter of after-sales events through the four services to grades; DEMO_REPORT=FILE writes the report; REPLICAS=2
	@$(BIN)/aftersales demo --replicas $(or $(REPLICAS),1)

run: $(INSTALLED) ## the four services, Kafka and PostgreSQL until Ctrl-C; REPLICAS=2
	@exec $(BIN)/aftersales run --replicas $(or $(REPLICAS),1)

bench: $(INSTALLED) ## every benchmark in turn
	@set -e; for file in benchmarks/*.py; do echo "$$file"; $(BIN)/python "$$file"; done

up: $(INSTALLED) ## the same in containers, with Prometheus (docker compose); REPLICAS=2
	@REPLICAS=$(or $(REPLICAS),1) deploy/up.sh

down: ## ends what `make up` started, with its data
	docker compose --file deploy/compose.yaml down --volumes --remove-orphans --rmi local

lock: $(INSTALLED) ## renews requirements.lock after a change of dependencies
	$(BIN)/python tools/lock.py $(BIN)/uv
