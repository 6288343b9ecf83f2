"""Real workers, really killed, stopped and starved."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gpuaudit.evidence.reading import Known, Reason, Source, Unknown
from gpuaudit.workload.crew import Crew, no_alarm
from gpuaudit.workload.messages import HOST, InGroup, Measure, Measured, Single
from gpuaudit.workload.process import WorkerProcess
from gpuaudit.workload.suite import Spec
from tests.workload.processes import nothing_left, workers
from tests.workload.suites import ALL_REDUCE, COPY, GEMM, step, suite_of

LONG = '{ kind = "gemm", dtype = "fp32", m = 512, n = 512, k = 512 }'
SUITE = suite_of(step("host", GEMM, LONG, ALL_REDUCE))
GEMM_SPEC, LONG_SPEC, ALL_REDUCE_SPEC = SUITE.steps[0].tasks


@pytest.fixture(autouse=True)
def _no_trace() -> Iterator[None]:
    with nothing_left():
        yield


def order(spec: Spec = GEMM_SPEC, *, budget: float = 0.1, least: float = 0.0) -> Measure:
    return Measure(
        spec=spec,
        partners=Single(),
        sampling=SUITE.host_sampling,
        budget_seconds=budget,
        least_seconds=least,
    )


def once(act: Callable[[], None]) -> Callable[[int], Unknown | None]:
    """An alarm that acts at its first look, which comes while a worker is at work, and never rings."""
    left = [act]

    def look(_: int) -> Unknown | None:
        if left:
            left.pop()()
        return None

    return look


def samples_known(answer: Measured | Unknown) -> bool:
    return isinstance(answer, Measured) and isinstance(answer.samples, Known)


def armed_crew(act: Callable[[], None], *, grace: float = 30, count: int = 1) -> tuple[Crew, Callable[[], None]]:
    """A crew whose alarm acts only after it was armed: workers may take seconds to start."""
    armed: list[Callable[[int], Unknown | None]] = []
    limits = suite_of(step("host", GEMM), grace=grace).limits
    crew = Crew([HOST] * count, limits, alarm=lambda position: armed[0](position) if armed else None)
    return crew, lambda: armed.append(once(act))


def test_a_killed_worker_costs_its_measurement_and_nothing_else() -> None:
    """SIGKILL in the middle of a run, with a second worker beside it and further orders behind it."""

    def kill_one() -> None:
        os.kill(workers()[0].pid, signal.SIGKILL)

    crew, arm = armed_crew(kill_one, count=2)
    with crew:
        assert crew.open([0, 1]) == {}
        first = workers()[0].pid
        arm()
        answers = crew.measure({0: order(LONG_SPEC, budget=1.5, least=1.5), 1: order(LONG_SPEC, budget=1.5, least=1.5)})
        killed = [answer for answer in answers.values() if isinstance(answer, Unknown)]
        assert len(killed) == 1
        assert killed[0].reason is Reason.CRASHED
        assert "signal 9 (SIGKILL)" in killed[0].detail
        assert sum(samples_known(answer) for answer in answers.values()) == 1
        after = crew.measure({0: order(), 1: order()})
        assert all(samples_known(answer) for answer in after.values())
        assert first not in {worker.pid for worker in workers()}


def test_a_worker_that_hangs_is_killed_at_its_limit_and_replaced() -> None:
    def stop_one() -> None:
        os.kill(workers()[0].pid, signal.SIGSTOP)

    crew, arm = armed_crew(stop_one, grace=3)
    with crew:
        assert crew.open([0]) == {}
        arm()
        began = time.monotonic()
        answer = crew.measure({0: order(LONG_SPEC, budget=0.5, least=0.5)})[0]
        assert time.monotonic() - began < 60
        assert isinstance(answer, Unknown)
        assert answer.reason is Reason.TIMED_OUT
        assert workers() == []
        assert samples_known(crew.measure({0: order()})[0])


def test_a_worker_that_dies_again_and_again_is_given_up() -> None:
    with Crew([HOST], SUITE.limits, alarm=no_alarm) as crew:
        for _ in range(3):
            assert crew.open([0]) == {}
            workers()[0].kill()
            answer = crew.measure({0: order()})[0]
            assert isinstance(answer, Unknown)
            assert answer.reason is Reason.CRASHED
        # A fourth worker, which nobody kills, would answer.
        answer = crew.measure({0: order()})[0]
        assert isinstance(answer, Unknown)
        assert answer.reason is Reason.CRASHED
        assert workers() == []


def test_an_alarm_ends_the_work_at_once_and_for_good() -> None:
    hot = Unknown(reason=Reason.TOO_HOT, source=Source.NVML, detail="95 degrees")
    ringing: list[Unknown] = []
    with Crew([HOST], SUITE.limits, alarm=lambda _: ringing[0] if ringing else None) as crew:
        assert crew.open([0]) == {}
        ringing.append(hot)
        began = time.monotonic()
        assert crew.measure({0: order(LONG_SPEC, budget=120, least=120)})[0] == hot
        assert time.monotonic() - began < 60
        assert workers() == []
        ringing.clear()
        assert crew.measure({0: order()})[0] == hot
        assert workers() == []


def test_full_memory_costs_the_measurement_and_not_the_worker() -> None:
    """The worker's address space is limited by the kernel, so that the allocation really fails."""
    huge = suite_of(step("host", '{ kind = "copy", working_set_bytes = 68_719_476_736 }', COPY))
    too_much, little = huge.steps[0].tasks
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (32 * 2**30, hard))
    try:
        with Crew([HOST], huge.limits, alarm=no_alarm) as crew:
            answer = crew.measure({0: order(too_much)})[0]
            pid = workers()[0].pid
            assert isinstance(answer, Measured)
            assert isinstance(answer.samples, Unknown)
            assert answer.samples.reason is Reason.OUT_OF_MEMORY
            assert samples_known(crew.measure({0: order(little)})[0])
            assert [worker.pid for worker in workers()] == [pid]
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def test_workers_end_with_an_error_in_the_run_or_an_interrupt() -> None:
    def interrupt(_: int) -> Unknown | None:
        raise KeyboardInterrupt

    def run() -> None:
        with Crew([HOST, HOST], SUITE.limits, alarm=interrupt) as crew:
            crew.open([0, 1])

    with pytest.raises(KeyboardInterrupt):
        run()
    assert workers() == []


