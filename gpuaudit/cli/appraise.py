"""`gpuaudit appraise`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gpuaudit.appraisal.appraise import Exhibit
from gpuaudit.appraisal.result import AttestationResult, Digest
from gpuaudit.cli import console
from gpuaudit.cli.commands import command_app
from gpuaudit.cli.format import Format
from gpuaudit.cli.judging import Terms, exit_of, file_digest, judge, read_terms, seal_result, show
from gpuaudit.cli.options import (
    CompleteOption,
    FormatOption,
    KeyOption,
    KeyringOption,
    NonceOption,
    PolicyOption,
    PublicKeyOption,
    QuietOption,
    SimulatedOption,
    TenderOption,
)
from gpuaudit.cli.output import RESULT_NAME, claimed
from gpuaudit.cli.signing import load_signer
from gpuaudit.envelope import (
    PredicateType,
    is_unsigned,
    load_keyring,
    open_evidence,
    open_sealed,
    read_bounded,
    read_nonce,
    read_unsigned,
)
from gpuaudit.envelope.keystore import own_keys
from gpuaudit.errors import AuthenticityError
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.codec import load

app = command_app()

ResultFolderOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="A new or empty folder for the sealed result.", show_default=False),
]

ChallengeOption = Annotated[
    Path | None,
    typer.Option("--challenge", metavar="FILE", help="A sealed challenge about EVIDENCE.", show_default=False),
]


@app.command()
def appraise(
    evidence: Annotated[Path, typer.Argument(metavar="EVIDENCE", help="Sealed evidence.", show_default=False)],
    tender: TenderOption,
    policy: PolicyOption = "standard",
    nonce: NonceOption = "",
    challenge: ChallengeOption = None,
    complete: CompleteOption = False,
    allow_simulated: SimulatedOption = False,
    keyring: KeyringOption = None,
    out: ResultFolderOption = None,
    key: KeyOption = "",
    public_key: PublicKeyOption = None,
    quiet: QuietOption = False,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Appraise sealed EVIDENCE against a tender.

    Needs no accelerator and no network. Trusts one's own keys and those given
    with --keyring. With --out the result is sealed too, as DIR/result.json.

    Example: gpuaudit appraise evidence.json --tender sustech-2024

    Exit status: 0 confirmed, 10 refuted, 11 inconclusive, 12 out of scope, 13
    confirmed but simulated, 3 the evidence is not authentic, 2 wrong usage, 4
    DIR cannot be written.
    """
    console.hush(quiet=quiet)
    terms = read_terms(tender, policy, complete=complete, allow_simulated=allow_simulated)
    expected = read_nonce(nonce) if nonce else ""
    exhibit = _open(evidence, keyring or (), terms)
    require_answered(exhibit.bundle, expected, place=str(evidence))
    if out is None:
        result = _challenged(judge(exhibit, terms, nonce_expected=expected), challenge, keyring or (), terms)
    else:
        signer = load_signer(key, public_key)
        with claimed(out) as folder:
            result = _challenged(judge(exhibit, terms, nonce_expected=expected), challenge, keyring or (), terms)
            folder.write({RESULT_NAME: seal_result(result, signer)})
    show(result, format_)
    raise typer.Exit(exit_of(result.verdict, accepted=result.accepted))


def require_answered(bundle: EvidenceBundle, expected: str, *, place: str) -> None:
    """Refuse evidence that answers another nonce than the one that was asked for.

    Raises:
        AuthenticityError: The evidence carries another nonce.
    """
    if expected and bundle.nonce != expected:
        raise AuthenticityError(
            f"{place}: answers nonce {bundle.nonce[:16]}…, but this appraisal asked for {expected[:16]}…; "
            "it may be a replay: ask for new evidence"
        )


def _challenged(
    result: AttestationResult, challenge: Path | None, keyring: list[Path] | tuple[()], terms: Terms
) -> AttestationResult:
    """Add what a challenge supports; its transcripts are checked again by `challenge recheck`, not here."""
    if challenge is None:
        return result
    # Only here: numpy comes with it.
    from gpuaudit.appraisal.challenged import with_challenge
    from gpuaudit.challenge.result import ChallengeResult

    data = read_bounded(challenge, refusal=AuthenticityError)
    opened = open_sealed(data, load_keyring(own_keys(), keyring), PredicateType.CHALLENGE, place=str(challenge))
    stated = load(ChallengeResult, opened.predicate, place=str(challenge))
    return with_challenge(
        result, terms.tender.tender, stated, Digest(name=challenge.name, sha256=opened.sha256), terms.yardstick
    )


def _open(evidence: Path, keyring: list[Path] | tuple[()], terms: Terms) -> Exhibit:
    data = read_bounded(evidence, refusal=AuthenticityError)
    if terms.policy.policy.accepts_unsigned and is_unsigned(data):
        bundle = read_unsigned(data, place=str(evidence))
        return Exhibit(bundle=bundle, file=file_digest(evidence.name, data), signed_by=())
    opened = open_evidence(data, load_keyring(own_keys(), keyring), place=str(evidence))
    return Exhibit(bundle=opened.bundle, file=Digest(name=evidence.name, sha256=opened.sha256), signed_by=opened.keyids)
