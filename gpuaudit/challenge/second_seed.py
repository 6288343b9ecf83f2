"""The second seed where nobody waits: worked out from the commitments, which it must not come before."""

from __future__ import annotations

from gpuaudit.challenge.domain import digest


def second_seed_of_file(seed: bytes, committed_line: bytes) -> bytes:
    """Return the seed of the walk for an answer that comes as a file.

    A prover could try many commitments until the walk suits it; it gains nothing, since samples are drawn only when the file is
    there, and no time is claimed.
    """
    return digest("gpuaudit/file-second-seed/1", seed, committed_line)