def test_workers_end_when_the_whole_run_is_killed(tmp_path: Path) -> None:
    """Nobody is left to clean up then: the kernel does it."""
    program = f"""
import time
from pathlib import Path
from gpuaudit.workload.process import WorkerProcess
worker = WorkerProcess("host")
Path({str(tmp_path / "pid")!r}).write_text(str(worker.pid))
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", program])
    pid_file = tmp_path / "pid"
    deadline = time.monotonic() + 60
    while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    pid = int(pid_file.read_text())
    # It has asked the kernel for its end once it waits for commands or loads torch.
    time.sleep(0.5)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        pytest.param("raise ModuleNotFoundError(\"No module named 'torch'\")", Reason.NOT_FOUND, id="not-installed"),
        pytest.param("raise OSError('libcudart.so.13: cannot open shared object file')", Reason.FAULT, id="broken"),
        pytest.param("import os; print('noise', flush=True); os._exit(3)", Reason.CRASHED, id="crashes"),
    ],
)
def test_a_torch_that_does_not_load_is_a_reason(
    module: str, reason: Reason, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(module)
    monkeypatch.syspath_prepend(str(tmp_path))
    with Crew([HOST], SUITE.limits, alarm=no_alarm) as crew:
        failed = crew.open([0])
        assert failed[0].reason is reason
        answer = crew.measure({0: order()})[0]
        assert isinstance(answer, Unknown)
        assert answer.reason is reason
        assert crew.describe(0) == answer


_TELL = "import os, sys, time; os.write(int(sys.argv[sys.argv.index('--replies') + 1]), {}); time.sleep(60)"


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"NCCL WARN something\n", id="noise"),
        pytest.param(b'{"say":{"kind":"ready"}}\n', id="out-of-turn"),
        pytest.param(b'{"say":{"kind":"opened"}}\n{"say":{"kind":"ready"}}\n', id="two-at-once"),
        pytest.param(b"\xff\xfe\n", id="no-text"),
    ],
)
def test_a_worker_that_says_what_it_must_not_is_killed(said: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(_TELL.format(said))
    monkeypatch.syspath_prepend(str(tmp_path))
    with Crew([HOST], SUITE.limits, alarm=no_alarm) as crew:
        assert crew.open([0])[0].reason is Reason.FAULT
        assert workers() == []


def test_a_group_does_not_start_without_all_its_ranks(tmp_path: Path) -> None:
    """The second device is not there: the first is not left waiting for it."""
    orders = {
        rank: dataclasses.replace(
            order(ALL_REDUCE_SPEC, budget=300, least=300),
            partners=InGroup(rank=0, size=1, meeting_file=str(tmp_path / f"meeting-{rank}")),
        )
        for rank in range(2)
    }
    with Crew([HOST, "GPU-not-there"], SUITE.limits, alarm=no_alarm) as crew:
        began = time.monotonic()
        answers = crew.measure(orders)
        assert time.monotonic() - began < 120
    assert [answer.reason for answer in answers.values() if isinstance(answer, Unknown)] == [
        Reason.NOT_FOUND,
        Reason.NOT_ATTEMPTED,
    ]


def test_noise_on_standard_output_is_no_answer() -> None:
    worker = WorkerProcess(HOST)
    with contextlib.suppress(EOFError):
        deadline = time.monotonic() + 60
        lines: tuple[bytes, ...] = ()
        while not lines and time.monotonic() < deadline:
            time.sleep(0.05)
            lines = worker.lines()
        assert lines == (b'{"say":{"kind":"opened"}}',)
        worker.send(b"not a command\n")
        time.sleep(0.3)
        while True:
            worker.lines()
            time.sleep(0.05)
    ended = worker.end(patience_seconds=60)
    assert ended.reason is Reason.CRASHED
    assert "exit status 1" in ended.detail
    assert "not strict JSON" in ended.detail
