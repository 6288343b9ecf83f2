"""`gpuaudit audit`."""

from __future__ import annotations

import typer

from gpuaudit.appraisal.appraise import Exhibit
from gpuaudit.cli import console
from gpuaudit.cli.collect import DEFAULT_SUITE, Collection, collect, folder_for, nonce_of
from gpuaudit.cli.commands import command_app
from gpuaudit.cli.format import Format
from gpuaudit.cli.judging import exit_of, file_digest, judge, read_terms, seal_result, show
from gpuaudit.cli.options import (
    AdversaryOption,
    BusyOption,
    CompleteOption,
    FormatOption,
    KeyOption,
    NonceOption,
    OutOption,
    PolicyOption,
    PublicKeyOption,
    QuietOption,
    SimulatedOption,
    SimulateOption,
    SuiteOption,
    TenderOption,
)
from gpuaudit.cli.output import EVIDENCE_NAME, RESULT_NAME, claimed
from gpuaudit.cli.page import page_files
from gpuaudit.cli.signing import load_signer
from gpuaudit.envelope import seal_evidence
from gpuaudit.report.paper import paper_of

app = command_app()


@app.command()
def audit(
    tender: TenderOption,
    policy: PolicyOption = "standard",
    nonce: NonceOption = "",
    simulate: SimulateOption = "",
    adversary: AdversaryOption = "",
    suite: SuiteOption = DEFAULT_SUITE,
    busy_ok: BusyOption = False,
    complete: CompleteOption = False,
    allow_simulated: SimulatedOption = False,
    out: OutOption = None,
    key: KeyOption = "",
    public_key: PublicKeyOption = None,
    quiet: QuietOption = False,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Audit this machine against a tender: collect, measure, seal, appraise.

    Writes DIR/evidence.json and DIR/result.json, both sealed, and where the
    extra `report` is installed DIR/report.html. What collects and measures is
    not told what the tender claims.

    Example: gpuaudit audit --simulate a100-sxm4-80gb:8 --tender sustech-2024

    Exit status: 0 confirmed, 10 refuted, 11 inconclusive, 12 out of scope, 13
    confirmed but simulated, 2 wrong usage or DIR not empty, 4 DIR cannot be
    written, 130 interrupted.
    """
    console.hush(quiet=quiet)
    terms = read_terms(tender, policy, complete=complete, allow_simulated=allow_simulated)
    wanted = nonce_of(nonce)
    signer = load_signer(key, public_key)
    with claimed(folder_for(out, wanted)) as folder:
        bundle = collect(Collection(simulate=simulate, nonce=wanted, suite=suite, busy_ok=busy_ok, adversary=adversary))
        sealed = seal_evidence(bundle, signer.signer)
        exhibit = Exhibit(bundle=bundle, file=file_digest(EVIDENCE_NAME, sealed), signed_by=(signer.keyid,))
        # A nonce that was drawn here proves nothing to anybody else: freshness is shown only for one that was given.
        result = judge(exhibit, terms, nonce_expected=wanted if nonce else "")
        sealed_result = seal_result(result, signer)
        paper = paper_of(result, file_digest(RESULT_NAME, sealed_result), (signer.keyid,), bundle)
        files = folder.write({EVIDENCE_NAME: sealed, RESULT_NAME: sealed_result, **page_files(paper)})
    for file in files:
        console.say(f"wrote {file}")
    show(result, format_)
    raise typer.Exit(exit_of(result.verdict, accepted=result.accepted))
