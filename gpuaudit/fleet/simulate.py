"""A simulated fleet: every node a machine of its own, some of them bad, each drawn from one seed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from gpuaudit.attester.machine import Machine
from gpuaudit.errors import UsageError
from gpuaudit.fleet.plan import numbered
from gpuaudit.simulated.adversaries.repertoire import parse_adversary, play
from gpuaudit.simulated.adversaries.stage import honest_stage, on_stage
from gpuaudit.simulated.spec import parse_spec

_BAD: Final = re.compile(r"([1-9][0-9]{0,5}):(adversary|spec)=(.+)")
_MOST_SEEDS: Final = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """So many nodes are bad in one way: an adversary plays on them, or they are other machines (`spec`)."""

    count: int
    adversary: str
    spec: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedNode:
    """One node: what is in it and what is played there. `adversary` is empty on an honest one."""

    node: str
    spec: str
    adversary: str
    seed: int


def parse_fault(text: str) -> Fault:
    """Read `COUNT:adversary=LINE` or `COUNT:spec=SPEC`, as `3:adversary=renamed-as=a100-sxm4-80gb` or `1:spec=a800-sxm4-80gb:8`.

    Raises:
        UsageError: It is neither.
    """
    found = _BAD.fullmatch(text)
    if found is None:
        raise UsageError(f"--bad: got {text[:80]!a}, expected COUNT:adversary=LINE or COUNT:spec=SPEC")
    count, kind, rest = found.groups()
    fault = Fault(count=int(count), adversary=rest if kind == "adversary" else "", spec=rest if kind == "spec" else "")
    if fault.adversary:
        parse_adversary(fault.adversary)
    else:
        parse_spec(fault.spec)
    return fault


def simulated_fleet(spec: str, nodes: int, *, seed: int, faults: Sequence[Fault] = ()) -> tuple[SimulatedNode, ...]:
    """Set up `nodes` machines; which of them are bad follows from the seed.

    Raises:
        UsageError: There is no such machine, or more are to be bad than there are.
    """
    parse_spec(spec)
    names = numbered(nodes)
    bad = [fault for fault in faults for _ in range(fault.count)]
    if len(bad) > nodes:
        raise UsageError(f"--bad: got {len(bad)} bad nodes, expected at most the {nodes} that there are")
    ordered = sorted(names, key=lambda name: _digest(f"{seed} bad {name}"))
    faulty = dict(zip(ordered, bad, strict=False))
    return tuple(
        SimulatedNode(
            node=name,
            spec=faulty[name].spec or spec if name in faulty else spec,
            adversary=faulty[name].adversary if name in faulty else "",
            # Seeds of one fleet must not meet those of another: equal seeds give equal cards.
            seed=int.from_bytes(_digest(f"{seed} node {name}")[:8]) % _MOST_SEEDS,
        )
        for name in names
    )


@contextmanager
def simulated_node(node: SimulatedNode) -> Iterator[Machine]:
    """Put one node in place until left.

    Raises:
        UsageError: An adversary's argument is at fault.
    """
    stage = honest_stage(parse_spec(node.spec, seed=node.seed), seed=node.seed)
    if node.adversary:
        stage = play(parse_adversary(node.adversary), stage)
    with on_stage(stage) as machine:
        yield machine


def _digest(text: str) -> bytes:
    return hashlib.sha256(f"gpuaudit simulated fleet {text}".encode()).digest()
