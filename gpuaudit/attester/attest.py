"""Everything about one machine, collected and put together; nothing is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import gpuaudit
from gpuaudit.attester.busy import targets_of
from gpuaudit.attester.deadline import within
from gpuaudit.attester.device_files import collect_device_files, collect_dxg
from gpuaudit.attester.environment import collect_environment
from gpuaudit.attester.host import collect_host
from gpuaudit.attester.machine import Machine, origin_of
from gpuaudit.attester.nvml.session import collect_nvml
from gpuaudit.attester.pci import collect_pci
from gpuaudit.attester.proc import collect_driver_version, collect_proc_gpus
from gpuaudit.attester.unread import unread
from gpuaudit.clock import Clock, rfc3339
from gpuaudit.envelope.nonce import is_nonce
from gpuaudit.errors import UsageError
from gpuaudit.evidence.bundle import EvidenceBundle, Tool
from gpuaudit.evidence.device import NvmlEvidence
from gpuaudit.evidence.host import EnvironmentEvidence, HostEvidence, TorchEvidence
from gpuaudit.evidence.kernel import KernelEvidence
from gpuaudit.evidence.measurement import Measurement
from gpuaudit.evidence.reading import Reading, Source, Unknown
from gpuaudit.workload.bench import Progress
from gpuaudit.workload.suite import Suite

T = TypeVar("T")

NO_SUITE: Final = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Surroundings:
    """What is read beside NVML."""

    kernel: KernelEvidence
    host: HostEvidence
    torch: TorchEvidence
    environment: EnvironmentEvidence


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    """One collection that has begun; the nonce is checked before anything is touched."""

    machine: Machine
    nonce: str
    clock: Clock
    started_at: str
    nvml: NvmlEvidence
    surroundings: _Surroundings


def probe(machine: Machine, *, nonce: str, clock: Clock) -> EvidenceBundle:
    """Collect what the machine says, without loading any device.

    Args:
        machine: The seams beneath.
        nonce: As `attest`.
        clock: Tells when it began and ended.

    Raises:
        UsageError: `nonce` is not a nonce.
    """
    return _bundle(_begin(machine, nonce, clock), suite=NO_SUITE, measurements=())


def attest(  # noqa: PLR0913 - each says one thing, all by name
    machine: Machine,
    *,
    nonce: str,
    suite: Suite,
    clock: Clock,
    busy_ok: bool,
    progress: Progress,
) -> EvidenceBundle:
    """Collect what the machine says, then measure what its devices can do.

    NVML is read first, before any work of ours runs on the devices: its list of processes tells which are in use (see
    `targets_of`). Whatever a source answers, or fails to, becomes a reading; nothing that the host does is raised.

    Args:
        machine: The seams beneath.
        nonce: Lower-case hexadecimal, from who asked for the evidence, or `fresh_nonce()`.
        suite: What to measure.
        clock: Tells when it began and ended.
        busy_ok: Whether to load devices that others use, or that may be in use.
        progress: Is told how far measuring has come.

    Raises:
        UsageError: `nonce` is not a nonce.
    """
    session = _begin(machine, nonce, clock)
    targets = targets_of(session.nvml, busy_ok=busy_ok)
    return _bundle(session, suite=suite.name, measurements=machine.bench.run(suite, targets, progress))


def _begin(machine: Machine, nonce: str, clock: Clock) -> _Session:
    if not is_nonce(nonce):
        raise UsageError(
            f"nonce: got {nonce[:140]!a}, expected 8 to 64 bytes in lower-case hexadecimal; openssl rand -hex 32 draws one"
        )
    return _Session(
        machine=machine,
        nonce=nonce,
        clock=clock,
        started_at=rfc3339(clock.now()),
        nvml=collect_nvml(),
        surroundings=_surroundings(machine),
    )


def _surroundings(machine: Machine) -> _Surroundings:
    interpreter = machine.interpreter
    return _Surroundings(
        kernel=_kernel(machine.root),
        host=_host_source(lambda: collect_host(machine.root, interpreter().variables), HostEvidence),
        torch=machine.bench.describe(),
        # Last: what the others load is mapped by now.
        environment=_host_source(lambda: collect_environment(machine.root, interpreter()), EnvironmentEvidence),
    )


def _kernel(root: Path) -> KernelEvidence:
    return KernelEvidence(
        pci_functions=_reading(collect_pci, root, Source.PCI),
        driver_version=_reading(collect_driver_version, root, Source.PROC),
        proc_gpus=_reading(collect_proc_gpus, root, Source.PROC),
        device_files=_reading(collect_device_files, root, Source.DEVICE_FILES),
        dxg_present=_reading(collect_dxg, root, Source.DEVICE_FILES),
    )


def _reading(collect: Callable[[Path], Reading[T]], root: Path, source: Source) -> Reading[T]:
    return within(lambda: collect(root), source=source, otherwise=_itself)


def _itself(unknown: Unknown) -> Unknown:
    return unknown


def _host_source(collect: Callable[[], T], kind: type[T]) -> T:
    return within(collect, source=Source.HOST, otherwise=lambda unknown: unread(kind, unknown))


def _bundle(session: _Session, *, suite: str, measurements: tuple[Measurement, ...]) -> EvidenceBundle:
    origin, detail = origin_of(session.machine)
    return EvidenceBundle(
        schema_version=1,
        tool=Tool(name="gpuaudit", version=gpuaudit.__version__),
        origin=origin,
        origin_detail=detail,
        nonce=session.nonce,
        started_at=session.started_at,
        finished_at=rfc3339(session.clock.now()),
        suite=suite,
        nvml=session.nvml,
        kernel=session.surroundings.kernel,
        torch=session.surroundings.torch,
        host=session.surroundings.host,
        environment=session.surroundings.environment,
        measurements=measurements,
    )
