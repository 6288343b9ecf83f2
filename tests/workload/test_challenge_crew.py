"""Processes for devices: they answer as one process does, and none is left behind."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace

import pytest

from gpuaudit.challenge.crew import SameProcessCrew
from gpuaudit.challenge.messages import DeviceKind, SlotOffer, SlotOpening
from gpuaudit.challenge.slot import NumpyDevice
from gpuaudit.errors import MachineError
from gpuaudit.units import Seconds
from gpuaudit.workload.challenge_crew import ProcessCrew
from tests.challenge.rounds import TINY

torch = pytest.importorskip("torch", reason="torch is not installed")


def cpu(limit: float = 60.0) -> ProcessCrew:
    return ProcessCrew(DeviceKind.CPU, busy_ok=False, limit=Seconds(limit))


def test_a_process_answers_what_the_plain_reading_answers() -> None:
    plain = SameProcessCrew(DeviceKind.CPU, [NumpyDevice()], (SlotOffer(uuid="CPU", bus_id="", largest_rung=95),))
    crew = cpu()
    assert crew.offers() == plain.offers()
    try:
        for one in (crew, plain):
            one.prepare(TINY)
        assert crew.fill([bytes(32)]) == plain.fill([bytes(32)])
        for epoch in range(TINY.epochs):
            assert crew.walk_epoch([bytes([epoch]) * 32]) == plain.walk_epoch([bytes([epoch]) * 32])
        asked = [SlotOpening(groups=(0, 9), epochs=(3,))]
        assert crew.open(asked) == plain.open(asked)
    finally:
        crew.release()
    assert multiprocessing.active_children() == []


def test_what_a_device_cannot_do_ends_the_attempt_with_its_reason() -> None:
    crew = cpu()
    try:
        with pytest.raises(MachineError, match="device process: prepare: "):
            crew.prepare(replace(TINY, rows=2**36))
    finally:
        crew.release()
    assert multiprocessing.active_children() == []


def test_a_stage_that_takes_too_long_is_ended() -> None:
    crew = cpu(limit=0.01)
    try:
        with pytest.raises(MachineError, match="took longer than"):
            crew.prepare(TINY)
    finally:
        crew.release()
    assert multiprocessing.active_children() == []


def test_a_process_that_dies_is_noticed() -> None:
    crew = cpu()
    try:
        crew.prepare(TINY)
        (child,) = multiprocessing.active_children()
        child.kill()
        child.join()
        with pytest.raises(MachineError, match="device process"):
            crew.fill([bytes(32)])
    finally:
        crew.release()


def test_without_a_cuda_device_nothing_is_offered() -> None:
    crew = ProcessCrew(DeviceKind.CUDA, busy_ok=False, limit=Seconds(60))
    if torch.cuda.is_available():
        pytest.skip("there is one")
    assert crew.offers() == ()
    assert multiprocessing.active_children() == []
