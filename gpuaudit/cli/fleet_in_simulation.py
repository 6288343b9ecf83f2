"""The nodes of `--simulate`, challenged at the same time in this process, each on a clock that is moved by hand."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from gpuaudit.attester.answer import SealedEvidence
from gpuaudit.challenge.check import RefusedError
from gpuaudit.challenge.meeting import Gate, Meeting
from gpuaudit.challenge.stopwatch import NANOSECONDS
from gpuaudit.cli import console
from gpuaudit.cli.challenge_local import Answering, attempted_here
from gpuaudit.cli.challenge_simulated import simulated_answering
from gpuaudit.cli.challenging import Wanted
from gpuaudit.cli.fleet_members import Came, NotReached, Party, Round, Tried
from gpuaudit.clock import WallClock
from gpuaudit.cores import available_cores
from gpuaudit.errors import MachineError, UsageError
from gpuaudit.fleet.node import FailedNode, NodeTask, run_node
from gpuaudit.fleet.simulate import SimulatedNode, parse_fault, simulated_fleet
from gpuaudit.simulated.prover import VirtualStopwatch
from gpuaudit.simulated.spec import parse_spec


def simulated_nodes(round_: Round, verifier: str) -> Party:
    """Get ready to challenge nodes of `--simulate`, each on a clock of its own; they are set alike whenever all meet.

    Raises:
        UsageError: There are no such devices, or nothing can be claimed of them.
    """
    fleet = round_.fleet
    if round_.hosts is not None:
        raise UsageError("--hosts: names machines, and --simulate makes some up; leave one of them out")
    if round_.wanted.rehearsal:
        raise UsageError("--rehearsal: not with --simulate: a simulation is small already; leave one of them out")
    tender, product = round_.claim
    claim = (tender, product or ("" if tender else parse_spec(fleet.spec)[0].physical.id), 0)
    start = WallClock().now()
    members = simulated_fleet(fleet.spec, fleet.nodes, seed=fleet.seed, faults=[parse_fault(text) for text in fleet.bad])
    clocks = {member.node: VirtualStopwatch(start) for member in members}
    gate = Gate(
        clocks, checkers=round_.checkers or available_cores(), opened=lambda there: _agree(clocks[one] for one in there)
    )
    # The simulation stands in for a library of which this process has one.
    one_at_a_time = threading.Lock()

    def answering(member: SimulatedNode) -> Answering:
        def evidence(nonce: str, suite: str) -> SealedEvidence:
            with one_at_a_time:
                sealed = run_node(NodeTask(node=member, nonce=nonce, suite=suite, busy_ok=round_.busy_ok))
            if isinstance(sealed, FailedNode):
                raise MachineError(sealed.reason)
            return SealedEvidence(sealed=sealed.evidence, public_key=sealed.public_key)

        return replace(simulated_answering(member.spec, claim, lambda: clocks[member.node]), evidence=evidence)

    everybody = {member.node: answering(member) for member in members}
    any_ = next(iter(everybody.values()))
    return Party(
        tries={node: partial(_try, node, one, round_.wanted, verifier, gate.seat(node)) for node, one in everybody.items()},
        places=dict.fromkeys(everybody, "simulated"),
        target=any_.target,
        footing=any_.footing,
        gate=gate,
        began=any_.footing.stopwatch.stamp(),
        break_off=lambda: None,
    )


def _try(node: str, answering: Answering, wanted: Wanted, verifier: str, meeting: Meeting) -> Came:
    try:
        made, result = attempted_here(
            answering, wanted, verifier, meeting=meeting, tell=lambda line: console.say(f"{node}: {line}")
        )
    except RefusedError as error:
        return NotReached(reason=error.reason)
    return Tried(made=(made,), result=result)


def _agree(clocks: Iterable[VirtualStopwatch]) -> None:
    """Set clocks that are moved by hand to the latest of them: it is one verifier that waits for all."""
    there = list(clocks)
    latest = max(clock.stamp().elapsed_nanoseconds for clock in there)
    for clock in there:
        clock.advance((latest - clock.stamp().elapsed_nanoseconds) / NANOSECONDS)
