"""What was measured against what the catalogue gives: rates, links, the caches, clocks and power over time."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gpuaudit.appraisal.amount import Unit, show, show_range
from gpuaudit.appraisal.result import AttestationResult
from gpuaudit.catalogue.model import Catalogue, NoData, Product, Quantity, Span
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.measurement import (
    CapacityTask,
    Company,
    GemmTask,
    Measurement,
    MemoryTask,
    PeerTask,
    Task,
)
from gpuaudit.evidence.reading import Known
from gpuaudit.report.quoting import listed, spoken
from gpuaudit.report.view import (
    Band,
    Block,
    Cell,
    Curve,
    CurveChart,
    DotChart,
    Dots,
    HeatChart,
    Listing,
    Picture,
    Section,
    Table,
)

_MEBIBYTE: Final = 1024 * 1024
_TERA: Final = 1e12
_GIGA: Final = 1e9
_MOST_COLUMNS: Final = 16
# A thousand times what the fastest server of today does; beyond it a scale shows nothing else.
_FASTEST: Final = 1e21
_FLOP: Final = "TFLOP/s"
_BANDWIDTH: Final = "GB/s"
# Never compared with an accelerator.
_HOST: Final = "the host's processor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One task in one company, with the rate that each device reached and what the catalogue gives for it."""

    name: str
    task: Task
    rates: Mapping[str, float]
    bands: tuple[Band, ...]

    @property
    def unit(self) -> Unit:
        """What the rates count per second."""
        return Unit.FLOP_PER_SECOND if isinstance(self.task, GemmTask) else Unit.BYTES_PER_SECOND


def measured_section(bundle: EvidenceBundle, result: AttestationResult, catalogue: Catalogue, more: Iterable[Block]) -> Section:
    """Show rates beside the catalogue's values for the claimed products, then links, caches and `more`."""
    named = {
        one.identity.uuid.value: f"device {one.index}" for one in bundle.nvml.devices if isinstance(one.identity.uuid, Known)
    }
    claimed = _claimed(result, catalogue)
    rows = tuple(_rows(bundle, named, claimed))
    pictures = (*_charts(rows, claimed), *_caches(rows), *_peers(bundle, named), *more)
    blocks = (*_without_sense(bundle), *_tables(rows), *pictures)
    title = f"Measured against expected: suite {bundle.suite}" if blocks else "Nothing was measured"
    return Section(id="measured", title=title, brief=False, blocks=blocks)


def _claimed(result: AttestationResult, catalogue: Catalogue) -> tuple[Product, ...]:
    ids = {product for line in result.lines for product in line.claimed}
    return tuple(product for product in catalogue.products if product.id in ids)


def _rows(bundle: EvidenceBundle, named: Mapping[str, str], claimed: Sequence[Product]) -> Iterator[Row]:
    """Yield the tasks of single devices and of all together, in the order in which they were run."""
    groups: dict[tuple[str, Company, Task], dict[str, float]] = {}
    for one in bundle.measurements:
        if isinstance(one.task, CapacityTask | PeerTask) or math.isnan(_rate(one)):
            continue
        rates = groups.setdefault((task_title(one.task), one.company, one.task), {})
        rates[_whose(one, named)] = _rate(one)
    for (name, company, task), rates in groups.items():
        alone = " (alone)" if company is Company.ALONE and isinstance(task, GemmTask | MemoryTask) else ""
        yield Row(name=f"{name}{alone}", task=task, rates=rates, bands=() if _HOST in rates else _bands(task, claimed))


def _whose(measurement: Measurement, named: Mapping[str, str]) -> str:
    match measurement.subjects:
        case ():
            return _HOST
        case (uuid,):
            return named.get(uuid, "a device that NVML does not list")
        case several:
            return f"{len(several)} devices"


