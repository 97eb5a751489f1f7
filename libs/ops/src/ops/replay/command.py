"""`aftersales replay`: a foreign log becomes our events and figures (P18, interfaces 5)."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.kernel.faults import Fault
from ops.replay.mapping import LogMapping, load
from ops.replay.pass_over import Pass
from ops.replay.progress import Bar
from ops.replay.report_file import ReportFile
from ops.replay.rows import ReplayStopped
from ops.replay.table_file import TableFile, open_table

if TYPE_CHECKING:
    from common.kafka.settings import KafkaSettings  # the client of Kafka would make `--calculate-only` start later


def run(arguments: Sequence[str]) -> int:
    """A foreign log becomes our events and figures, by a mapping of declarations.

    Runs `aftersales replay` with the words after its name; 0 when every row is accounted for and published, 1 when the
    file breaks off, no row of it can be read or Kafka does not take the events, 2 for a wrong option, file or mapping.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        mapping = load(options.mapping)
        report_file = None if options.report is None else ReportFile(options.report, (options.file, Path(options.mapping)))
        table = open_table(options.file)
        kafka = None if options.calculate_only else _kafka(options.kafka, mapping)
    except (Fault, OSError) as problem:
        parser.error(str(problem))
    try:
        report = _calculated(table, mapping) if kafka is None else _published(table, mapping, kafka)
        if report_file is not None:
            report_file.write(_json(report))
    except Fault as problem:
        parser.error(f"{options.mapping} does not fit {options.file}: {problem}")
    except (ReplayStopped, OSError) as problem:
        sys.stderr.write(f"aftersales replay: {problem}\n")
        return 1
    _tell(report, as_json=options.json)
    return _unless_nothing_was_read(report)


def _unless_nothing_was_read(report: dict[str, Any]) -> int:
    """0, or 1 with a sentence when not one row is in the figures and none was skipped on purpose."""
    rows = report["rows"]
    if report["figures"].get("events", report["figures"].get("complaints")) or rows["skipped"]:
        return 0
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in rows["rejected"].items())
    remedy = "declare `zone` for stamps without an offset" if "no_zone" in rows["rejected"] else "does the mapping fit the file?"
    sys.stderr.write(f"aftersales replay: no row of {report['file']['name']} can be read ({reasons}): {remedy}\n")
    return 1


def _kafka(given: str | None, mapping: LogMapping) -> "KafkaSettings":
    from ops.connection import kafka_settings

    return kafka_settings(given, f"replay-{mapping.name}")


def _calculated(table: TableFile, mapping: LogMapping) -> dict[str, Any]:
    with Bar() as bar:
        return Pass(table, mapping, bar).report()


def _published(table: TableFile, mapping: LogMapping, kafka: "KafkaSettings") -> dict[str, Any]:
    from ops.replay.publishing import publish

    replay = Pass(table, mapping)  # publishing shows its own bar
    replay.check()
    published = publish(replay.cases(), replay.origin, mapping, kafka)
    return replay.report() | {"published": published}


def _tell(report: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(_json(report))
        return
    from rich.console import Console

    from ops.replay.printed import print_report

    print_report(report, Console(markup=False, emoji=False))  # names of a log are no markup


def _json(report: dict[str, Any]) -> str:
    return json.dumps(report, ensure_ascii=False, indent=2) + "\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aftersales replay",
        description="Turns a foreign log into our events and prints its figures. Playing the same file again changes nothing.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="a CSV file in UTF-8, plain or gzipped")
    parser.add_argument("--mapping", required=True, metavar="NAME|FILE", help="a mapping that is shipped (volvo), or a file of your own")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the whole report there, as JSON")
    parser.add_argument("--calculate-only", action="store_true", help="the figures alone, without Kafka")
    parser.add_argument("--kafka", metavar="HOST:PORT", help="where Kafka is; else KAFKA_BOOTSTRAP_SERVERS")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser
