"""Captures of `nvidia-smi -q -x` by other people, read as evidence of origin `capture`."""
