"""A whole capture to evidence of origin `capture`: what a machine reported at a time and place that nobody vouches for."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Final

import gpuaudit
from gpuaudit.attester.capture import values
from gpuaudit.attester.capture.device import device_left_out, device_of
from gpuaudit.attester.capture.document import Document, Element, parse_document
from gpuaudit.attester.capture.values import not_captured, text_at, value_at
from gpuaudit.attester.unread import unread
from gpuaudit.errors import MalformedFileError
from gpuaudit.evidence.bundle import EvidenceBundle, Origin, Tool
from gpuaudit.evidence.device import DeviceEvidence, NvmlEvidence
from gpuaudit.evidence.host import EnvironmentEvidence, HostEvidence, TorchEvidence
from gpuaudit.evidence.kernel import KernelEvidence
from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown

_ROOT: Final = "nvidia_smi_log"
_MAX_GPUS: Final = 256
_UNKNOWN_TIME: Final = "unknown"
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def import_capture(data: bytes, *, place: str) -> EvidenceBundle:
    """Read what `nvidia-smi -q -x` printed, of any schema, as evidence of origin `capture`.

    Everything that the capture lacks is Unknown (not captured). Nobody asked for it, so its nonce is made here from its bytes:
    it tells captures apart and proves no freshness. `started_at` and `finished_at` are the capture's own local time without a
    time zone (ISO 8601, no offset), or `unknown`; a capture does not say its zone.

    Args:
        data: The whole file.
        place: Where it came from, for messages.

    Raises:
        MalformedFileError: It is not XML, not safe, or not a capture of `nvidia-smi`.
    """
    document = parse_document(data, place=place)
    _require_capture(document, place)
    moment = _moment(text_at(document.root, "timestamp"))
    absent = not_captured("nvidia-smi -q -x does not print it")
    return EvidenceBundle(
        schema_version=1,
        tool=Tool(name="gpuaudit", version=gpuaudit.__version__),
        origin=Origin.CAPTURE,
        origin_detail=_origin_detail(document, moment),
        nonce=hashlib.sha256(b"gpuaudit/capture/v1\0" + data).hexdigest(),
        started_at=moment,
        finished_at=moment,
        suite="none",
        nvml=_nvml(document.root),
        kernel=unread(KernelEvidence, absent),
        torch=unread(TorchEvidence, absent),
        host=unread(HostEvidence, absent),
        environment=unread(EnvironmentEvidence, absent),
        measurements=(),
    )


def _require_capture(document: Document, place: str) -> None:
    root = document.root
    if root.tag != _ROOT:
        raise MalformedFileError(
            f"{place}:{root.line}: not a capture: got <{root.tag[:40]}>, expected <{_ROOT}>; take one with nvidia-smi -q -x"
        )
    gpus = root.named("gpu")
    if not gpus and not root.named("attached_gpus"):
        raise MalformedFileError(f"{place}:{root.line}: got neither <gpu> nor <attached_gpus>; take one with nvidia-smi -q -x")
    if len(gpus) > _MAX_GPUS:
        raise MalformedFileError(f"{place}: got {len(gpus)} <gpu>, expected at most {_MAX_GPUS}")


def _nvml(root: Element) -> NvmlEvidence:
    gpus = root.named("gpu")
    count = value_at(root, "attached_gpus", values.whole)
    if isinstance(count, Known) and not len(gpus) <= count.value <= _MAX_GPUS:
        count = Unknown(
            reason=Reason.FAULT,
            source=Source.CAPTURE,
            detail=f"attached_gpus: got {count.value}, but {len(gpus)} <gpu> are shown",
        )
    return NvmlEvidence(
        driver_version=text_at(root, "driver_version"),
        nvml_version=not_captured("nvidia-smi -q -x does not print it"),
        cuda_driver_version=value_at(root, "cuda_version", _cuda_number),
        confidential_compute_feature=not_captured("nvidia-smi -q -x does not print it"),
        device_count=count,
        devices=_devices(gpus, count),
    )


def _devices(gpus: tuple[Element, ...], count: Reading[int]) -> tuple[DeviceEvidence, ...]:
    """Read each `<gpu>`, and list those that the capture counts but does not show: one of four is not one of one."""
    left_out = range(len(gpus), count.value) if isinstance(count, Known) else ()
    return (*(device_of(gpu, index) for index, gpu in enumerate(gpus)), *(device_left_out(index) for index in left_out))


def _cuda_number(text: str) -> int:
    """Write `12.8` as NVML does: 12080."""
    matched = re.fullmatch(r"([0-9]{1,3})\.([0-9]{1,2})", text, re.ASCII)
    if matched is None:
        raise ValueError(f"got {text[:40]!a}, expected a version such as 12.8")
    return int(matched[1]) * 1000 + int(matched[2]) * 10


def _moment(timestamp: Reading[str]) -> str:
    """Turn `Fri Aug 21 10:21:36 2026` into `2026-08-21T10:21:36`; by hand, for strptime follows the reader's locale."""
    if isinstance(timestamp, Unknown):
        return _UNKNOWN_TIME
    matched = re.fullmatch(
        rf"\w{{3}} +({'|'.join(_MONTHS)}) +([0-9]{{1,2}}) +([0-9]{{2}}):([0-9]{{2}}):([0-9]{{2}}) +([0-9]{{4}})",
        timestamp.value,
        re.ASCII,
    )
    if matched is None:
        return _UNKNOWN_TIME
    month, day, hour, minute, second, year = matched.groups()
    try:
        moment = datetime(int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second))  # noqa: DTZ001 - no zone is known
    except ValueError:
        return _UNKNOWN_TIME
    return moment.isoformat()


def _origin_detail(document: Document, moment: str) -> str:
    named = re.fullmatch(r"nvsmi_device_(v[0-9]{1,3})\.dtd", document.doctype, re.ASCII)
    schema = f"schema {named[1]}" if named else "a schema that is not named"
    time = (
        "no readable time stamp"
        if moment == _UNKNOWN_TIME
        else "time stamp in local time of a zone that the capture does not tell"
    )
    return f"nvidia-smi -q -x, {schema}; {time}; the nonce was made at import from the file's bytes and proves no freshness"
