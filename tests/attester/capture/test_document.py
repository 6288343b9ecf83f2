"""XML made to exhaust, to reach out, or to say two things."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest

from gpuaudit.attester.capture.document import MAX_BYTES, parse_document
from gpuaudit.errors import MalformedFileError
from tests.attester.capture.documents import capture

LAUGHS = b'<!DOCTYPE a [<!ENTITY l0 "lol">' + b"".join(
    b'<!ENTITY l%d "%s">' % (level, b"&l%d;" % (level - 1) * 10) for level in range(1, 10)
)


def refusal(data: bytes) -> str:
    with pytest.raises(MalformedFileError) as caught:
        parse_document(data, place="smi.xml")
    message = str(caught.value)
    assert message.startswith("smi.xml:")
    assert "\n" not in message
    assert len(message) < 300
    return message


def test_an_honest_document_is_read() -> None:
    document = parse_document(capture(), place="smi.xml")
    assert document.doctype == "nvsmi_device_v12.dtd"
    assert document.root.tag == "nvidia_smi_log"
    (gpu,) = document.root.named("gpu")
    assert gpu.line == 8
    assert gpu.named("serial")[0].text == "1650000000001"


def test_a_billion_laughs_are_refused_in_no_time() -> None:
    tracemalloc.start()
    started = time.monotonic()
    message = refusal(LAUGHS + b"]><a>&l9;</a>")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "declarations of its own" in message
    assert time.monotonic() - started < 30
    assert peak < 1_000_000


@pytest.mark.parametrize("prolog", [b"", b"\xef\xbb\xbf", b'<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'])
def test_an_entity_that_reaches_for_a_file_is_refused(prolog: bytes, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("do not tell")
    data = prolog + f'<!DOCTYPE a [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]><a>&x;</a>'.encode()
    assert "do not tell" not in refusal(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b'<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x">%p;]><a/>', id="parameter-entity"),
        pytest.param(b'<!DOCTYPE a [<!ATTLIST a b CDATA "c">]><a/>', id="default-attribute"),
        pytest.param(b"<a>&undeclared;</a>", id="undeclared-entity"),
        pytest.param(b"", id="empty"),
        pytest.param(b"Fri Aug 21 10:21:36 2026\n+-----+\n", id="nvidia-smi-without-q-x"),
        pytest.param(b"\x00\x01\x02\x03" * 1000, id="binary"),
        pytest.param(capture()[:-10], id="cut-off"),
        pytest.param(capture() + b"<more/>", id="two-documents"),
        pytest.param(b'<?xml version="1.0" encoding="nonsense-9"?><a/>', id="no-such-encoding"),
        pytest.param(b'<?xml version="1.0" encoding="idna"?><a>\xff</a>', id="encoding-of-names"),
    ],
)
def test_what_is_dangerous_or_no_xml_is_refused_with_place_and_line(data: bytes) -> None:
    started = time.monotonic()
    refusal(data)
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<a>" * 1000, "nested more than 32 deep"),
        (b"<a>" + b"<b/>" * 250_000 + b"</a>", "more than 200000 elements"),
        (b"<a>" + b"x" * MAX_BYTES, "too large"),
    ],
    ids=["deep", "too-many-elements", "too-large"],
)
def test_what_is_too_much_is_refused_for_that(data: bytes, words: str) -> None:
    started = time.monotonic()
    assert words in refusal(data)
    assert time.monotonic() - started < 30


def test_a_dtd_that_is_named_is_not_opened_and_its_entities_are_refused(tmp_path: Path) -> None:
    (tmp_path / "nvsmi.dtd").write_text('<!ENTITY x "expanded">')
    assert "expanded" not in refusal(f'<!DOCTYPE a SYSTEM "{tmp_path}/nvsmi.dtd"><a>&x;</a>'.encode())
    assert parse_document(f'<!DOCTYPE a SYSTEM "{tmp_path}/nvsmi.dtd"><a>&amp;</a>'.encode(), place="smi.xml").root.text == "&"


def test_utf_16_as_windows_shells_write_it_is_read() -> None:
    text = capture().decode().replace('<?xml version="1.0" ?>\n', "")
    assert parse_document(text.encode("utf-16"), place="smi.xml").root.tag == "nvidia_smi_log"
