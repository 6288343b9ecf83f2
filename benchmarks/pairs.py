"""Which rule tells X from Y, at which basis, by what ratio; and which lesser rivals a claim has.

Run as `python -m benchmarks.pairs`; writes results/pairs.md and results/lesser-rivals.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from benchmarks.soundness_study.pairing import Pair, Separation, handed_over, load_pairs, separations, shedding
from benchmarks.soundness_study.questions import real_yardstick
from gpuaudit.appraisal.reference import Yardstick
from gpuaudit.appraisal.rivals import lesser_products
from gpuaudit.catalogue.model import Product

RESULTS: Final = Path(__file__).parents[1] / "results"
_CLAIMS: Final = (
    "A100",
    "a100-sxm4-40gb",
    "a100-sxm4-80gb",
    "a100-pcie-40gb",
    "a100-pcie-80gb",
    "H100",
    "h100-sxm5-80gb",
    "h100-pcie-80gb",
    "h100-nvl-94gb",
    "H200",
    "h200-sxm",
    "h200-nvl",
)
_PAIRS_HEAD: Final = """\
# Which rule tells them apart

Made by `python -m benchmarks.pairs` with catalogue {version}. Of each pair the second is handed over for the first, in the simulation:
with everything that it reports forged to be the first's where the telling rule measures, and as it is where nothing that is measured
can tell. *Excludes* means that the first cannot give what was seen; *withholds*, that it falls short of what genuine ones give, which is no
proof of another product. The number is what was seen over the nearer end of what was expected; rules in brackets advise only.
*Sheds* are the measurements by which a genuine first excludes the second, if all it reports is put aside.

"""
_RIVALS_HEAD: Final = """\
# Lesser rivals

Made by `python -m benchmarks.pairs` with catalogue {version}. A product is a lesser rival of a claim if it is lower than every claimed
product, by more than {share:.0%}, in the dense rate of some type, in memory, in bandwidth or in NVLink, as far as the catalogue has
verified values for both. Whoever would be confirmed by measuring alone has to shed all of these.

"""


def main() -> int:
    """Write both pages."""
    yardstick = real_yardstick()
    (RESULTS / "pairs.md").write_text(pairs_page(yardstick), encoding="utf-8")
    (RESULTS / "lesser-rivals.md").write_text(rivals_page(yardstick), encoding="utf-8")
    print(f"{len(load_pairs())} pairs, {len(_CLAIMS)} claims")
    return 0


def pairs_page(yardstick: Yardstick) -> str:
    """Write the page of pairs."""
    head = ("wanted", "handed over", "cards", "told by", "basis", "excludes", "withholds", "sheds")
    return _PAIRS_HEAD.format(version=yardstick.catalogue.version) + _table(
        head, (_pair(pair, yardstick) for pair in load_pairs())
    )


def rivals_page(yardstick: Yardstick) -> str:
    """Write the page of lesser rivals."""
    share = yardstick.thresholds.lesser.fraction
    rows = []
    for named in _CLAIMS:
        claimed = _products(named, yardstick)
        rivals = lesser_products(claimed, yardstick.catalogue, share)
        rows.append((named, str(len(rivals)), ", ".join(sorted(rivals))))
    head = _RIVALS_HEAD.format(version=yardstick.catalogue.version, share=share)
    return head + _table(("claim", "rivals", "which"), rows)


def _products(named: str, yardstick: Yardstick) -> tuple[Product, ...]:
    return tuple(one for one in yardstick.catalogue.products if named in one.counts_as or named == one.id)


def _pair(pair: Pair, yardstick: Yardstick) -> tuple[str, ...]:
    found = separations(handed_over(pair), pair, yardstick)
    return (
        pair.wanted,
        pair.handed,
        str(pair.cards),
        pair.rule,
        pair.basis.value,
        "; ".join(_told(one for one in found if one.excludes)),
        "; ".join(_told(one for one in found if not one.excludes)),
        ", ".join(shedding(pair, yardstick)) or "nothing measured",
    )


def _told(found: Iterable[Separation]) -> Iterator[str]:
    for one in found:
        ratio = f" ({one.ratio:.2f})" if one.ratio else ""
        text = f"{one.rule.slug}: {one.observed}, expected {one.expected}{ratio}"
        yield text if one.required else f"[{text}]"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
