"""Simulated machines, marked as such where the mark cannot be removed: beneath the real pynvml and behind `Accelerator`."""
