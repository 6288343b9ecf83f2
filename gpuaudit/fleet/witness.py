"""From one file to what it contributes: read, authenticate, appraise, and keep little."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gpuaudit.appraisal.appraise import Exhibit, Question, appraise
from gpuaudit.appraisal.case import DeviceCase, device_cases, is_placeholder
from gpuaudit.appraisal.count import Key, tally
from gpuaudit.appraisal.reference import Yardstick
from gpuaudit.appraisal.result import AttestationResult, Basis, DeviceStanding, Digest, LineResult, Verdict
from gpuaudit.envelope import Keyring, OpenedEvidence, TrustedKey, open_evidence, read_bounded
from gpuaudit.errors import AuthenticityError, CouldNotAuthenticateError, GpuauditError
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.device import DeviceEvidence
from gpuaudit.evidence.reading import Known, Reading
from gpuaudit.fleet.folder import Candidate
from gpuaudit.fleet.nonces import require_answer
from gpuaudit.fleet.testimony import Card, Heard, LineTestimony, NoTestimony, Rate, Testimony
from gpuaudit.printable import printable
from gpuaudit.tender.model import HardwareLine

NOT_AUTHENTIC: Final = "not-authentic"
UNKNOWN_KEY: Final = "unknown-key"
UNREADABLE: Final = "unreadable"
FAILED: Final = "failed"
SLOWEST_PEER: Final = "slowest peer"
_COMPARED: Final = frozenset({"copy", "capacity", "host-to-device"})
_GEMM: Final = "gemm-"
# How a sealed file ends; of any other form it is refused when it is opened.
_SIGNATURES: Final = b'"signatures":'
_KEYID: Final = re.compile(rb'"keyid":"([0-9a-f]{64})"')
_MAX_FAILURE_BYTES: Final = 16 * 1024
_SHOWN_NOTICES: Final = 3
_SHOWN_CHARACTERS: Final = 300
_ORDER: Final = (Verdict.CONFIRMED, Verdict.INCONCLUSIVE, Verdict.REFUTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ear:
    """What it takes to hear a file: whom to believe, by key id, what is asked, and against what.

    `nonce` is that of the whole fleet, empty where none was given out; each node must then answer its own, `node_nonce`.
    """

    keys: Mapping[str, TrustedKey]
    question: Question
    yardstick: Yardstick
    nonce: str
    appraised_at: str

    def hear(self, candidate: Candidate) -> Heard:
        """Open, authenticate and appraise one file. What is wrong with the file is returned, not raised."""
        data = read_candidate(candidate)
        return data if isinstance(data, NoTestimony) else self.judge(candidate, data)

    def judge(self, candidate: Candidate, data: bytes) -> Heard:
        """Authenticate and appraise the bytes of a file, wherever they were read."""
        try:
            opened = open_evidence(data, self._keyring(data), place=candidate.name)
            require_answer(opened.bundle.nonce, self.nonce, candidate.node)
        except GpuauditError as error:
            return _refused(candidate, error)
        return self._appraised(candidate, opened)

    def _keyring(self, data: bytes) -> Keyring:
        """Of all trusted keys those that the file names, so that a file of a large fleet does not cost more than one of a small one."""
        named = _KEYID.findall(data, max(data.rfind(_SIGNATURES), 0))
        signers = tuple(self.keys[keyid] for keyid in (found.decode() for found in named) if keyid in self.keys)
        # Where none of them is trusted, the refusal is to name those that are.
        return Keyring(keys=signers or tuple(self.keys.values()))

    def _appraised(self, candidate: Candidate, opened: OpenedEvidence) -> Testimony:
        bundle = opened.bundle
        exhibit = Exhibit(bundle=bundle, file=Digest(name=candidate.name, sha256=opened.sha256), signed_by=opened.keyids)
        question = replace(self.question, nonce_expected=bundle.nonce if self.nonce else "")
        result = appraise(exhibit, question, self.yardstick, appraised_at=self.appraised_at)
        hardware = {line.id for line in self.question.tender.lines if isinstance(line, HardwareLine)}
        cases = device_cases(bundle, self.yardstick.thresholds.canonical)
        return Testimony(
            node=candidate.node,
            file=candidate.name,
            sha256=opened.sha256,
            payload_sha256=opened.envelope.payload_sha256,
            signed_by=opened.keyids,
            nonce=bundle.nonce,
            started_at=bundle.started_at,
            finished_at=bundle.finished_at,
            origin=bundle.origin,
            host_name=_short(bundle.host.host_name),
            products=Counter(_short(device.identity.name) for device in bundle.nvml.devices),
            lines={line.id: _line(candidate.node, line, bundle) for line in result.lines if line.id in hardware},
            notices=_notices(result),
            rates=tuple(rate for case in cases for rate in _rates(candidate.node, case)),
        )


def keys_by_id(keyring: Keyring) -> Mapping[str, TrustedKey]:
    """Lay out a keyring for an `Ear`."""
    return {key.keyid: key for key in keyring.keys}


def read_candidate(candidate: Candidate) -> bytes | NoTestimony:
    """Read a file, or say why not."""
    try:
        return read_bounded(candidate.path, refusal=AuthenticityError)
    except GpuauditError as error:
        return _refused(candidate, error)


def hear_failure(candidate: Candidate) -> NoTestimony:
    """Read why a node has no evidence, as whoever ran the fleet wrote it down."""
    try:
        text = read_bounded(candidate.path, refusal=AuthenticityError, limit=_MAX_FAILURE_BYTES).decode("utf-8", "replace")
    except GpuauditError as error:
        return _nothing(candidate, FAILED, error)
    return NoTestimony(node=candidate.node, file=candidate.name, state=FAILED, reason=_cut(" ".join(text.split())))


def _refused(candidate: Candidate, error: GpuauditError) -> NoTestimony:
    match error:
        case CouldNotAuthenticateError():
            return _nothing(candidate, UNKNOWN_KEY, error)
        case AuthenticityError():
            return _nothing(candidate, NOT_AUTHENTIC, error)
        case _:
            return _nothing(candidate, UNREADABLE, error)


def _nothing(candidate: Candidate, state: str, error: GpuauditError) -> NoTestimony:
    reason = str(error).removeprefix(f"{candidate.path}: ").removeprefix(f"{candidate.name}: ")
    return NoTestimony(node=candidate.node, file=candidate.name, state=state, reason=_cut(reason))


def _line(node: str, line: LineResult, bundle: EvidenceBundle) -> LineTestimony:
    """Condense a line's result to where each device stands, and to the counts that `appraise` makes of them."""
    devices = bundle.nvml.devices
    measured = tally(node, _judged(devices, line, lambda one: one.by_basis.measured), bundle, key=Key.UUID)
    return LineTestimony(
        cards=tuple(
            Card(
                keys=keys,
                overall=one.verdict,
                reported=one.by_basis.reported,
                measured=one.by_basis.measured,
            )
            for keys, one in zip(card_keys(devices), line.devices, strict=True)
        ),
        overall=tally(node, _judged(devices, line, lambda one: one.verdict), bundle),
        reported=tally(node, _judged(devices, line, lambda one: one.by_basis.reported), bundle),
        # That there are no other devices is reported, so measuring refutes only with a device that it found to be something else.
        measured=replace(measured, all_seen=measured.all_seen and measured.bad > 0),
        reason=_why(line),
        reported_only=tuple(rival.title for rival in line.rivals if rival.excluded_by == (Basis.REPORTED,)),
    )