def task_title(task: Task) -> str:
    """Name a task in a few words, its size among them where that tells it from others."""
    match task:
        case GemmTask(m=m, n=n, k=k):
            shape = f"{m:,}³" if m == n == k else f"{m:,} by {n:,} by {k:,}"
            return f"{task.dtype.value} {shape}"
        case MemoryTask(kind="cached-copy", working_set_bytes=size):
            return f"copy within {size // _MEBIBYTE} MiB"
        case _:
            return task.kind


def _rate(measurement: Measurement) -> float:
    """Return the median rate, or not a number: evidence may hold times that make no sense."""
    samples = measurement.samples
    if not isinstance(samples, Known):
        return math.nan
    try:
        rate = samples.value.median_rate()
    except ValueError:
        return math.nan
    return rate if 0 < rate <= _FASTEST else math.nan


def _without_sense(bundle: EvidenceBundle) -> Iterator[Listing]:
    """Name what was measured in times that no work takes; the appraisal has its own word on it."""
    names = [
        task_title(one.task)
        for one in bundle.measurements
        if isinstance(one.samples, Known) and not isinstance(one.task, CapacityTask) and math.isnan(_rate(one))
    ]
    if names:
        told = listed(dict.fromkeys(names))
        yield Listing(items=(f"{len(names)} measurements have times that make no sense and are not shown: {told}",))


def _bands(task: Task, claimed: Sequence[Product]) -> tuple[Band, ...]:
    match task:
        case GemmTask(dtype=dtype):
            return _by_family(claimed, lambda product: product.rate(dtype))
        case MemoryTask(kind="copy" | "read" | "triad"):
            return _by_family(claimed, lambda product: product.span(Quantity.MEMORY_BANDWIDTH_BYTES_PER_SECOND))
        case _:
            return ()


def _by_family(claimed: Sequence[Product], of: Callable[[Product], Span | NoData]) -> tuple[Band, ...]:
    spans: dict[str, list[Span]] = {}
    for product in claimed:
        span = of(product)
        if isinstance(span, Span):
            spans.setdefault(product.family, []).append(span)
    return tuple(
        Band(of=family, low=min(span.smallest for span in some), high=max(span.largest for span in some))
        for family, some in sorted(spans.items())
    )


def _tables(rows: Sequence[Row]) -> Iterator[Table]:
    if rows:
        yield Table(
            caption="Median rate of each task",
            header=("task", "of", "unit", "lowest", "median", "highest", "catalogue's peak"),
            rows=tuple(_table_row(row) for row in rows),
        )


def _table_row(row: Row) -> tuple[str, ...]:
    rates = sorted(row.rates.values())
    three = [show(rate, row.unit).rpartition(" ") for rate in (rates[0], statistics.median(rates), rates[-1])]
    unit = three[0][-1]
    peaks = _peaks(row).replace(f" {unit}", "") or "not compared"
    return (row.name, spoken(row.rates), unit, *(number for number, _, _ in three), peaks)


def _peaks(row: Row) -> str:
    return "; ".join(f"{band.of} {show_range((band.low, band.high), row.unit)}" for band in row.bands)


def _charts(rows: Sequence[Row], claimed: Sequence[Product]) -> Iterator[Picture]:
    families = ", ".join(sorted({product.family for product in claimed})) or "nothing"
    gemm = [row for row in rows if isinstance(row.task, GemmTask)]
    yield from _dots("Rate by element type", gemm, _FLOP, _TERA, families)
    memory = [row for row in rows if not isinstance(row.task, GemmTask) and not _is_cached(row.task)]
    yield from _dots("Bandwidth of memory and links", memory, _BANDWIDTH, _GIGA, families)


def _dots(caption: str, rows: Sequence[Row], unit: str, scale: float, families: str) -> Iterator[Picture]:
    if not rows:
        return
    chart = DotChart(
        unit=unit,
        band_label=f"peak of {families} in the catalogue",
        rows=tuple(
            Dots(
                label=row.name,
                values=tuple(rate / scale for rate in row.rates.values()),
                bands=tuple(Band(of=band.of, low=band.low / scale, high=band.high / scale) for band in row.bands),
            )
            for row in rows
        ),
    )
    told = "; ".join(f"{row.name}: {_against(row)}" for row in rows)
    yield Picture(caption=caption, alternative=f"A dot for each device beside the {chart.band_label}. {told}.", chart=chart)


