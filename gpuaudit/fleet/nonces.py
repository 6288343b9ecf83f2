"""One nonce for a whole fleet, and from it one for each node: no node's evidence answers for another's."""

from __future__ import annotations

import hashlib

from gpuaudit.errors import AuthenticityError


def node_nonce(nonce: str, node: str) -> str:
    """Return what `node` must answer: SHA-256 of the fleet's nonce in lower-case hexadecimal, a blank and the node's name.

    A shell can do the same: `printf '%s %s' "$NONCE" "$NODE" | sha256sum`.
    """
    return hashlib.sha256(f"{nonce} {node}".encode()).hexdigest()


def require_answer(answered: str, nonce: str, node: str) -> None:
    """Refuse evidence that answers another question, where one was asked.

    Raises:
        AuthenticityError: It does.
    """
    if nonce and answered != node_nonce(nonce, node):
        raise AuthenticityError(
            f"answers nonce {answered[:16]}…, but {node} was asked {node_nonce(nonce, node)[:16]}…; it may be a replay"
        )
