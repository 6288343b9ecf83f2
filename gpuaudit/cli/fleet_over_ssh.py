"""The nodes of `--hosts`, each challenged over an ssh of its own."""

from __future__ import annotations

import resource
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import psutil

from gpuaudit.challenge.meeting import Gate
from gpuaudit.challenge.messages import most_opened_bytes
from gpuaudit.challenge.result import reveals_seed
from gpuaudit.challenge.ssh import Connection, Destination, command_line
from gpuaudit.challenge.stopwatch import NANOSECONDS
from gpuaudit.challenge.target import ALL_SLOTS, Target
from gpuaudit.cli import console
from gpuaudit.cli.challenge_remote import Series
from gpuaudit.cli.challenging import Footing, Wanted, sizes_of, target_of, usual_footing
from gpuaudit.cli.fleet_members import Came, NotReached, Party, Round, Tried
from gpuaudit.cores import available_cores
from gpuaudit.errors import GpuauditError, MachineError, UsageError
from gpuaudit.fleet.folder import KEYS_FOLDER, require_node
from gpuaudit.fleet.together import load_waits

_MOST_NODES: Final = 1000
# Three pipes, a log, and what starting a process takes; and those of this program itself.
_FILES_PER_NODE: Final = 8
_FILES_BESIDE: Final = 128
_GB: Final = 1e9


def nodes_over_ssh(round_: Round, verifier: str) -> Party:
    """Get ready to challenge the nodes of `--hosts`; `verifier` is the id of one's own key.

    Raises:
        UsageError: There are none, nothing is claimed of them, or they are more than this machine can speak to at once.
    """
    if round_.hosts is None:
        raise UsageError("--together: expected --hosts FILE, or --simulate: the verifier speaks to every node itself")
    places = read_hosts(round_.hosts)
    footing = _patient(usual_footing())
    target = target_of(*round_.claim, 0, footing)
    _require_files(len(places))
    _require_memory(len(places), target, round_.wanted, footing)
    gate = Gate(places, checkers=round_.checkers or available_cores())
    lines = _Lines()
    member = _Member(round_=round_, verifier=verifier, target=target, footing=footing, gate=gate, lines=lines)
    return Party(
        tries={node: partial(member.try_, node, host) for node, host in places.items()},
        places=places,
        target=target,
        footing=footing,
        gate=gate,
        began=member.began,
        break_off=lines.hang_up,
    )


def read_hosts(file: Path) -> dict[str, str]:
    """Read where the nodes are, by the names that their files get: the host, without the user's name.

    Raises:
        UsageError: The file cannot be read, holds none or too many, names one twice, or one that ssh or a file cannot have.
    """
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--hosts: {file}: cannot be read: {error}") from None
    hosts = [line for line in lines if line and not line.startswith("#")]
    if not 1 <= len(hosts) <= _MOST_NODES:
        raise UsageError(f"--hosts: {file}: got {len(hosts)} hosts, expected 1 to {_MOST_NODES}, one a line")
    places: dict[str, str] = {}
    for host in hosts:
        node = require_node(host.rpartition("@")[2])
        if node in places or node == KEYS_FOLDER:
            raise UsageError(f"--hosts: {file}: {node}: named twice, or a name that is taken; one machine cannot be two nodes")
        command_line(Destination(host=host, command=()), Path())
        places[node] = host
    return places


class _Lines:
    """The connections that were made, to hang all of them up."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._made: list[Connection] = []
        self._over = False

    def made(self, connection: Connection) -> None:
        with self._turn:
            self._made.append(connection)
            if self._over:
                connection.hang_up()

    def hang_up(self) -> None:
        with self._turn:
            self._over = True
            for connection in self._made:
                connection.hang_up()


class _Member:
    """How any node of the round is tried."""

    def __init__(self, *, round_: Round, verifier: str, target: Target, footing: Footing, gate: Gate, lines: _Lines) -> None:
        self._round = round_
        self._verifier = verifier
        self._target = target
        self._footing = footing
        self._gate = gate
        self._lines = lines
        self.began = footing.stopwatch.stamp()

    def try_(self, node: str, host: str) -> Came:
        """Try one node as often as was asked for, and as long as the others would wait for it."""
        reach = self._round.reach
        busy = ("--busy-ok",) if self._round.busy_ok else ()
        command = (reach.program, "challenge", "answer", "--stdio", "--device", reach.device, *busy)
        series = Series(
            Destination(host=host, command=command, config=reach.config),
            self._target,
            self._round.wanted,
            self._verifier,
            footing=self._footing,
            meeting=self._gate.seat(node),
            reached=self._lines.made,
            tell=lambda line: console.say(f"{node}: {line}"),
        )
        ended = ""
        for _ in range(self._round.attempts):
            try:
                series.attempt()
            except MachineError as error:
                ended = _one_line(error)
            # A seed is revealed once: whoever had it is not asked again in this round.
            if (series.made and reveals_seed(series.made[-1].conducted.outcome)) or not self._may_try_again():
                break
        return Tried(made=tuple(series.made), result=series.result()) if series.made else NotReached(reason=ended)

    def _may_try_again(self) -> bool:
        now = self._footing.stopwatch.stamp()
        return (now.elapsed_nanoseconds - self.began.elapsed_nanoseconds) / NANOSECONDS <= load_waits().retry_within


def _patient(usual: Footing) -> Footing:
    """Wait so long for each stage that nobody who is ready has to wait longer than the side that answers does."""
    waits = load_waits()
    deadlines = replace(
        usual.assumptions.deadlines,
        hello=waits.hello,
        armed=waits.armed,
        transfer=waits.transfer,
        multiple_of_expected=waits.multiple_of_expected,
    )
    return replace(usual, assumed=replace(usual.assumed, assumptions=replace(usual.assumptions, deadlines=deadlines)))


def _require_files(nodes: int) -> None:
    """See that so many connections can be open at once; raises the soft limit where the hard one allows it."""
    needed = nodes * _FILES_PER_NODE + _FILES_BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise UsageError(f"--hosts: {nodes} nodes need {needed} open files, and {hard} are allowed here; see ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _require_memory(nodes: int, target: Target, wanted: Wanted, footing: Footing) -> None:
    """See that what all nodes open at the end fits; where the claim does not say how many cards a node has, that is not known."""
    if target.slots == ALL_SLOTS:
        return
    sizes = sizes_of(target, wanted, target.slots, footing)
    needed, free = nodes * most_opened_bytes(sizes), psutil.virtual_memory().available
    if needed > free:
        raise UsageError(
            f"--hosts: what {nodes} nodes open takes {needed / _GB:.1f} GB of memory here, and {free / _GB:.1f} GB are free; name "
            "fewer (gpuaudit fleet plan says how many are enough), or use a larger machine"
        )


def _one_line(error: GpuauditError) -> str:
    return " ".join(str(error).split())
