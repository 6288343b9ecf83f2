from __future__ import annotations

import pytest

from gpuaudit.errors import AuthenticityError
from gpuaudit.evidence.measurement import Dtype, GemmTask, Samples, StopReason
from gpuaudit.evidence.reading import Known, Reason, Source, Unknown
from gpuaudit.units import Seconds
from gpuaudit.workload.messages import (
    Describe,
    Described,
    Failed,
    Go,
    InGroup,
    Measure,
    Measured,
    Opened,
    Partners,
    Ready,
    Single,
    WithPeer,
    line_from,
    line_to,
    read_from,
    read_to,
)
from gpuaudit.workload.suite import load_suite
from gpuaudit.workload.torch_devices import nothing_described

QUICK = load_suite("quick")
SAMPLES = Samples(
    amount_per_run=2.0,
    seconds=(Seconds(0.1), Seconds(0.25)),
    warmup_runs=3,
    warmup_seconds=Seconds(0.5),
    stop=StopReason.BUDGET,
    half_width_relative=1.0,
)
TASK = GemmTask(dtype=Dtype.FP8, m=1, n=2, k=3, layout="tn")
UNKNOWN = Unknown(reason=Reason.OUT_OF_MEMORY, source=Source.WORKLOAD, detail="line\nbreak and \u2028")


@pytest.mark.parametrize(
    "partners",
    [Single(), WithPeer(first_uuid="GPU-a", second_uuid="GPU-b"), InGroup(rank=1, size=8, meeting_file="/x")],
    ids=lambda partners: partners.kind,
)
def test_every_order_arrives_as_it_was_given(partners: Partners) -> None:
    for step in QUICK.steps:
        for spec in step.tasks:
            order = Measure(spec=spec, partners=partners, sampling=QUICK.sampling, budget_seconds=1.5, least_seconds=0.0)
            line = line_to(order)
            assert line.count(b"\n") == 1
            assert read_to(line) == order


@pytest.mark.parametrize("say", [Describe(), Go()], ids=lambda say: say.kind)
def test_commands_arrive_as_they_were_given(say: Describe | Go) -> None:
    assert read_to(line_to(say)) == say


@pytest.mark.parametrize(
    "say",
    [
        Opened(),
        Ready(),
        Failed(reason=Reason.LOST, detail="gone\n"),
        Described(torch=nothing_described(Reason.NOT_FOUND, "no torch")),
        Measured(task=TASK, samples=Known(value=SAMPLES, source=Source.WORKLOAD), began=Seconds(1.0), ended=Seconds(2.0)),
        Measured(task=TASK, samples=UNKNOWN, began=Seconds(1.0), ended=Seconds(2.0)),
    ],
    ids=lambda say: say.kind,
)
def test_answers_arrive_as_they_were_given(say: Opened | Ready | Failed | Described | Measured) -> None:
    line = line_from(say)
    assert line.count(b"\n") == 1
    assert read_from(line) == say


@pytest.mark.parametrize("line", [b"", b"{}", b"NCCL WARN something", b'{"say":{"kind":"go"}}', b"\xff"])
def test_what_is_no_answer_is_refused(line: bytes) -> None:
    with pytest.raises(AuthenticityError):
        read_from(line)
