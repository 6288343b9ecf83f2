"""The arithmetic, frozen: whoever implements PROTOCOL.md gets these bytes."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from gpuaudit.challenge.chain import RowSource, final_rows, fold_bytes, folds_of, matrices_of, row_seeds
from gpuaudit.challenge.commitment import group_hash, slot_commitment
from gpuaudit.challenge.crew import SameProcessCrew, walk_together
from gpuaudit.challenge.domain import _PART_BYTES, Domain, context_of, device_key, digest, seed_commitment, stream
from gpuaudit.challenge.matrix import FloatMatrix, second_byte
from gpuaudit.challenge.messages import DeviceKind, SlotOpening
from gpuaudit.challenge.slot import NumpyDevice
from gpuaudit.challenge.walk import first_walk_seed, next_walk_seed
from tests.challenge.rounds import TINY

SEED = bytes(range(32))
CONTEXT = context_of(b"{}")
KEY = device_key(SEED, CONTEXT, 0)

VECTORS_STREAMS = {
    Domain.WEIGHTS: "2f29d0f9614db2deb567fa46b59b5d42",
    Domain.GENERATOR: "a4e60ba8962108b16331f23c18ae4c55",
    Domain.ROW_SEEDS: "56653ce8c76ed1240e9874b4bd008923",
    Domain.FOLD: "f75bf3cd06185163c1ecd2ce34d2c343",
    Domain.WALKERS: "005f65543ad197d42c7dfe8d048fbc31",
    Domain.COEFFICIENTS: "b2e1b80c9b12fbacc11bd4b0eea0cda7",
}
VECTOR_COMMITMENT = "241b8149f73c4ae263a09ab05b168f4e"
VECTOR_WALK = "39b0d1b133498b5b40970d3b7e9f5f9f"
VECTOR_OPENING = "2090f9c9c40cb52c57aa8d48c4e1a4df"


def hashed(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def test_vectors_of_keys_and_streams() -> None:
    assert seed_commitment(SEED) == hashlib.sha256(b"gpuaudit/commit/1" + SEED).hexdigest()
    by_hand = hashlib.sha256()
    for field in (b"gpuaudit/device/1", SEED, CONTEXT, bytes(4)):
        by_hand.update(len(field).to_bytes(8, "big") + field)
    assert by_hand.digest() == KEY
    assert {domain: hashed(stream(KEY, domain, 1000).tobytes()) for domain in Domain} == VECTORS_STREAMS


def test_vectors_of_a_whole_slot() -> None:
    """Two slots of one device's bytes; the walk of each depends on the other's."""
    crew = SameProcessCrew(DeviceKind.CPU, [NumpyDevice(), NumpyDevice()], ())
    crew.prepare(replace(TINY, slots=2))
    hashes = crew.fill([KEY, device_key(SEED, CONTEXT, 1)])
    digests = walk_together(crew, [first_walk_seed(SEED, CONTEXT, slot) for slot in range(2)], TINY.epochs)
    assert slot_commitment(0, hashes[0]).hex()[:32] == VECTOR_COMMITMENT
    assert hashed(b"".join(digests[0])) == VECTOR_WALK
    opening = SlotOpening(groups=(0, 9), epochs=(3,))
    assert hashed(b"".join(crew.open([opening, opening]))) == VECTOR_OPENING


def test_the_published_answer_of_aes_256_in_counter_mode() -> None:
    """NIST SP 800-38A, F.5.5: the first block of key stream."""
    key = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    counter = bytes.fromhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    got = Cipher(algorithms.AES(key), modes.CTR(counter)).encryptor().update(bytes(16))
    assert got.hex() == "0bdf7df1591716335e9a8b15c860c502"


@pytest.mark.parametrize("offset", [0, 16, 160, 4096])
def test_a_stream_can_be_entered_anywhere(offset: int) -> None:
    whole = stream(KEY, Domain.ROW_SEEDS, 8192)
    assert np.array_equal(stream(KEY, Domain.ROW_SEEDS, 100, offset=offset), whole[offset : offset + 100])


@pytest.mark.parametrize("length", [0, 1, _PART_BYTES - 1, _PART_BYTES, _PART_BYTES + 1, 3 * _PART_BYTES + 7])
def test_a_stream_is_the_same_in_however_many_parts_it_is_made(length: int) -> None:
    plain = Cipher(algorithms.AES(digest(Domain.WEIGHTS.value, KEY)), modes.CTR(bytes(16))).encryptor()
    assert stream(KEY, Domain.WEIGHTS, length).tobytes() == plain.update(bytes(length))


def test_a_stream_is_entered_between_blocks_only() -> None:
    with pytest.raises(ValueError, match="multiple of 16"):
        stream(KEY, Domain.FOLD, 1, offset=8)


def test_streams_of_other_purposes_slots_seeds_and_contexts_share_nothing() -> None:
    keys = [KEY, device_key(SEED, CONTEXT, 1), device_key(bytes(32), CONTEXT, 0), device_key(SEED, bytes(32), 0)]
    seen = {stream(key, domain, 32).tobytes() for key in keys for domain in Domain}
    assert len(seen) == len(keys) * len(Domain)


def test_fields_cannot_run_into_each_other() -> None:
    """Slot 1 with a context that begins with "1" is not slot 11."""
    assert digest("label", b"1", b"1GPU") != digest("label", b"11", b"GPU")
    assert digest("label", b"1") != digest("label1", b"")
    assert group_hash(1, 2, b"") != group_hash(2, 1, b"")


@pytest.mark.parametrize("steps", [2, 3])
def test_rows_can_be_recomputed_without_the_others(steps: int) -> None:
    matrices = matrices_of(KEY, TINY)
    everything = final_rows(matrices, row_seeds(KEY, TINY, 0, TINY.rows), TINY.steps)
    source = RowSource(KEY, TINY)
    wanted = [319, 0, 7 * steps]
    assert np.array_equal(source.rows(wanted), everything[wanted])
    assert fold_bytes(source.folds(wanted)) == fold_bytes(folds_of(matrices, everything[wanted]))


def test_float32_is_exact_for_the_chains_own_rows() -> None:
    chance = np.random.default_rng(5)
    rows = chance.integers(-128, 128, (4, 8192), dtype=np.int8)
    matrix = chance.integers(-128, 128, (8192, 64), dtype=np.int8)
    right = rows.astype(np.int64) @ matrix.astype(np.int64)
    assert np.array_equal(FloatMatrix(matrix).multiply(rows), right)
    assert np.array_equal(second_byte(right.astype(np.int32)), ((right >> 8) & 0xFF).astype(np.uint8).view(np.int8))


def test_final_rows_are_uniform_and_distinct() -> None:
    rows = final_rows(matrices_of(KEY, TINY), row_seeds(KEY, TINY, 0, TINY.rows), TINY.steps)
    counts = np.bincount(rows.view(np.uint8).reshape(-1), minlength=256)
    expected = rows.size / 256
    assert abs(((counts - expected) ** 2 / expected).sum() - 255) < 5 * np.sqrt(2 * 255)
    assert len({row.tobytes() for row in rows}) == TINY.rows


def test_each_epochs_seed_depends_on_the_digests_of_all_slots_before_it() -> None:
    seed = first_walk_seed(SEED, CONTEXT, 0)
    digests, changed = [bytes(32), bytes(32)], bytes(31) + b"\x01"
    assert len({next_walk_seed(seed, one) for one in (digests, [changed, bytes(32)], [bytes(32), changed], digests[:1])}) == 4
    assert first_walk_seed(SEED, CONTEXT, 0) != first_walk_seed(SEED, CONTEXT, 1)
