"""The textfile that Prometheus reads: its grammar, its conventions, and what it says."""

from __future__ import annotations

import re

from gpuaudit.fleet.prometheus import as_prometheus
from gpuaudit.fleet.testimony import NoTestimony
from tests.fleet.heard import BAD, folded, machine

SAMPLE = re.compile(r'[a-z_]+\{[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\[\\"n])*")*\} -?[0-9.e+]+')
ODD = NoTestimony(node='no"de\\\n', file="x", state="failed", reason="it vanished")


def text() -> str:
    return as_prometheus(folded([machine(0), machine(1), machine(2, BAD)], "tsinghua-2023", silent=[ODD]))


def test_every_line_is_a_sample_or_is_about_one() -> None:
    for line in text().splitlines():
        assert SAMPLE.fullmatch(line) or re.fullmatch(r"# (HELP|TYPE) gpuaudit_fleet_[a-z_]+ .+", line), line
    assert text().endswith("\n")


def test_every_metric_has_help_and_type_before_its_samples() -> None:
    lines = text().splitlines()
    for place, line in enumerate(lines):
        if not line.startswith("#"):
            name = line.partition("{")[0]
            assert f"# TYPE {name} gauge" in lines[:place]
            assert any(one.startswith(f"# HELP {name} ") for one in lines[:place])


def test_no_series_is_written_twice() -> None:
    series = [line.rpartition(" ")[0] for line in text().splitlines() if not line.startswith("#")]
    assert len(series) == len(frozenset(series))


def test_it_says_what_the_result_says() -> None:
    lines = text().splitlines()
    assert 'gpuaudit_fleet_verdict{tender="tsinghua-2023",verdict="refuted",origin="hardware"} 1' in lines
    assert 'gpuaudit_fleet_servers{tender="tsinghua-2023",line="a100",standing="good"} 2' in lines
    assert 'gpuaudit_fleet_servers{tender="tsinghua-2023",line="a100",standing="bad"} 1' in lines
    assert 'gpuaudit_fleet_files{tender="tsinghua-2023",state="failed"} 1' in lines
    assert any('node="no\\"de\\\\\\n"' in line for line in lines)
