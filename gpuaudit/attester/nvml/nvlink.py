"""A device's NVLinks, one by one: their number tells A100 from A800 and H100 from H800, as far as NVML is to be believed."""

from __future__ import annotations

from typing import Any, Final

from gpuaudit.attester.nvml.answers import bus_id, flag, malformed, number
from gpuaudit.attester.nvml.direct import field_value
from gpuaudit.attester.nvml.read import Reader
from gpuaudit.evidence.device import NvLinkReadings
from gpuaudit.evidence.reading import Known, Reading, Reason, Source

# NVML_NVLINK_MAX_LINKS of nvml.h, the most that any GPU has.
_MAX_LINKS: Final = 36
# NVML_FI_DEV_NVLINK_LINK_COUNT of nvml.h.
_LINK_COUNT_FIELD: Final = 91


def read_nvlinks(reader: Reader, device: Any) -> Reading[tuple[NvLinkReadings, ...]]:
    """Ask for every link that the device says it has.

    Where the library cannot say how many there are, every possible link is asked for its state, and those up to the last that
    answered are listed: a link that refuses between two that answer is a link.

    Returns:
        All links, a refused reading of one being Unknown within it; or Unknown where no link answered, which is not "no links".
    """
    count = reader.ask("nvmlDeviceGetFieldValues", lambda: _link_count(device))
    if isinstance(count, Known):
        states = [_state(reader, device, link) for link in range(count.value)]
    elif count.reason is Reason.NOT_SUPPORTED:
        states = [_state(reader, device, link) for link in range(_MAX_LINKS)]
        answered = [link for link, state in enumerate(states) if isinstance(state, Known)]
        if not answered:
            return count
        states = states[: answered[-1] + 1]
    else:
        return count
    links = tuple(_link(reader, device, link, state) for link, state in enumerate(states))
    return Known(value=links, source=Source.NVML)


def _link(reader: Reader, device: Any, link: int, active: Reading[bool]) -> NvLinkReadings:
    return NvLinkReadings(
        link=link,
        active=active,
        version=reader.read("nvmlDeviceGetNvLinkVersion", device, link, of=number),
        remote_bus_id=reader.read("nvmlDeviceGetNvLinkRemotePciInfo", device, link, of=bus_id),
    )


def _state(reader: Reader, device: Any, link: int) -> Reading[bool]:
    return reader.read("nvmlDeviceGetNvLinkState", device, link, of=flag)


def _link_count(device: Any) -> int:
    count = field_value(device, _LINK_COUNT_FIELD)
    if count > _MAX_LINKS:
        raise malformed(f"at most {_MAX_LINKS} links", count)
    return count