def _against(row: Row) -> str:
    reached = show_range(row.rates.values(), row.unit)
    return f"{reached}, peak of {_peaks(row)}" if row.bands else reached


def _is_cached(task: Task) -> bool:
    return isinstance(task, MemoryTask) and task.kind == "cached-copy"


def _caches(rows: Sequence[Row]) -> Iterator[Picture]:
    points: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        if isinstance(row.task, MemoryTask) and row.task.kind in {"cached-copy", "copy"} and not row.name.endswith("(alone)"):
            for who, rate in row.rates.items():
                points.setdefault(who, []).append((row.task.working_set_bytes / _MEBIBYTE, rate / _GIGA))
    curves = tuple(
        Curve(label=who, x=tuple(x for x, _ in sorted(some)), y=tuple(y for _, y in sorted(some)))
        for who, some in points.items()
        if len(some) > 1
    )
    if curves:
        ends = [(curve.y[0], curve.y[-1]) for curve in curves]
        small, large = (show_range((end[side] * _GIGA for end in ends), Unit.BYTES_PER_SECOND) for side in (0, 1))
        yield Picture(
            caption="Copy bandwidth by working set: where the cache ends",
            alternative=f"A line for each device: from {small} at {curves[0].x[0]:.0f} MiB to {large} at {curves[0].x[-1]:.0f} MiB.",
            chart=CurveChart(x_label="working set, MiB", y_label=_BANDWIDTH, curves=curves),
        )


def _peers(bundle: EvidenceBundle, named: Mapping[str, str]) -> Iterator[Block]:
    labels = tuple(dict.fromkeys(named.values()))
    places = {uuid: labels.index(name) for uuid, name in named.items()}
    cells: dict[tuple[int, int], float] = {}
    for one in bundle.measurements:
        match one:
            case Measurement(task=PeerTask(kind="peer-both-ways"), subjects=(first, second)):
                if first in places and second in places and not math.isnan(_rate(one)):
                    row, column = places[first], places[second]
                    cells[row, column] = cells[column, row] = _rate(one) / _GIGA
            case _:
                continue
    if not cells:
        return
    values = show_range((value * _GIGA for value in cells.values()), Unit.BYTES_PER_SECOND)
    yield Picture(
        caption="Between every two devices, both ways at once",
        alternative=f"A field for each pair of devices; {len(cells) // 2} pairs at {values}.",
        chart=HeatChart(
            unit=_BANDWIDTH,
            labels=labels,
            cells=tuple(Cell(row=row, column=column, value=value) for (row, column), value in sorted(cells.items())),
        ),
    )
    yield _peer_table(labels, cells)


def _peer_table(labels: Sequence[str], cells: Mapping[tuple[int, int], float]) -> Table:
    """Write every pair where that fits on a sheet, and what each device reaches with the others where it does not."""
    caption = f"Between every two devices, both ways at once, {_BANDWIDTH}"
    if len(labels) > _MOST_COLUMNS:
        reached = {row: sorted(value for (one, _), value in cells.items() if one == row) for row in range(len(labels))}
        rows = tuple(
            (labels[row], *(f"{value:.0f}" for value in (rates[0], statistics.median(rates), rates[-1])))
            for row, rates in reached.items()
            if rates
        )
        return Table(caption=caption, header=("device", "lowest", "median", "highest"), rows=rows)
    return Table(
        caption=caption,
        header=("", *(label.removeprefix("device ") for label in labels)),
        rows=tuple(
            (label, *(f"{cells[row, column]:.0f}" if (row, column) in cells else "" for column in range(len(labels))))
            for row, label in enumerate(labels)
        ),
    )
