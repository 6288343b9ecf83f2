"""Rules on what joins the card to others: NVLink, PCI Express, and what a copy from card to card gives."""

from __future__ import annotations

from gpuaudit.appraisal.amount import Unit
from gpuaudit.appraisal.result import Basis, Effect
from gpuaudit.appraisal.rule import Band, Expected, PeerBand, rule
from gpuaudit.appraisal.threshold import Thresholds
from gpuaudit.catalogue.model import FormFactor, NoData, Product, Quantity


@rule("nvlink-count", basis=Basis.REPORTED, effect=Effect.IDENTITY, reads="nvlinks", unit=Unit.COUNT)
def nvlink_count_is_that_of_the_product(product: Product, thresholds: Thresholds) -> Expected:
    """The number of NVLinks that NVML lists is the product's (12 for A100 SXM, 8 for A800, 18 for H100 SXM).

    Looks at: for how many links NVML gives a state, active or not.
    Catches: an A800 (8) or an H800 (8) called A100 or H100 by a forger who left the links alone.
    Does not catch: a forger who did not. Pass-through guests and PCIe cards without a bridge may list none, so it is advisory; what
    the links carry is measured by `peer-rate`.
    Numbers from: datasheets and captures cited in the catalogue; several counts of PCIe cards are unverified and exclude nothing.
    Checked on: the A100 and H100 captures.
    """
    del thresholds
    span = product.span(Quantity.NVLINK_COUNT)
    return span if isinstance(span, NoData) else Band(low=span.smallest, high=span.largest)


@rule("pcie-generation-max", basis=Basis.REPORTED, effect=Effect.IDENTITY, reads="pci.link_generation_max", unit=Unit.COUNT)
def pcie_generation_maximum_is_that_of_the_product(product: Product, thresholds: Thresholds) -> Expected:
    """The highest PCI Express generation is not above the product's.

    Looks at: the maximum link generation that NVML reports, which is that of card and slot together.
    Catches: a newer card called an older one (generation 5 on an A100).
    Does not catch: a card in an older slot or behind an older switch reports less, which is genuine.
    Numbers from: captures and datasheets cited in the catalogue.
    Checked on: the captures of A100, H100, L40S and T4.
    """
    del thresholds
    span = product.span(Quantity.PCIE_GENERATION)
    return span if isinstance(span, NoData) else Band(low=1, high=span.largest)


@rule("peer-rate", basis=Basis.MEASURED, effect=Effect.THROUGHPUT, reads="peer-both-ways", unit=Unit.BYTES_PER_SECOND)
def peer_rate_is_what_the_links_of_the_product_give(product: Product, thresholds: Thresholds) -> Expected:
    """Copies between the card and the others of its server, both ways at once, run as fast as the product's links, and not faster.

    Looks at: the measured rate of the card with each other card, both ways at once and added up; a line of the tender for eight cards a
    server needs seven peers.
    Catches: an A800 (400 GB/s) or an H800 (400 GB/s) called A100 (600) or H100 (900) where the line speaks of five cards or more a
    server; PCIe cards called SXM: a bridge joins two of them, not eight. These are too slow, which withholds. Only a rate above the
    links of a product, such as an H100's 900 GB/s for an A100, excludes it.
    Does not catch: a single card, for which nothing is asked. On boards of four cards each pair has a third of the links, on boards of
    eight all of them; so where the line speaks of two to four cards a server the floor is that of the smaller board, a third. An A800
    on a board of eight reaches it, and with forged ids it is confirmed under the policy `standard`; the headline then says that
    nothing but the machine's own word speaks against an A800. A dead link, a machine without peer access, other traffic or a slow
    driver keep a genuine card unconfirmed, never refuted.
    Numbers from: NVLink bandwidth in the catalogue; shares and form factors in thresholds.toml, each with its source.
    Checked on: 8x H200, 784 of 900 GB/s (ml-engineering); A800, 197.9 of the 200 GB/s that its 400 have one way, in an all-reduce.
    """
    quantity, peers = "peer-both-ways", thresholds.peers
    nvlink = product.span(Quantity.NVLINK_BIDIRECTIONAL_BYTES_PER_SECOND)
    if product.form_factor is FormFactor.SXM:
        if isinstance(nvlink, NoData):
            return nvlink
        floor = thresholds.floor(quantity, product) * nvlink.smallest
        return PeerBand(
            floor=floor,
            direct_floor=floor / (peers.direct_board_cards - 1),
            direct_board_cards=peers.direct_board_cards,
            ceiling=thresholds.ceiling(quantity, product) * nvlink.largest,
            bridges=0,
            bridge_ceiling=0.0,
        )
    generation, width = product.span(Quantity.PCIE_GENERATION), product.span(Quantity.PCIE_WIDTH)
    if product.form_factor in (FormFactor.SUPERCHIP, FormFactor.UNSTATED) and not isinstance(nvlink, NoData):
        # Whether and how such cards are joined differs from server to server: any way that works, up to all links.
        return PeerBand(
            floor=peers.pcie_floor_bytes_per_second,
            direct_floor=peers.pcie_floor_bytes_per_second,
            direct_board_cards=peers.direct_board_cards,
            ceiling=thresholds.ceiling(quantity, product) * nvlink.largest,
            bridges=0,
            bridge_ceiling=0.0,
        )
    if isinstance(generation, NoData) or isinstance(width, NoData):
        return NoData()
    lanes = peers.pcie_bytes_per_second_per_lane.get(str(int(generation.largest)))
    if lanes is None:
        return NoData()
    margin = thresholds.ceiling(quantity, product)
    return PeerBand(
        floor=peers.pcie_floor_bytes_per_second,
        direct_floor=peers.pcie_floor_bytes_per_second,
        direct_board_cards=peers.direct_board_cards,
        ceiling=margin * lanes * width.largest,
        bridges=peers.nvl_bridges if product.form_factor is FormFactor.NVL else peers.pcie_bridges,
        # What a bridge carries is unverified for some products: then nothing is too fast for it.
        bridge_ceiling=float("inf") if isinstance(nvlink, NoData) else margin * nvlink.largest,
    )
