"""What is deployed is what is locked, listens where it is asked, and wakes people up for metrics that exist."""

import asyncio
import os
import re
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from common.contracts.topics import SERVICES
from common.kafka import topic_admin
from common.kafka.broker import KafkaSettings
from devstack import Stack
from ops.documents.metrics_page import metrics
from ops.processes import MOST_REPLICAS

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SERVERS = ("kafka", "postgres", "prometheus")


def document(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


COMPOSE = document("compose.yaml")["services"]
ALERTS = {
    rule["alert"]: rule
    for file in sorted((DEPLOY / "prometheus/rules").glob("*.yml"))
    for group in document(f"prometheus/rules/{file.name}")["groups"]
    for rule in group["rules"]
}
TESTED = {
    case["alertname"]
    for file in sorted((DEPLOY / "prometheus/rule_tests").glob("*.yml"))
    for test in document(f"prometheus/rule_tests/{file.name}")["tests"]
    for case in test["alert_rule_test"]
    if case.get("exp_alerts")
}


def shown() -> dict[str, set[str]]:
    """Every series that a service shows, with its labels; those that Prometheus adds itself come on top."""
    found: dict[str, set[str]] = {"up": set()}
    for metric in metrics():
        for end in ("_bucket", "_sum", "_count") if metric.type == "histogram" else ("",):
            found[metric.name + end] = {*metric.labels, *({"le"} if end == "_bucket" else set())}
    return found


def series(expression: str) -> list[tuple[str, set[str]]]:
    """The series that an expression names, each with the labels by which it selects."""
    found = re.findall(r"\b(up|aftersales_\w+)\b(?:\{([^}]*)\})?", expression)
    return [(name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selected))) for name, selected in found]


