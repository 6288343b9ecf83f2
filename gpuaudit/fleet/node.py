"""One node of a run: collected, measured, and sealed with a key of its own, in whatever process the engine gives it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from securesystemslib.signer import CryptoSigner

from gpuaudit.attester.attest import attest
from gpuaudit.attester.machine import Machine, this_machine
from gpuaudit.clock import WallClock
from gpuaudit.envelope import seal_evidence
from gpuaudit.envelope.keys import public_pem
from gpuaudit.errors import GpuauditError
from gpuaudit.fleet.simulate import SimulatedNode, simulated_node
from gpuaudit.workload.bench import SilentProgress
from gpuaudit.workload.suite import load_suite


@dataclass(frozen=True, slots=True, kw_only=True)
class RealNode:
    """The machine that the task runs on; `place` is how the engine calls it."""

    node: str
    place: str


Node: TypeAlias = SimulatedNode | RealNode


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTask:
    """What is to be done on one node. `nonce` is the node's own."""

    node: Node
    nonce: str
    suite: str
    busy_ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedNode:
    """Evidence of one node, and the public half (PEM) of the key that signed it, whose private half is gone."""

    node: str
    evidence: bytes
    public_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedNode:
    """A node that gave no evidence, after so many attempts."""

    node: str
    reason: str
    attempts: int


Outcome: TypeAlias = SealedNode | FailedNode


def run_node(task: NodeTask) -> Outcome:
    """Attest the node and seal the evidence; what goes wrong in a way that we know of is an outcome."""
    try:
        suite = load_suite(task.suite)
        with _machine(task.node) as machine:
            bundle = attest(
                machine,
                nonce=task.nonce,
                suite=suite,
                clock=WallClock(),
                busy_ok=task.busy_ok,
                progress=SilentProgress(),
            )
    except (GpuauditError, OSError) as error:
        return FailedNode(node=task.node.node, reason=str(error), attempts=1)
    # A key that lives as long as this call: it says that one node signed once, and nothing on whose it is.
    signer = CryptoSigner.generate_ed25519()
    return SealedNode(node=task.node.node, evidence=seal_evidence(bundle, signer), public_key=public_pem(signer.public_key))


@contextmanager
def _machine(node: Node) -> Iterator[Machine]:
    if isinstance(node, SimulatedNode):
        with simulated_node(node) as machine:
            yield machine
        return
    # Imported on the way that is taken: a simulation needs no torch.
    from gpuaudit.attester.nvml.telemetry import NvmlSampler  # noqa: PLC0415
    from gpuaudit.workload.torch_bench import TorchBench  # noqa: PLC0415

    yield this_machine(TorchBench(NvmlSampler()))
