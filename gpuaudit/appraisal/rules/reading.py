"""Rules on the evidence itself, and on what stood between the hardware and the reader."""

from __future__ import annotations

import re
from typing import Final

from gpuaudit.appraisal.result import Outcome
from gpuaudit.appraisal.rules.machine_rule import Context, Observation, machine_rule, weigh
from gpuaudit.evidence.bundle import EvidenceBundle, Origin
from gpuaudit.evidence.reading import Known, Unknown

_GO_SECTIONS: Final = frozenset({".go.buildinfo", ".gopclntab", ".note.go.buildid"})
_ANSWERING: Final = re.compile(r"/proc/driver/nvidia/gpus(/.*)?|/sys/(bus/pci|devices/pci)[^ ]*")


@machine_rule("origin")
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


@machine_rule("freshness")
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


@machine_rule("library")
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


@machine_rule("mounts")
def nothing_is_mounted_over_the_kernels_answers(bundle: EvidenceBundle, context: Context) -> Observation:
    """Nothing is mounted over the kernel's lists of cards but parts of the kernel's own file systems.

    Looks at: mounts at or below /proc/driver/nvidia/gpus and the PCI folders of /sys, with their file systems.
    Catches: a kit that puts its own list over the kernel's, as one seen in the field did.
    Does not catch: a kernel that lies itself. Container runtimes mount a tmpfs at /proc/driver/nvidia and bind single folders of
    proc below it: such mounts are not counted.
    Numbers from: no numbers; what runtimes mount is from the source of NVIDIA's libnvidia-container (mount_procfs).
    Checked on: simulated machines; field report lium-io 1303.
    """
    del context
    expected = "only the kernel's own file systems"
    mounts = bundle.environment.mounts
    if isinstance(mounts, Unknown):
        return weigh([], 0, expected=expected, nothing="the table of mounts was not read")
    odd = [
        f"{mount.filesystem} at {mount.mount_point}"
        for mount in mounts.value
        if _ANSWERING.fullmatch(mount.mount_point) and mount.filesystem not in {"proc", "sysfs"}
    ]
    return weigh(odd, 1 + len(mounts.value), expected=expected, nothing="")


@machine_rule("known-board")
def driver_knows_every_board(bundle: EvidenceBundle, context: Context) -> Observation:
    """The driver has a name for every board.

    Looks at: names that end in "Graphics Device", which a driver prints for a board that it does not know.
    Catches: mining and engineering boards on a stock driver (CMP 170HX), boards with an id that NVIDIA gave to nobody.
    Does not catch: a board with a forged id or name. A genuine card on a driver older than itself shows the same, so no product
    is excluded.
    Numbers from: no numbers.
    Checked on: reports of the CMP 170HX, which stock drivers call so.
    """
    del context
    names = [(one.index, one.identity.name.value) for one in bundle.nvml.devices if isinstance(one.identity.name, Known)]
    odd = [f"device {index}: {name}" for index, name in names if name.strip().endswith("Graphics Device")]
    return weigh(odd, len(names), expected="a product's name", nothing="no name was read")
