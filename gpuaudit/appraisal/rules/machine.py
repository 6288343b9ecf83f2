"""Rules on the machine as a whole. Each gives one finding; none excludes a product.

What they contradict is shown above the verdict. Counting (in `count.py`) does not rest on them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from gpuaudit.appraisal.count import all_devices_seen, distinct
from gpuaudit.appraisal.result import Basis, Effect, Finding, Outcome, Verdict
from gpuaudit.evidence.bundle import EvidenceBundle, Origin
from gpuaudit.evidence.reading import Known, Reading, Unknown

_GO_SECTIONS: Final = frozenset({".go.buildinfo", ".gopclntab", ".note.go.buildid"})
_THIS: Final = "this machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the appraiser brings: the nonce it asked to be answered, or none."""

    nonce_expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a machine rule saw."""

    outcome: Outcome
    observed: str
    expected: str


Look: TypeAlias = Callable[[EvidenceBundle, Context], Observation]


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRule:
    """One rule on a machine."""

    slug: str
    statement: str
    manual: str
    look: Look

    def find(self, bundle: EvidenceBundle, context: Context) -> Finding:
        """Look at the evidence and say what was found."""
        seen = self.look(bundle, context)
        return Finding(
            rule=self.slug,
            outcome=seen.outcome,
            effect=Effect.NOTE,
            basis=Basis.REPORTED,
            required=False,
            subject=_THIS,
            observed=seen.observed,
            expected=seen.expected,
            excluded=(),
        )


def _machine_rule(slug: str) -> Callable[[Look], MachineRule]:
    def make(look: Look) -> MachineRule:
        return MachineRule(slug=slug, statement=look.__name__.replace("_", " "), manual=inspect.getdoc(look) or "", look=look)

    return make


@_machine_rule("origin")
def evidence_comes_from_hardware(bundle: EvidenceBundle, context: Context) -> Observation:
    """The evidence was read from hardware, not from a simulation or a capture.

    Looks at: the origin in the signed bytes, which the attester decides by what lies beneath its readers.
    Catches: simulated evidence and imported captures shown as a machine.
    Does not catch: a changed attester, nor a forged library that loads as a library: an attester on the adversary's machine is the
    adversary's.
    Numbers from: no numbers.
    Checked on: simulated machines, the captures, a machine without a GPU.
    """
    del context
    fits = bundle.origin is Origin.HARDWARE
    return Observation(
        outcome=Outcome.SATISFIED if fits else Outcome.CONTRADICTED,
        observed=bundle.origin.value,
        expected=Origin.HARDWARE.value,
    )


@_machine_rule("freshness")
def evidence_answers_this_nonce(bundle: EvidenceBundle, context: Context) -> Observation:
    """The evidence answers the nonce that this appraisal asked for.

    Looks at: the nonce in the signed bytes and the one given to the appraisal.
    Catches: evidence of another day shown again. A nonce that differs is refused before any rule looks.
    Does not catch: anything without a nonce given beforehand: then freshness is undetermined and the result says so.
    Numbers from: no numbers.
    Checked on: own evidence with the right nonce, another one and none.
    """
    if not context.nonce_expected:
        return Observation(outcome=Outcome.UNDETERMINED, observed="no nonce was asked for", expected="a nonce given beforehand")
    fits = bundle.nonce == context.nonce_expected
    return Observation(
        outcome=Outcome.SATISFIED if fits else Outcome.CONTRADICTED, observed=bundle.nonce, expected=context.nonce_expected
    )


@_machine_rule("device-count")
def nvml_and_the_pci_bus_agree_on_the_number_of_devices(bundle: EvidenceBundle, context: Context) -> Observation:
    """NVML and the PCI bus show the same number of GPUs.

    Looks at: NVML's count and list, and the display functions of vendor 10de in /sys/bus/pci.
    Catches: a library that invents cards ("8 GPUs" that are one) or hides some.
    Does not catch: a kernel that lies as well. A container given some of the cards shows fewer in NVML: the count is then open, not
    refuted. WSL2 has no PCI devices.
    Numbers from: counting.
    Checked on: simulated machines and a machine without a GPU; field reports of inflated counts (lium-io 1224).
    """
    del context
    devices = len(bundle.nvml.devices)
    functions = bundle.kernel.pci_functions
    expected = "the same number from both"
    if isinstance(functions, Unknown):
        return Observation(outcome=Outcome.UNDETERMINED, observed=f"NVML {devices}, PCI {_why(functions)}", expected=expected)
    cards = len(distinct((device, Verdict.INCONCLUSIVE) for device in bundle.nvml.devices))
    agree = all_devices_seen(bundle, cards)
    on_bus = sum(function.class_code.startswith("03") for function in functions.value)
    return Observation(
        outcome=Outcome.SATISFIED if agree else Outcome.CONTRADICTED,
        observed=f"NVML {devices}, PCI {on_bus}",
        expected=expected,
    )


@_machine_rule("distinct-devices")
def each_device_is_a_card_of_its_own(bundle: EvidenceBundle, context: Context) -> Observation:
    """No two devices share a UUID or a bus id.

    Looks at: UUIDs and bus ids of all devices of the machine; all-zero UUIDs, as in scrubbed captures, identify nothing.
    Catches: one card listed several times. Such devices are counted once.
    Does not catch: one card under several invented UUIDs and bus ids; eight cards at work at once do.
    Numbers from: counting.
    Checked on: the H100 capture of eight cards; simulated duplicates.
    """
    del context
    devices = len(bundle.nvml.devices)
    cards = len(distinct((device, Verdict.INCONCLUSIVE) for device in bundle.nvml.devices))
    return Observation(
        outcome=Outcome.SATISFIED if cards == devices else Outcome.CONTRADICTED,
        observed=f"{devices} devices, {cards} distinct",
        expected="every device distinct",
    )


@_machine_rule("pci-agreement")
def nvml_and_the_pci_bus_agree_on_ids(bundle: EvidenceBundle, context: Context) -> Observation:
    """For each device NVML and the kernel's PCI view give the same device id at the same bus id.

    Looks at: device ids by bus id in NVML and in /sys/bus/pci.
    Catches: a library that renames cards and a kernel view that was left alone.
    Does not catch: both forged alike. Hidden or virtual buses leave it undetermined.
    Numbers from: comparing.
    Checked on: simulated machines, honest and renamed.
    """
    del context
    expected = "the same device id from both"
    functions = bundle.kernel.pci_functions
    if isinstance(functions, Unknown):
        return Observation(outcome=Outcome.UNDETERMINED, observed=f"PCI {_why(functions)}", expected=expected)
    kernel = {_bus(function.bus_id): function.device_id for function in functions.value}
    pairs = [
        (device, kernel[_bus(device.pci.bus_id.value)])
        for device in bundle.nvml.devices
        if isinstance(device.pci.bus_id, Known) and _bus(device.pci.bus_id.value) in kernel
    ]
    differing = [
        f"device {device.index}: NVML {device.pci.device_id.value}, PCI {on_bus.value}"
        for device, on_bus in pairs
        if isinstance(device.pci.device_id, Known)
        and isinstance(on_bus, Known)
        and device.pci.device_id.value.lower() != on_bus.value.lower()
    ]
    if differing:
        return Observation(outcome=Outcome.CONTRADICTED, observed="; ".join(differing[:3]), expected=expected)
    if not pairs:
        return Observation(outcome=Outcome.UNDETERMINED, observed="no device at the same bus id in both", expected=expected)
    return Observation(outcome=Outcome.SATISFIED, observed=f"{len(pairs)} devices compared", expected=expected)


@_machine_rule("driver-agreement")
def nvml_and_the_kernel_name_the_same_driver(bundle: EvidenceBundle, context: Context) -> Observation:
    """NVML and /proc/driver/nvidia name the same driver version.

    Looks at: both version strings.
    Catches: a replaced libnvidia-ml beside a real driver, such as one that reports a Windows driver number on Linux.
    Does not catch: both forged; containers without /proc/driver/nvidia leave it undetermined. A new version is no contradiction.
    Numbers from: comparing.
    Checked on: simulated machines; field reports (lium-io 1068).
    """
    del context
    nvml, kernel = bundle.nvml.driver_version, bundle.kernel.driver_version
    expected = "the same version from both"
    if isinstance(nvml, Unknown) or isinstance(kernel, Unknown):
        return Observation(
            outcome=Outcome.UNDETERMINED, observed=f"NVML {_told(nvml)}, kernel {_told(kernel)}", expected=expected
        )
    same = nvml.value == kernel.value
    return Observation(
        outcome=Outcome.SATISFIED if same else Outcome.CONTRADICTED,
        observed=f"NVML {nvml.value}, kernel {kernel.value}",
        expected=expected,
    )


@_machine_rule("library")
def libraries_look_like_nvidias(bundle: EvidenceBundle, context: Context) -> Observation:
    """The mapped NVIDIA libraries have no sections that only other compilers write.

    Looks at: ELF section names of the mapped libnvidia-ml and libcuda, and LD_PRELOAD and /etc/ld.so.preload.
    Catches: a mock NVML written in Go (one in public use is) and preloaded shims.
    Does not catch: a mock written in C. A preload can be a customer's own tool: it is shown, not judged.
    Numbers from: section names seen in a public mock (facts on attacks, row 1).
    Checked on: Debian's genuine libnvidia-ml1.
    """
    del context
    expected = "no foreign sections, no preload"
    libraries = bundle.environment.libraries
    preload = bundle.environment.ld_so_preload
    odd = [
        f"{library.path} has {', '.join(sorted(_GO_SECTIONS & frozenset(library.sections.value)))}"
        for library in (libraries.value if isinstance(libraries, Known) else ())
        if isinstance(library.sections, Known) and _GO_SECTIONS & frozenset(library.sections.value)
    ]
    if isinstance(preload, Known) and preload.value.strip():
        odd.append(f"/etc/ld.so.preload names {preload.value.strip()[:80]}")
    if odd:
        return Observation(outcome=Outcome.CONTRADICTED, observed="; ".join(odd[:3]), expected=expected)
    if isinstance(libraries, Unknown) or not libraries.value:
        return Observation(outcome=Outcome.UNDETERMINED, observed="no NVIDIA library mapped", expected=expected)
    return Observation(outcome=Outcome.SATISFIED, observed=f"{len(libraries.value)} libraries", expected=expected)


MACHINE_RULES: Final[tuple[MachineRule, ...]] = (
    evidence_comes_from_hardware,
    evidence_answers_this_nonce,
    nvml_and_the_pci_bus_agree_on_the_number_of_devices,
    each_device_is_a_card_of_its_own,
    nvml_and_the_pci_bus_agree_on_ids,
    nvml_and_the_kernel_name_the_same_driver,
    libraries_look_like_nvidias,
)


def _why(unknown: Unknown) -> str:
    return f"unknown ({unknown.reason.value})"


def _told(reading: Reading[str]) -> str:
    return reading.value if isinstance(reading, Known) else _why(reading)


def _bus(bus_id: str) -> str:
    """Compare bus ids without the domain's leading zeros: NVML writes eight digits, the kernel four."""
    return re.sub(r"^0+(?=[0-9a-f]{4}:)", "", bus_id.lower())