def _judged(
    devices: Sequence[DeviceEvidence], line: LineResult, verdict: Callable[[DeviceStanding], Verdict]
) -> Iterator[tuple[DeviceEvidence, Verdict]]:
    return zip(devices, map(verdict, line.devices), strict=True)


def card_keys(devices: Sequence[DeviceEvidence]) -> tuple[frozenset[str], ...]:
    """Name, for each device, what identifies it on whatever machine it shows up: its UUID, and its serial.

    Bus ids and the board ids made of them are the same on every machine of a kind. Boards that hold several GPUs have one serial
    for all: a serial that two devices of a machine share identifies neither.
    """
    serials = Counter(serial.value for device in devices if isinstance(serial := device.identity.serial, Known))
    return tuple(frozenset(_keys(device, serials)) for device in devices)


def _keys(device: DeviceEvidence, serials: Mapping[str, int]) -> Iterator[str]:
    uuid, serial = device.identity.uuid, device.identity.serial
    if isinstance(uuid, Known) and not is_placeholder(uuid.value):
        yield f"uuid {uuid.value}"
    if isinstance(serial, Known) and serial.value.strip("0- ") and serials[serial.value] == 1:
        yield f"serial {serial.value}"


def _why(line: LineResult) -> str:
    """Say what is wrong with the worst device, the first of those."""
    ordered = sorted(line.devices, key=lambda one: _ORDER.index(one.verdict), reverse=True)
    return next((_cut(f"{one.subject}: {one.reason}") for one in ordered if one.verdict is not Verdict.CONFIRMED), "")


def _notices(result: AttestationResult) -> tuple[str, ...]:
    hidden = len(result.notices) - _SHOWN_NOTICES
    more = (f"and {hidden} more",) if hidden > 0 else ()
    return (*(_cut(notice) for notice in result.notices[:_SHOWN_NOTICES]), *more)


def _rates(node: str, case: DeviceCase) -> Iterator[Rate]:
    product = _short(case.device.identity.name)
    subject = f"{node} {case.subject}"
    for quantity, reading in case.rates.items():
        if isinstance(reading, Known) and (quantity in _COMPARED or quantity.startswith(_GEMM)):
            yield Rate(product=product, quantity=quantity, subject=subject, value=reading.value)
    if case.peers:
        yield Rate(product=product, quantity=SLOWEST_PEER, subject=subject, value=min(runs[0] for runs in case.peers))


def _short(reading: Reading[str]) -> str:
    return printable(reading.value[:80]) if isinstance(reading, Known) else f"unknown ({reading.reason.value})"


def _cut(text: str) -> str:
    plain = printable(text)
    return plain if len(plain) <= _SHOWN_CHARACTERS else f"{plain[:_SHOWN_CHARACTERS]}…"
