"""Rules on whether sources that are read apart agree: NVML, the PCI bus, /proc, CUDA."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gpuaudit.appraisal.count import all_devices_seen, count_cards
from gpuaudit.appraisal.result import Outcome
from gpuaudit.appraisal.rules.machine_rule import Context, Observation, bus_key, machine_rule, told, weigh, why
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.device import DeviceEvidence
from gpuaudit.evidence.host import TorchDevice
from gpuaudit.evidence.kernel import ProcGpu
from gpuaudit.evidence.reading import Known, Reading, Unknown

# CUDA cores per SM: 64 on GP100, GV100, TU10x and GA100, 128 on GA10x, AD10x, GH100 and later.
_CORES_PER_SM: Final = frozenset({64, 128})


@machine_rule("device-count")
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
        return Observation(outcome=Outcome.UNDETERMINED, observed=f"NVML {devices}, PCI {why(functions)}", expected=expected)
    cards = count_cards(bundle.nvml.devices)
    agree = all_devices_seen(bundle, cards)
    on_bus = sum(function.class_code.startswith("03") for function in functions.value)
    return Observation(
        outcome=Outcome.SATISFIED if agree else Outcome.CONTRADICTED,
        observed=f"NVML {devices}, PCI {on_bus}",
        expected=expected,
    )


@machine_rule("distinct-devices")
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
    cards = count_cards(bundle.nvml.devices)
    return Observation(
        outcome=Outcome.SATISFIED if cards == devices else Outcome.CONTRADICTED,
        observed=f"{devices} devices, {cards} distinct",
        expected="every device distinct",
    )


@machine_rule("pci-agreement")
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
        return Observation(outcome=Outcome.UNDETERMINED, observed=f"PCI {why(functions)}", expected=expected)
    kernel = {bus_key(function.bus_id): function.device_id for function in functions.value}
    pairs = [
        (device, kernel[bus_key(device.pci.bus_id.value)])
        for device in bundle.nvml.devices
        if isinstance(device.pci.bus_id, Known) and bus_key(device.pci.bus_id.value) in kernel
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


@machine_rule("driver-agreement")
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
            outcome=Outcome.UNDETERMINED, observed=f"NVML {told(nvml)}, kernel {told(kernel)}", expected=expected
        )
    same = nvml.value == kernel.value
    return Observation(
        outcome=Outcome.SATISFIED if same else Outcome.CONTRADICTED,
        observed=f"NVML {nvml.value}, kernel {kernel.value}",
        expected=expected,
    )


@machine_rule("driver-system")
def driver_version_is_one_for_this_system(bundle: EvidenceBundle, context: Context) -> Observation:
    """The driver version is not one that exists for another operating system only.

    Looks at: NVML's driver version, against versions that were given out for Windows and never for Linux.
    Catches: a mock of NVML with a number from somebody's desktop.
    Does not catch: any other number. An unknown or newer version is no contradiction: the list can only grow.
    Numbers from: thresholds.toml, two versions seen on Linux hosts that had no such driver.
    Checked on: the driver versions of all captures, 515 to 580.
    """
    version = bundle.nvml.driver_version
    expected = "a version for Linux"
    if isinstance(version, Unknown):
        return weigh([], 0, expected=expected, nothing=f"NVML {why(version)}")
    odd = [f"{version.value}, a version for Windows"] if version.value in context.plausible.windows_drivers else []
    return weigh(odd, 1, expected=expected, nothing="")


@machine_rule("proc-agreement")
def nvml_and_proc_agree_on_each_card(bundle: EvidenceBundle, context: Context) -> Observation:
    """For each card NVML and /proc/driver/nvidia/gpus give the same model and UUID at the same bus id.

    Looks at: names and UUIDs by bus id in both.
    Catches: a replaced libnvidia-ml that renames cards beside a kernel module that was left alone.
    Does not catch: both forged alike. Containers without /proc/driver/nvidia leave it undetermined; cards that only one of the
    two lists are counted elsewhere.
    Numbers from: comparing.
    Checked on: simulated machines, honest and renamed; field reports of such disagreement (lium-io 1224).
    """
    del context
    expected = "the same model and UUID from both"
    gpus = bundle.kernel.proc_gpus
    if isinstance(gpus, Unknown):
        return weigh([], 0, expected=expected, nothing=f"/proc {why(gpus)}")
    listed = {bus_key(gpu.bus_id): gpu for gpu in gpus.value}
    pairs = [
        (device, listed[bus_key(device.pci.bus_id.value)])
        for device in bundle.nvml.devices
        if isinstance(device.pci.bus_id, Known) and bus_key(device.pci.bus_id.value) in listed
    ]
    odd = [word for device, gpu in pairs for word in _proc_differs(device, gpu)]
    return weigh(odd, len(pairs), expected=expected, nothing="no card at the same bus id in both")


@machine_rule("torch-agreement")
def nvml_and_cuda_agree_on_each_card(bundle: EvidenceBundle, context: Context) -> Observation:
    """For each card NVML and CUDA give the same name, and memory and cores that fit each other.

    Looks at: names, total memory and cores by UUID, in NVML and through torch, which asks libcuda.
    Catches: a soft memory limit by a preloaded library, a slice under its parent's name, a forger of NVML who left CUDA alone.
    Does not catch: both forged alike. Without torch, or where CUDA gives no UUIDs, it is undetermined.
    Numbers from: CUDA's share of NVML's total memory in thresholds.toml; 64 or 128 cores per SM by generation.
    Checked on: captures of A100 and H100 with both totals (0.99); simulated machines, honest, limited and forged.
    """
    expected = "the same name; fitting memory and cores"
    devices = bundle.torch.devices
    if isinstance(devices, Unknown):
        return weigh([], 0, expected=expected, nothing=f"CUDA {why(devices)}")
    seen = {one.uuid.value: one for one in devices.value if isinstance(one.uuid, Known)}
    pairs = [
        (device, seen[device.identity.uuid.value])
        for device in bundle.nvml.devices
        if isinstance(device.identity.uuid, Known) and device.identity.uuid.value in seen
    ]
    least = context.plausible.cuda_memory_share
    odd = [word for device, other in pairs for word in _torch_differs(device, other, least)]
    return weigh(odd, len(pairs), expected=expected, nothing="no card with the same UUID in both")


def _proc_differs(device: DeviceEvidence, gpu: ProcGpu) -> Iterator[str]:
    if _differ(device.identity.name, gpu.model):
        yield f"device {device.index}: NVML {told(device.identity.name)}, /proc {told(gpu.model)}"
    if _differ(device.identity.uuid, gpu.uuid):
        yield f"device {device.index}: NVML {told(device.identity.uuid)}, /proc {told(gpu.uuid)}"


def _torch_differs(device: DeviceEvidence, other: TorchDevice, least: float) -> Iterator[str]:
    if _differ(device.identity.name, other.name):
        yield f"device {device.index}: NVML {told(device.identity.name)}, CUDA {told(other.name)}"
    total, cuda = device.memory.total_bytes, other.total_memory_bytes
    if isinstance(total, Known) and isinstance(cuda, Known) and not least * total.value <= cuda.value <= total.value:
        yield f"device {device.index}: NVML {total.value >> 20} MiB, CUDA {cuda.value >> 20} MiB"
    cores, sms = device.identity.gpu_core_count, other.multiprocessor_count
    if isinstance(cores, Known) and isinstance(sms, Known) and cores.value not in {sms.value * per for per in _CORES_PER_SM}:
        yield f"device {device.index}: NVML {cores.value} cores, CUDA {sms.value} SMs"


def _differ(one: Reading[str], other: Reading[str]) -> bool:
    return isinstance(one, Known) and isinstance(other, Known) and one.value.strip() != other.value.strip()
