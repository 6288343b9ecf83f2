"""A fleet's result as a textfile for Prometheus' node exporter.

Names follow https://prometheus.io/docs/practices/naming/: a prefix, base units, no unit twice. Labels hold what tells series apart
and nothing that grows without bound but the node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from gpuaudit.appraisal.result import Verdict
from gpuaudit.fleet.result import FleetResult

_PREFIX: Final = "gpuaudit_fleet"


def as_prometheus(result: FleetResult) -> str:
    """Write gauges: the verdict, servers and devices by standing, each node's standing, and what was odd."""
    tender = {"tender": result.tender.name}
    samples = (
        _metric(
            "verdict",
            "Whether this is the verdict on the tender (1) or not (0).",
            (
                ({**tender, "verdict": verdict.value, "origin": result.origin.value}, result.verdict is verdict)
                for verdict in Verdict
            ),
        ),
        _metric("accepted", "Whether the verdict is confirmed and may be relied on.", [(tender, result.accepted)]),
        _metric(
            "servers",
            "Distinct servers by standing against a line of the tender.",
            (
                ({**tender, "line": line.id, "standing": standing}, count)
                for line in result.lines
                for standing, count in (
                    ("good", line.good_servers),
                    ("open", line.open_servers),
                    ("bad", line.bad_servers),
                )
            ),
        ),
        _metric(
            "devices_confirmed",
            "Distinct devices that are confirmed for a line of the tender.",
            (({**tender, "line": line.id}, line.good_devices) for line in result.lines),
        ),
        _metric(
            "files",
            "Files and nodes without one, by what became of them.",
            (({**tender, "state": state}, count) for state, count in sorted(Counter(row.state for row in result.rows).items())),
        ),
        _metric(
            "node_verdict",
            "Which verdict a node would get alone (1).",
            (({**tender, "node": row.node, "verdict": row.verdict.value, "state": row.state}, 1) for row in result.rows),
        ),
        _metric(
            "duplicates",
            "Files that show a card which another file shows too.",
            (
                ({**tender, "at_once": str(at_once).lower()}, sum(one.at_once is at_once for one in result.duplicates))
                for at_once in (False, True)
            ),
        ),
        _metric("outliers", "Measurements that stand out in the fleet's own distribution.", [(tender, len(result.outliers))]),
        _metric(
            "appraised_timestamp_seconds",
            "When the fleet was appraised, in seconds since 1970.",
            [(tender, datetime.fromisoformat(result.appraised_at).timestamp())],
        ),
    )
    return "\n".join(line for metric in samples for line in metric) + "\n"


def _metric(name: str, help_: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> Iterator[str]:
    yield f"# HELP {_PREFIX}_{name} {help_}"
    yield f"# TYPE {_PREFIX}_{name} gauge"
    for labels, value in samples:
        written = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{_PREFIX}_{name}{{{written}}} {float(value):.15g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
