from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from gpuaudit.evidence.measurement import Dtype, GemmTask
from gpuaudit.evidence.reading import Reason
from gpuaudit.units import Bytes
from gpuaudit.workload.accelerator import NotMeasurableError
from gpuaudit.workload.collective import GroupAccelerator
from gpuaudit.workload.environment import worker_environment
from gpuaudit.workload.messages import InGroup
from gpuaudit.workload.torch_accelerator import join_group, open_host
from tests.workload.processes import nothing_left

ROOT = Path(__file__).parents[2]


@pytest.mark.alone
def test_two_processes_agree_with_a_plain_loop_within_ten_percent(tmp_path: Path) -> None:
    """Turn by turn in the same two processes: what else runs on the machine slows both alike."""
    with nothing_left():
        ranks = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.workload.gloo_pair", str(rank), str(tmp_path / "meeting")],
                cwd=ROOT,
                env=worker_environment(os.environ) | {"PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank in range(2)
        ]
        said = [rank.communicate(timeout=300)[0] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0]
    told = json.loads(said[0])
    ratio = statistics.median(ours / theirs for ours, theirs in told["pairs"])
    assert len(told["pairs"]) >= 200
    assert ratio == pytest.approx(1, abs=0.1)
    # The bus bandwidth of two ranks is the algorithm's: 2 * (2 - 1) / 2.
    assert told["amount"] == told["bytes"]


def test_a_group_of_one_runs_collectives_and_nothing_else(tmp_path: Path) -> None:
    with nothing_left():
        device = open_host()
        group = join_group(device, InGroup(rank=0, size=1, meeting_file=str(tmp_path / "meeting")))
        accelerator = GroupAccelerator(group, device)
        with pytest.raises(NotMeasurableError) as raised:
            accelerator.prepare(GemmTask(dtype=Dtype.FP32, m=8, n=8, k=8, layout="tn"), rotation_bytes=Bytes(0))
        group.leave()
    assert raised.value.reason is Reason.FAULT
    assert not accelerator.simulated
