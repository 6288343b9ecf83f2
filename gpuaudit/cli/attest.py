"""`gpuaudit attest`."""

from __future__ import annotations

from hashlib import sha256

from gpuaudit.cli import console
from gpuaudit.cli.collect import DEFAULT_SUITE, SIMULATED_HEAD, Collection, collect, folder_for, nonce_of
from gpuaudit.cli.commands import command_app
from gpuaudit.cli.format import Format, as_json
from gpuaudit.cli.options import (
    AdversaryOption,
    BusyOption,
    FormatOption,
    KeyOption,
    NonceOption,
    OutOption,
    PublicKeyOption,
    QuietOption,
    SimulateOption,
    SuiteOption,
)
from gpuaudit.cli.output import EVIDENCE_NAME, claimed
from gpuaudit.cli.signing import load_signer
from gpuaudit.envelope import seal_evidence
from gpuaudit.evidence.bundle import EvidenceBundle, Origin
from gpuaudit.evidence.reading import Known

app = command_app()


@app.command()
def attest(
    nonce: NonceOption = "",
    simulate: SimulateOption = "",
    adversary: AdversaryOption = "",
    suite: SuiteOption = DEFAULT_SUITE,
    busy_ok: BusyOption = False,
    out: OutOption = None,
    key: KeyOption = "",
    public_key: PublicKeyOption = None,
    quiet: QuietOption = False,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Collect and measure, and seal the evidence; no verdict.

    Runs on the machine in question. Writes DIR/evidence.json, to be appraised
    anywhere and any time later. Whatever cannot be read is in it as Unknown,
    with the reason.

    Example: gpuaudit attest --simulate a800-sxm4-80gb:8 --out evidence

    Exit status: 0 sealed, 2 wrong usage or DIR not empty, 4 DIR cannot be
    written, 130 interrupted.
    """
    console.hush(quiet=quiet)
    wanted = nonce_of(nonce)
    signer = load_signer(key, public_key)
    with claimed(folder_for(out, wanted)) as folder:
        bundle = collect(Collection(simulate=simulate, nonce=wanted, suite=suite, busy_ok=busy_ok, adversary=adversary))
        sealed = seal_evidence(bundle, signer.signer)
        (file,) = folder.write({EVIDENCE_NAME: sealed})
    facts = {
        "evidence": str(file),
        "sha256": sha256(sealed).hexdigest(),
        "origin": bundle.origin.value,
        "nonce": bundle.nonce,
        "signedBy": signer.keyid,
        "devices": len(bundle.nvml.devices),
        "measurements": len(bundle.measurements),
        "measured": sum(isinstance(measurement.samples, Known) for measurement in bundle.measurements),
    }
    console.result(as_json(facts) if format_ is Format.JSON else _as_text(facts, bundle))


def _as_text(facts: dict[str, str | int], bundle: EvidenceBundle) -> str:
    head = [SIMULATED_HEAD] if bundle.origin is Origin.SIMULATED else []
    return "\n".join([*head, *(f"{name:<12}  {value}" for name, value in facts.items())])