def anchors(page: str) -> set[str]:
    """The headings of a Markdown page as its links name them."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_asks_only_for_series_and_labels_that_the_services_show(alert: str) -> None:
    known, named = shown(), series(ALERTS[alert]["expr"])
    assert named
    for name, labels in named:
        assert name in known, f"{alert}: no service shows {name}"
        assert labels <= known[name] | {"job", "instance"}, f"{alert}: {name} has no label {labels - known[name]}"


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_what_it_means_who_gets_up_and_where_the_way_out_is_written(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor in anchors((ROOT / page).read_text(encoding="utf-8"))
    kept = set(re.findall(r"by \(([^)]*)\)", rule["expr"]))
    labels = {label for group in kept for label in re.split(r",\s*", group)} | {"instance", "job"}
    said = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"] + rule["annotations"]["description"]))
    assert said <= labels, f"{alert}: the text names {said - labels}, which the expression does not keep"


def test_every_alert_is_shown_to_fire_by_a_rule_test() -> None:
    assert set(ALERTS) == TESTED


def test_what_can_go_wrong_with_the_chassis_wakes_somebody_up() -> None:
    watched = {name for rule in ALERTS.values() for name, _ in series(rule["expr"])}
    assert watched >= {
        "up",
        "aftersales_sla_outcomes_total",
        "aftersales_sla_compliance_ratio",
        "aftersales_dead_letters_open",
        "aftersales_outbox_oldest_unpublished_seconds",
        "aftersales_outbox_refused",
        "aftersales_timer_oldest_due_seconds",
        "aftersales_consumer_lag_records",
        "aftersales_partitions_halted",
        "aftersales_log_holes_open",
    }


def test_prometheus_scrapes_every_replica_of_every_service_and_reads_every_rule() -> None:
    config = document("prometheus/prometheus.yml")
    [job] = config["scrape_configs"]
    [found] = job["dns_sd_configs"]
    assert (tuple(found["names"]), found["type"], found["port"]) == (SERVICES, "A", 8000), "every address that a service's name has"
    assert job["relabel_configs"] == [{"source_labels": ["__meta_dns_name"], "target_label": "job"}]
    assert set(re.findall(r'up\{job="(\w+)"\}', ALERTS["ServiceDown"]["expr"])) == set(SERVICES), "one that has no address at all"
    assert config["rule_files"] == ["/etc/prometheus/rules/*.yml"]
    assert "./prometheus:/etc/prometheus:ro" in COMPOSE["prometheus"]["volumes"]


def test_compose_runs_the_four_services_beside_their_servers_and_nothing_else() -> None:
    assert set(COMPOSE) == {*SERVICES, *SERVERS, "topics"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_listens_where_its_image_is_asked_for_its_health(service: str) -> None:
    entry, image = COMPOSE[service], (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert entry["build"]["args"]["SERVICE"] == service
    assert entry["build"]["context"] == f"dist/{service}"
    assert entry["environment"][f"{service.upper()}_HTTP_HOST"] == "0.0.0.0"
    assert str(entry["environment"][f"{service.upper()}_HTTP_PORT"]) == "8000"
    assert "\nEXPOSE 8000\n" in image
    assert "http://127.0.0.1:8000/health/ready" in image
    assert entry["depends_on"]["topics"] == {"condition": "service_completed_successfully"}
    assert {entry["depends_on"][server]["condition"] for server in ("kafka", "postgres")} == {"service_healthy"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_can_be_scaled_with_a_port_and_a_name_of_its_own_for_each_replica(service: str) -> None:
    entry, own = COMPOSE[service], service.upper()
    assert "container_name" not in entry
    assert "hostname" not in entry
    assert entry["deploy"]["replicas"] == "${REPLICAS:-1}"
    assert entry["command"] == ["sh", "-c", f"{own}_REPLICA=$$HOSTNAME exec service"]
    found = re.fullmatch(rf"127\.0\.0\.1:\$\{{{own}_PORT:-(\d+)-(\d+)\}}:8000", entry["ports"][0])
    assert found is not None
    assert int(found[2]) - int(found[1]) + 1 >= MOST_REPLICAS


def test_the_ports_of_no_two_services_meet() -> None:
    ranges = sorted(tuple(map(int, re.findall(r"\d{4,}", COMPOSE[service]["ports"][0])[:2])) for service in SERVICES)
    assert all(before[1] < after[0] for before, after in pairwise(ranges))
    assert COMPOSE["topics"]["deploy"] == {"replicas": 1}


def test_no_port_is_open_to_other_machines() -> None:
    ports = [port for entry in COMPOSE.values() for port in entry.get("ports", ())]
    assert len(ports) == len(SERVICES) + len(SERVERS)
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_every_public_image_has_a_version_and_can_be_replaced() -> None:
    images = [entry["image"] for entry in COMPOSE.values() if "image" in entry]
    images += [entry["build"]["args"]["PYTHON"] for entry in COMPOSE.values() if "build" in entry]
    for image in images:
        assert re.fullmatch(r"\$\{[A-Z]+_IMAGE:-\$\{IMAGE_PREFIX:-\}[\w./-]+:[\w.-]+\}", image), image


def test_the_image_is_built_from_what_was_packed_and_by_any_builder() -> None:
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert not re.search(r"syntax=|--mount|pip install|uv |apt|curl|wget|://(?!127\.0\.0\.1)", lines)
    assert re.findall(r"^USER (.+)$", lines, re.MULTILINE) == ["10001:10001"]
    assert re.findall(r"^CMD (.+)$", lines, re.MULTILINE) == ['["service"]']


@cache
def packed(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each service's packages as for an image with this Python on this processor."""
    out = tmp_path_factory.mktemp("packages")
    target = f"{sys.version_info[0]}.{sys.version_info[1]} {os.uname().machine}"
    pack = ["env", f"TARGET={target}", f"OUT={out}", str(DEPLOY / "packages.sh")]
    done = subprocess.run(pack, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_holds_one_service_and_nothing_to_develop_or_install_with(service: str, packages: Path) -> None:
    names = packed(packages / service)
    assert {service, "common", "aiokafka", "asyncpg"} <= names
    unwanted = {*SERVICES, "ops", "devstack", "pip", "uv", "uv_build", "setuptools", "pytest", "mypy", "docker", "bin"} - {service}
    assert names & unwanted == set()
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(packages / service)!r}); import {service}.app"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.real
def test_topics_are_applied_where_only_a_service_is_installed(stack: Stack) -> None:
    servers = [f"KAFKA_BOOTSTRAP_SERVERS={stack.kafka}", f"DATABASE_URL={stack.database_url}"]
    apply = ["env", *servers, sys.executable, "-m", "common.runtime.apply_topics"]
    done = subprocess.run(apply, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "topics_applied" in done.stderr
    assert asyncio.run(topic_admin.diff(KafkaSettings(stack.kafka, "test"))) == []
