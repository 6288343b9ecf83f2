"""Fleets on disk: one machine simulated in full, then given other cards, another name, other times, and a key of its own.

Only the measurements that verdicts rest on are kept, without telemetry, so that five hundred nodes take seconds.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from securesystemslib.signer import CryptoSigner

from gpuaudit.attester.attest import attest
from gpuaudit.clock import WallClock
from gpuaudit.envelope import PredicateType, Subject, seal
from gpuaudit.envelope.keys import public_pem
from gpuaudit.envelope.nonce import nonce_digest
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.codec import encode
from gpuaudit.evidence.measurement import Measurement, quantity
from gpuaudit.evidence.reading import Known, Reason, Source, Unknown
from gpuaudit.simulated.machine import simulated_machine
from gpuaudit.simulated.spec import parse_spec
from gpuaudit.workload.bench import SilentProgress
from gpuaudit.workload.suite import load_suite

A100, A800, H100, T4 = "a100-sxm4-80gb:8", "a800-sxm4-80gb:8", "h100-sxm5-80gb:8", "t4:8"
NONCE = "ab" * 32
EARLY, LATE = ("2026-11-23T10:00:00Z", "2026-11-23T10:05:00Z"), ("2026-11-23T11:00:00Z", "2026-11-23T11:05:00Z")
_REQUIRED = {"gemm-bf16", "gemm-fp64", "copy", "capacity", "peer-both-ways"}
_KEPT_SAMPLES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Mould:
    """Evidence of one machine, and the texts in it that are a machine's own."""

    payload: bytes
    own: tuple[bytes, ...]
    started_at: bytes
    finished_at: bytes


@cache
def simulated(spec: str) -> EvidenceBundle:
    """A whole machine, as the quick suite leaves it."""
    with simulated_machine(parse_spec(spec)) as machine:
        return attest(
            machine,
            nonce=NONCE,
            suite=load_suite("quick"),
            clock=WallClock(),
            busy_ok=False,
            progress=SilentProgress(),
        )


@cache
def mould(spec: str) -> Mould:
    bundle = simulated(spec)
    host_name = Known(value="host-00000000", source=Source.HOST)
    bundle = dataclasses.replace(
        bundle,
        host=dataclasses.replace(bundle.host, host_name=host_name),
        started_at="<started>",
        finished_at="<finished>",
        measurements=tuple(_lightened(one) for one in bundle.measurements if quantity(one) in _REQUIRED),
    )
    devices = bundle.nvml.devices
    texts = [*(device.identity.uuid for device in devices), *(device.identity.serial for device in devices), host_name]
    own = tuple(text.value.encode() for text in texts if isinstance(text, Known))
    return Mould(payload=encode(bundle), own=own, started_at=b"<started>", finished_at=b"<finished>")


def cast(spec: str, number: int, *, times: tuple[str, str] = EARLY, nonce: int | None = None) -> bytes:
    """The signed bytes of machine `number` of a kind; equal numbers are equal cards."""
    made = mould(spec)
    payload = made.payload
    for text in made.own:
        payload = payload.replace(text, _other(text, number))
    payload = payload.replace(made.started_at, times[0].encode()).replace(made.finished_at, times[1].encode())
    return payload.replace(NONCE.encode(), _nonce(number if nonce is None else nonce).encode())


def put(folder: Path, node: str, payload: bytes, *, nonce: int) -> None:
    """Seal evidence with a key of its own and lay both into a folder."""
    signer = CryptoSigner.generate_ed25519()
    subject = Subject(name="nonce", sha256=nonce_digest(_nonce(nonce)))
    (folder / "keys").mkdir(parents=True, exist_ok=True)
    (folder / f"{node}.json").write_bytes(seal(PredicateType.EVIDENCE, [subject], payload, signer))
    (folder / "keys" / f"{node}.pub").write_bytes(public_pem(signer.public_key))


def lay(folder: Path, spec: str, numbers: Iterable[int]) -> None:
    """A fleet of honest machines of one kind."""
    for number in numbers:
        put(folder, name(number), cast(spec, number), nonce=number)


def link(source: Path, target: Path, numbers: Iterable[int]) -> None:
    """The same nodes in another folder, without sealing them again."""
    (target / "keys").mkdir(parents=True, exist_ok=True)
    for number in numbers:
        for place in (Path(f"{name(number)}.json"), Path("keys") / f"{name(number)}.pub"):
            (target / place).hardlink_to(source / place)


def name(number: int) -> str:
    return f"node-{number:03}"


def _nonce(number: int) -> str:
    return f"{number:064x}"


def _other(text: bytes, number: int) -> bytes:
    """A text of the same form and length that no other machine has: the last digits before the end are the number's."""
    tail = f"{number:06}".encode()
    return re.sub(rb"[0-9a-f]{6}(?=[0-9a-f]{2}$)", tail, text)


def _lightened(one: Measurement) -> Measurement:
    none = Unknown(reason=Reason.NOT_CAPTURED, source=Source.NVML, detail="left out")
    samples = one.samples
    if isinstance(samples, Known):
        few = dataclasses.replace(samples.value, seconds=samples.value.seconds[:_KEPT_SAMPLES])
        samples = dataclasses.replace(samples, value=few)
    return dataclasses.replace(one, samples=samples, telemetry=none)
