"""Clock and power over the whole run, a line for each device, with the moments marked at which a card was throttled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.reading import Known, Reading
from gpuaudit.evidence.telemetry import Telemetry, Throttle, throttled_seconds
from gpuaudit.report.view import Block, Curve, Picture, Table, TimeChart, TimePanel

# Others say that a card has nothing to do, or runs at the clock that it was given.
_SLOWED: Final = (
    Throttle.SW_POWER_CAP | Throttle.HW_SLOWDOWN | Throttle.SW_THERMAL | Throttle.HW_THERMAL | Throttle.HW_POWER_BRAKE
)
_MOST_POINTS: Final = 160
_WATT: Final = 1000
_LONGEST: Final = 86_400.0


@dataclass(slots=True)
class _Track:
    """One device's moments, task after task: evidence holds no time between two tasks, so there is none here."""

    seconds: float = 0.0
    clock: list[tuple[float, float]] = field(default_factory=list)
    power: list[tuple[float, float]] = field(default_factory=list)
    marks: list[tuple[float, float]] = field(default_factory=list)
    slowed: Counter[Throttle] = field(default_factory=Counter)

    def add(self, telemetry: Telemetry) -> None:
        # Moments that run backwards, or for years, are somebody's invention; the picture is of the rest.
        offsets = [offset for offset in telemetry.offsets_seconds if 0 <= offset <= _LONGEST]
        moments = [self.seconds + offset for offset in sorted(offsets)]
        self.clock += zip(moments, _values(telemetry.sm_clock_megahertz), strict=False)
        self.power += (
            (moment, value / _WATT) for moment, value in zip(moments, _values(telemetry.power_milliwatts), strict=False)
        )
        masks = _values(telemetry.throttle_reasons_mask)
        steps = zip(moments, moments[1:], masks, strict=False)
        self.marks += [(begin, end) for begin, end, mask in steps if mask & _SLOWED]
        reasons = throttled_seconds(telemetry)
        if isinstance(reasons, Known):
            self.slowed.update({reason: time for reason, time in reasons.value.items() if reason & _SLOWED})
        self.seconds = moments[-1] if moments else self.seconds


def over_time(bundle: EvidenceBundle) -> Iterator[Block]:
    """Yield the picture of clock and power, and the numbers behind it; nothing if no series was sampled."""
    tracks = _tracks(bundle)
    clocks = tuple(_curve(name, track.clock) for name, track in tracks.items() if track.clock)
    powers = tuple(_curve(name, track.power) for name, track in tracks.items() if track.power)
    if not clocks and not powers:
        return
    panels = [TimePanel(label="SM clock, MHz", curves=clocks)] if clocks else []
    panels += [TimePanel(label="power, W", curves=powers)] if powers else []
    rows = tuple(_row(name, track) for name, track in tracks.items())
    slowed = "; ".join(f"{row[0]}: {row[3]}" for row in rows if row[3] != "never")
    yield Picture(
        caption="SM clock and power while work ran, task after task",
        alternative=f"A line for each device. Slowed down: {slowed or 'no device at any moment'}.",
        chart=TimeChart(
            mark_label="some device is slowed down",
            panels=tuple(panels),
            marks=_joined(sorted(mark for track in tracks.values() for mark in track.marks)),
        ),
    )
    yield Table(
        caption="SM clock and power while work ran, as NVML told them",
        header=("device", "SM clock, MHz", "power, W", "slowed down"),
        rows=rows,
    )


def _tracks(bundle: EvidenceBundle) -> dict[str, _Track]:
    named = {
        one.identity.uuid.value: f"device {one.index}" for one in bundle.nvml.devices if isinstance(one.identity.uuid, Known)
    }
    tracks: dict[str, _Track] = {}
    for measurement in bundle.measurements:
        match measurement.subjects:
            case (uuid,) if uuid in named and isinstance(measurement.telemetry, Known):
                tracks.setdefault(named[uuid], _Track()).add(measurement.telemetry.value)
            case _:
                continue
    return tracks


def _values(series: Reading[tuple[int, ...]]) -> tuple[int, ...]:
    return series.value if isinstance(series, Known) else ()


def _curve(label: str, points: list[tuple[float, float]]) -> Curve:
    """Thin the points out by leaving out all but every n-th."""
    kept = points[:: -(-len(points) // _MOST_POINTS)]
    return Curve(label=label, x=tuple(round(x, 3) for x, _ in kept), y=tuple(y for _, y in kept))


def _row(name: str, track: _Track) -> tuple[str, ...]:
    slowed = ", ".join(f"{_spoken(reason)} for {seconds:.3g} s" for reason, seconds in track.slowed.items() if seconds > 0)
    return (name, _span(track.clock), _span(track.power), slowed or "never")


def _span(points: list[tuple[float, float]]) -> str:
    if not points:
        return "not sampled"
    values = [value for _, value in points]
    low, high = f"{min(values):.0f}", f"{max(values):.0f}"
    return low if low == high else f"{low} to {high}"


def _spoken(reason: Throttle) -> str:
    return (reason.name or str(reason.value)).lower().replace("_", " ")


def _joined(marks: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    joined: list[tuple[float, float]] = []
    for begin, end in marks:
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return tuple(joined)
