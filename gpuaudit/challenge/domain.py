"""Where every unpredictable byte comes from: a hash with unambiguous fields, and AES-256-CTR streams, one per purpose.

A stream can be read from any multiple of 16 bytes, so a checker gets the seed of row 9,000,000 without the rows before it. Each
purpose has a key of its own: two streams of one device never share a byte, nor do those of two devices.
"""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from gpuaudit.cores import available_cores

SEED_BYTES: Final = 32
DIGEST_BYTES: Final = 32
CIPHER_BLOCK_BYTES: Final = 16
_COMMIT: Final = b"gpuaudit/commit/1"
_LENGTH_BYTES: Final = 8
_SLOT_BYTES: Final = 4
# What is encrypted at once. Nothing but zeros is, and from one place, so that only what comes out is written to memory.
_PART_BYTES: Final = 4 * 1024**2
_ZEROS: Final = memoryview(bytes(_PART_BYTES))
# cryptography asks for room for one block more, less a byte, and leaves it as it is.
_SPARE_BYTES: Final = CIPHER_BLOCK_BYTES - 1
# More of them wait for the memory.
_MOST_THREADS: Final = 4


class Domain(StrEnum):
    """What a stream is for; the value goes into its key."""

    WEIGHTS = "gpuaudit/weights/1"
    GENERATOR = "gpuaudit/generator/1"
    ROW_SEEDS = "gpuaudit/row-seeds/1"
    FOLD = "gpuaudit/fold/1"
    WALKERS = "gpuaudit/walkers/1"
    COEFFICIENTS = "gpuaudit/coefficients/1"


def digest(label: str, *fields: bytes) -> bytes:
    """Return the SHA-256 of a label and fields, each behind its length in eight bytes.

    Without the lengths, slot 1 with a context that begins with "1" would be slot 11.
    """
    hashed = hashlib.sha256()
    for field in (label.encode("ascii"), *fields):
        hashed.update(len(field).to_bytes(_LENGTH_BYTES, "big"))
        hashed.update(field)
    return hashed.digest()


def seed_commitment(seed: bytes) -> str:
    """Return, in hexadecimal, the nonce that binds the verifier to a seed and tells nothing of it."""
    return hashlib.sha256(_COMMIT + seed).hexdigest()


def context_of(challenge_line: bytes) -> bytes:
    """Return what ties all work to one challenge: the digest of its line, which names everything that was agreed."""
    return digest("gpuaudit/context/1", challenge_line)


def device_key(seed: bytes, context: bytes, slot: int) -> bytes:
    """Return the key of one slot's work; nobody can have it before the seed is known."""
    return digest("gpuaudit/device/1", seed, context, slot_bytes(slot))


def slot_bytes(slot: int) -> bytes:
    """Write a slot's number as it enters a digest."""
    return slot.to_bytes(_SLOT_BYTES, "big")


def index_bytes(index: int) -> bytes:
    """Write the number of a group or an epoch as it enters a digest."""
    return index.to_bytes(_LENGTH_BYTES, "big")


def stream(key: bytes, domain: Domain, length: int, *, offset: int = 0) -> NDArray[np.uint8]:
    """Return `length` bytes of a stream, from `offset` on.

    Args:
        key: 32 bytes.
        domain: Which stream.
        length: In bytes.
        offset: In bytes; a multiple of 16.

    Raises:
        ValueError: The offset is not a multiple of the cipher's block.
    """
    if offset % CIPHER_BLOCK_BYTES:
        raise ValueError(f"stream: offset {offset}: expected a multiple of {CIPHER_BLOCK_BYTES}")
    stream_key = digest(domain.value, key)
    room = np.empty(length + _SPARE_BYTES, dtype=np.uint8)

    def encrypt(begin: int) -> None:
        counter = ((offset + begin) // CIPHER_BLOCK_BYTES).to_bytes(CIPHER_BLOCK_BYTES, "big")
        encryptor = Cipher(algorithms.AES(stream_key), modes.CTR(counter)).encryptor()
        size = min(_PART_BYTES, length - begin)
        encryptor.update_into(_ZEROS[:size], room.data[begin : begin + size + _SPARE_BYTES])

    begins = range(0, length, _PART_BYTES)
    if len(begins) > 1:
        with ThreadPoolExecutor(min(_MOST_THREADS, available_cores())) as threads:
            deque(threads.map(encrypt, begins), maxlen=0)
    else:
        encrypt(0)
    return room[:length]
