"""A small suite for tests of real workers, and targets."""

from __future__ import annotations

from gpuaudit.evidence.toml_file import load_toml
from gpuaudit.workload.suite import Suite

_HEAD = """
schema = 1
name = "test"
about = "Small."
[sampling]
interval_relative = 0.05
least_runs = 6
most_runs = 30
warmup_relative = 0.1
warmup_block_seconds = 0.002
warmup_share = 0.2
shortest_run_seconds = 0.0001
rotation_bytes = 1_048_576
drift_relative = 0.01
[host_sampling]
interval_relative = 0.05
least_runs = 6
most_runs = 30
warmup_relative = 0.1
warmup_block_seconds = 0.002
warmup_share = 0.2
shortest_run_seconds = 0.0001
rotation_bytes = 1_048_576
drift_relative = 0.01
[limits]
start_seconds = 60
grace_seconds = {grace}
stop_celsius = 89
[expected]
start_seconds = 2
prepare_seconds = 0.1
group_seconds = 1
watts_per_device = 700
basis = "a guess"
"""

GEMM = '{ kind = "gemm", dtype = "fp32", m = 64, n = 64, k = 64 }'
COPY = '{ kind = "copy", working_set_bytes = 1_048_576 }'
ALL_REDUCE = '{ kind = "all-reduce", buffer_bytes = 1_048_576 }'


def step(scope: str, *tasks: str, company: str = "alone", budget: float = 0.2, extra: str = "") -> str:
    return f"""
[[steps]]
name = "{scope} {company}"
scope = "{scope}"
company = "{company}"
budget_seconds = {budget}
{extra}
tasks = [{", ".join(tasks)}]
"""


def text_of(*steps: str, grace: float = 30) -> str:
    return _HEAD.format(grace=grace) + "".join(steps)


def suite_of(*steps: str, grace: float = 30) -> Suite:
    return load_toml(Suite, text_of(*steps, grace=grace).encode(), place="test.toml")
