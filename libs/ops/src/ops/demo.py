"""`aftersales demo`: the main job, on real servers, from nothing: events in, SLA clocks, KPI facts, a closed cycle, grades out."""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from common.contracts.topics import SERVICES
from common.kafka.settings import KafkaSettings
from ops import demo_views as views
from ops.connection import kafka_prefix
from ops.demo_extras import extras
from ops.platform import Platform, grades_digest
from ops.processes import MOST_REPLICAS, ServiceProcess, services
from ops.publishing import publish
from ops.simulation.quarter import SCHEME, Plan, simulate

app = typer.Typer(add_completion=False)

CYCLE = "2026Q3"
"""Over, and in the years that have a statutory calendar: nothing in the demo depends on today."""
_VOLVO = Path("volvo_incidents/VINST-new.csv.gz")


@app.command()
def demo(
    seed: Annotated[int, typer.Option(help="The same seed gives the same grades.")] = 7,
    cases: Annotated[int, typer.Option(help="How many customers call or complain in the quarter.")] = 400,
    report: Annotated[Path | None, typer.Option(envvar="DEMO_REPORT", help="Write the report (interfaces 2) to this file.")] = None,
    replicas: Annotated[int, typer.Option(min=1, max=MOST_REPLICAS, help="So many of each service; the same grades.")] = 1,
    data: Annotated[Path, typer.Option(help="Real event logs; the Volvo log is replayed when it is there.")] = Path("../shared/data"),
) -> None:
    """The main job on a real Kafka and a real PostgreSQL: a quarter of 30 people, from the first call to the explained grade."""
    from devstack import stack

    begun = time.monotonic()
    console, prefix = Console(), kafka_prefix()
    with (
        stack(say=lambda text: console.print(f"[dim]{text}[/]")) as servers,
        tempfile.TemporaryDirectory(prefix="aftersales-demo-") as folder,
    ):
        console.print(f"[bold]1 · Servers[/]  {servers.kafka_name} at {servers.kafka} · {servers.postgres_name}")
        platform = Platform(servers.kafka, servers.database_url, SERVICES, prefix)
        create_topics(platform.settings)
        with services(servers.kafka, servers.database_url, Path(folder), kafka_prefix=prefix, replicas=replicas) as running:
            console.print(f"[bold]2 · Services[/]  {' · '.join(f'{name} :{one.port}/metrics' for name, one in running.items())}")
            set_up = time.monotonic() - begun
            told = asyncio.run(_story(console, platform, running, Plan(seed, CYCLE, 30, cases)))
            told["replays"] = _replay(console, platform, data, Path(folder))
            told["services"] = asyncio.run(platform.counts())
        seconds = {"set_up": round(set_up, 1), "run": round(time.monotonic() - begun - set_up, 1)}
        told = {"kafka": servers.kafka_name, "postgres": servers.postgres_name, "seconds": seconds, **told}
    broken = views.invariants(console, told["services"])
    console.print(f"[bold]Grades digest[/]  {told['grades_digest']}   [dim]the same in every run with --seed {seed}[/]")
    if report is not None:
        report.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    console.print(f"{seconds['set_up']} s to set up, {seconds['run']} s to run" + (f", report in {report}" if report else ""))
    raise typer.Exit(1 if broken else 0)


async def _story(console: Console, platform: Platform, running: dict[str, ServiceProcess], plan: Plan) -> dict[str, Any]:
    claims = simulate(plan)
    console.print(
        f"[bold]3 · Events in[/]  {len(claims)} claims of a simulated quarter ({plan.cycle}, {plan.staff} people, {plan.cases} cases), "
        "and a few that are repeated, refused or broken"
    )
    await publish(platform.settings, [*claims, *extras(claims)], total=len(claims), what="claims")
    with console.status("the services are at work: clocks, work orders, complaints, KPI facts"):
        await platform.settled()
    sla = await asyncio.to_thread(views.scraped_sla, running)
    views.show_sla(console, sla)
    console.print(f"[bold]5 · The cycle closes[/]  {plan.cycle} of {SCHEME}")
    await platform.close_cycle(plan.cycle, SCHEME, for_real=True)
    with console.status("appraisal looks at everything before its cut, then grades"):
        await platform.settled()
    grades = await platform.grades()
    views.show_grades(console, grades)
    chosen = views.telling(grades)
    console.print(f"[bold]7 · Why?[/]  aftersales grade explain {chosen} --cycle {plan.cycle}")
    await asyncio.to_thread(_command, platform, "grade", "explain", chosen, "--cycle", plan.cycle)
    await views.show_hr(console, platform.settings)
    return {"sla": sla, "grades": [views.grade_row(grade) for grade in grades], "grades_digest": grades_digest(grades)}


def create_topics(kafka: KafkaSettings) -> None:
    """Creates every topic of the table that is missing."""
    from common.kafka import topic_admin

    asyncio.run(topic_admin.apply(kafka))


def _replay(console: Console, platform: Platform, data: Path, folder: Path) -> dict[str, Any]:
    """Replays the Volvo log in a process of its own, which keeps its memory apart."""
    log = data / _VOLVO
    if not log.exists():
        console.print(f"[dim]9 · No event log in {data}: nothing to replay[/]")
        return {}
    console.print(f"[bold]9 · A real log[/]  {log.name}, replayed through the same services")
    report = folder / "replay.json"
    _command(platform, "replay", str(log), "--mapping", "volvo", "--report", str(report))
    with console.status("the services take the replay in"):
        asyncio.run(platform.settled(limit=600))
    figures = json.loads(report.read_text("utf-8"))["figures"]
    return {"volvo": {"events": figures["events"], "cases": figures["cases"]}}


def _command(platform: Platform, *words: str) -> None:
    """Runs another `aftersales` command against this platform; its output goes to the terminal."""
    code = "import sys; from ops.main import main; sys.exit(main())"
    environment = platform.environment()
    sys.stdout.flush()
    subprocess.run([sys.executable, "-c", code, *words], env=environment, check=True)  # noqa: S603 - our own command


def run(arguments: list[str]) -> int:
    """The command for the shell."""
    app(args=arguments, prog_name="aftersales demo", standalone_mode=True)
    return 0
