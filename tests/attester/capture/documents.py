"""Captures made by hand, after the form of real ones."""

from __future__ import annotations

GPU = """\
<gpu id="00000000:06:00.0">
  <product_name>NVIDIA A100-SXM4-40GB</product_name>
  <product_brand>NVIDIA</product_brand>
  <product_architecture>Ampere</product_architecture>
  <mig_mode><current_mig>Disabled</current_mig><pending_mig>Disabled</pending_mig></mig_mode>
  <serial>1650000000001</serial>
  <uuid>GPU-5a2e8a52-4d1d-4f5c-8f3f-0f1f3b1c2d3e</uuid>
  <minor_number>0</minor_number>
  <vbios_version>92.00.45.00.03</vbios_version>
  <board_id>0x600</board_id>
  <board_part_number>692-2G506-0200-003</board_part_number>
  <gpu_part_number>20B0-884-A1</gpu_part_number>
  <gpu_virtualization_mode><virtualization_mode>Pass-Through</virtualization_mode></gpu_virtualization_mode>
  <pci>
    <pci_device_id>20B010DE</pci_device_id>
    <pci_bus_id>00000000:06:00.0</pci_bus_id>
    <pci_sub_system_id>134F10DE</pci_sub_system_id>
    <pci_gpu_link_info>
      <pcie_gen><max_link_gen>4</max_link_gen><current_link_gen>4</current_link_gen></pcie_gen>
      <link_widths><max_link_width>16x</max_link_width><current_link_width>16x</current_link_width></link_widths>
    </pci_gpu_link_info>
  </pci>
  <fb_memory_usage><total>40960 MiB</total><reserved>518 MiB</reserved><used>0 MiB</used><free>40443 MiB</free></fb_memory_usage>
  <gpu_power_readings>
    <average_power_draw>N/A</average_power_draw>
    <instant_power_draw>49.68 W</instant_power_draw>
    <current_power_limit>400.00 W</current_power_limit>
    <default_power_limit>400.00 W</default_power_limit>
  </gpu_power_readings>
  <max_clocks><sm_clock>1410 MHz</sm_clock><mem_clock>1215 MHz</mem_clock></max_clocks>
  <remapped_rows>N/A</remapped_rows>
  <processes></processes>
</gpu>
"""


def capture(gpus: str = GPU, *, attached: str = "1", schema: str = "v12", timestamp: str = "Fri Aug 21 10:21:36 2026") -> bytes:
    """Wrap `<gpu>` elements as nvidia-smi does."""
    return (
        '<?xml version="1.0" ?>\n'
        f'<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_{schema}.dtd">\n'
        "<nvidia_smi_log>\n"
        f"<timestamp>{timestamp}</timestamp>\n<driver_version>570.148.08</driver_version>\n<cuda_version>12.8</cuda_version>\n"
        f"<attached_gpus>{attached}</attached_gpus>\n{gpus}</nvidia_smi_log>\n"
    ).encode()
