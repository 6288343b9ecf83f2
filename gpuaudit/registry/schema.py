"""The tables: evidence, the devices that it shows, what was measured on them, and results.

Everything is keyed by digests of signed bytes, so that adding a file twice changes nothing. Times are RFC 3339 texts in UTC, which
sort as they are.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, MetaData, String, Table

METADATA: Final = MetaData()

EVIDENCE: Final = Table(
    "evidence",
    METADATA,
    Column("payload_sha256", String(64), primary_key=True),
    Column("file_sha256", String(64), nullable=False),
    Column("file_name", String, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("signed_by", String, nullable=False),
    Column("nonce", String(128), nullable=False),
    Column("origin", String(16), nullable=False),
    Column("host_name", String, nullable=False),
    Column("started_at", String(20), nullable=False),
    Column("finished_at", String(20), nullable=False),
    Column("added_at", String(20), nullable=False),
    Index("evidence_by_file", "file_sha256"),
)

DEVICE: Final = Table(
    "device",
    METADATA,
    Column("payload_sha256", ForeignKey(EVIDENCE.c.payload_sha256), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("uuid", String, nullable=False),
    Column("serial", String, nullable=False),
    Column("name", String, nullable=False),
    Column("bus_id", String, nullable=False),
    Column("pci_device_id", String, nullable=False),
    Column("vbios_version", String, nullable=False),
    Column("memory_total_bytes", BigInteger, nullable=True),
    Index("device_by_uuid", "uuid"),
    Index("device_by_serial", "serial"),
)

MEASUREMENT: Final = Table(
    "measurement",
    METADATA,
    Column("payload_sha256", ForeignKey(EVIDENCE.c.payload_sha256), primary_key=True),
    Column("uuid", String, primary_key=True),
    Column("quantity", String, primary_key=True),
    Column("value", Float, nullable=False),
)

RESULT: Final = Table(
    "result",
    METADATA,
    Column("payload_sha256", String(64), primary_key=True),
    Column("file_sha256", String(64), nullable=False),
    Column("file_name", String, nullable=False),
    Column("tender", String, nullable=False),
    Column("tender_sha256", String(64), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("accepted", Boolean, nullable=False),
    Column("origin", String(16), nullable=False),
    Column("policy", String, nullable=False),
    Column("headline", String, nullable=False),
    Column("appraised_at", String(20), nullable=False),
    Column("added_at", String(20), nullable=False),
    Index("result_by_tender", "tender"),
)

APPRAISED: Final = Table(
    "appraised",
    METADATA,
    Column("result_sha256", ForeignKey(RESULT.c.payload_sha256), primary_key=True),
    Column("evidence_file_sha256", String(64), primary_key=True),
)
