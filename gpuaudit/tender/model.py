"""A tender and its claim lines. What a document did not say stays unsaid here."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from gpuaudit.catalogue.model import FormFactor
from gpuaudit.evidence.record import entry


@entry
class Exactly:
    """The document says n."""

    kind: Literal["exactly"] = "exactly"
    n: Annotated[int, Field(gt=0)]


@entry
class AtLeast:
    """The document says n or more."""

    kind: Literal["at-least"] = "at-least"
    n: Annotated[int, Field(gt=0)]


@entry
class MoreThan:
    """The document says more than n: n itself is not enough."""

    kind: Literal["more-than"] = "more-than"
    n: Annotated[int, Field(gt=0)]


@entry
class Unsaid:
    """The document gives no number."""

    kind: Literal["unsaid"] = "unsaid"


Count: TypeAlias = Annotated[Exactly | AtLeast | MoreThan | Unsaid, Field(discriminator="kind")]


@entry
class ProductClaim:
    """Which products would satisfy the line: a name they count as, narrowed by form factor or memory where stated.

    `named` is a family as people say it ("A100") or an exact catalogue id ("a100-sxm4-80gb").
    """

    named: str
    form_factor: FormFactor = FormFactor.UNSTATED
    marketed_gigabytes: int = 0


@entry
class Period:
    """How long; 0 months means that the document gives no length. Dates are RFC 3339 or partial ("2024-04")."""

    months: Annotated[float, Field(ge=0)] = 0
    start: str = ""
    end: str = ""


@entry
class HardwareLine:
    """A line about accelerators.

    `per_server` and `servers` are what the line says of each server and of their number; `total` is what it says of the whole
    where it does not speak of servers ("clusters of more than 4,000").
    """

    kind: Literal["hardware"] = "hardware"
    id: str
    text: str
    our_reading: str = ""
    product: ProductClaim
    per_server: Count
    servers: Count
    total: Count
    period: Period = field(default_factory=Period)


@entry
class OtherLine:
    """A line that is not about hardware, as in a purchase of model tokens: out of scope."""

    kind: Literal["computing-service", "model-access", "tokens"]
    id: str
    text: str
    quantity: int = 0


ClaimLine: TypeAlias = Annotated[HardwareLine | OtherLine, Field(discriminator="kind")]


class Status(StrEnum):
    """How far the purchase went, as the document tells it."""

    PLANNED = "planned"
    SOUGHT = "sought"
    BOUGHT = "bought"
    AWARDED = "awarded"
    GIVEN_UP = "given-up"
    UNDETERMINED = "undetermined"


@entry
class Document:
    """One document behind the tender."""

    date: str
    year_inferred: bool
    what: str


@entry
class Supplier:
    """A company and the role the document gives it ("conducted by", "supplier", or "unclear")."""

    name: str
    role: str


@entry
class Money:
    """A sum with its currency. `bound` is "exact" or what the document says ("nearly")."""

    amount: Annotated[float, Field(gt=0)]
    currency: str
    bound: Literal["exact", "nearly", "at-most", "at-least"] = "exact"
    units_per_dollar: Annotated[float, Field(gt=0)]
    rate_source: str


@entry
class Tender:
    """A public claim about hardware, with who made it and where it is written."""

    schema: Literal[1]
    slug: str
    title: str
    buyer: str
    summary: str
    source: str
    status: Status
    status_note: str = ""
    cloud: str = ""
    documents: tuple[Document, ...]
    suppliers: tuple[Supplier, ...] = ()
    money: tuple[Money, ...] = ()
    replies: tuple[str, ...] = ()
    lines: Annotated[tuple[ClaimLine, ...], Field(min_length=1)]
