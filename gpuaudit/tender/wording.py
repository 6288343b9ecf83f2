"""A tender's counts and claims in a few words, the same wherever they are shown."""

from __future__ import annotations

from gpuaudit.catalogue.model import FormFactor
from gpuaudit.tender.model import AtLeast, Count, Exactly, HardwareLine, Money, MoreThan, ProductClaim, Unsaid

_BOUNDS = {"exact": "", "nearly": "nearly ", "at-most": "at most ", "at-least": "at least "}


def count_in_words(count: Count) -> str:
    """Write a count as the document means it: `exactly 8`, `more than 4,000`, `not stated`."""
    match count:
        case Exactly(n=n):
            return f"exactly {n:,}"
        case AtLeast(n=n):
            return f"at least {n:,}"
        case MoreThan(n=n):
            return f"more than {n:,}"
        case Unsaid():
            return "not stated"


def product_in_words(claim: ProductClaim) -> str:
    """Write which product is claimed, with what narrows it: `A100 (sxm, 80 GB)`."""
    narrowing = [claim.form_factor.value] if claim.form_factor is not FormFactor.UNSTATED else []
    if claim.marketed_gigabytes:
        narrowing.append(f"{claim.marketed_gigabytes} GB")
    return f"{claim.named} ({', '.join(narrowing)})" if narrowing else claim.named


def claim_in_words(line: HardwareLine) -> str:
    """Write what a line claims: `A100, exactly 8 per server, exactly 500 servers`. What is not stated is left out."""
    parts = [product_in_words(line.product)]
    if not isinstance(line.per_server, Unsaid):
        parts.append(f"{count_in_words(line.per_server)} per server")
    if not isinstance(line.servers, Unsaid):
        parts.append(f"{count_in_words(line.servers)} server{'' if line.servers == Exactly(n=1) else 's'}")
    if not isinstance(line.total, Unsaid):
        parts.append(f"{count_in_words(line.total)} in all")
    if line.period.months:
        parts.append(f"for {line.period.months:g} months")
    return ", ".join(parts)


def money_in_words(money: Money) -> str:
    """Write a sum in its currency and in U.S. dollars at the rate that the tender gives: `196,000 CNY ($27,440)`."""
    dollars = money.amount / money.units_per_dollar
    return f"{_BOUNDS[money.bound]}{money.amount:,.0f} {money.currency} (${dollars:,.0f})"
