"""Collects what the machine says about itself: NVML, the kernel, the host, the environment. It never sees what is expected."""
