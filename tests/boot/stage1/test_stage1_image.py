"""image.json and handover.json: what was written is read again, and anything else is refused in one line."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boot.errors import BootRefusedError
from boot.stage1.handover import Handover
from boot.stage1.image import Image

_PART = "6f726c6f-7000-4000-8000-000000000003"
IMAGE = Image(
    arch="x86_64",
    channel="nightly",
    floor=7,
    built_ms=1_760_000_000_000,
    release="2026.11+1",
    kernel="6.1.192-1",
    modules=("kernel/drivers/virtio/virtio.ko", "kernel/fs/overlayfs/overlay.ko"),
    bootstrap=("/ip4/192.0.2.1/udp/4001/quic-v1/p2p/12D3KooWx",),
    debug_shell=True,
    cache=_PART,
)
HANDOVER = Handover(
    mode="internet",
    channel="stable",
    arch="arm64",
    release="1",
    manifest_version=9,
    manifest_hash="ab" * 32,
    provider="http://10.0.2.2:8080/",
    session="0f" * 16,
    report=True,
    cache=_PART,
    fails=2,
    onfail="hold",
    bootstrap=("/ip4/192.0.2.1/udp/4001/quic-v1/p2p/12D3KooWx",),
)


def test_both_are_read_as_they_were_written() -> None:
    assert Image.parse(IMAGE.document()) == IMAGE
    assert Handover.parse(HANDOVER.document()) == HANDOVER
    bare = replace(IMAGE, modules=(), bootstrap=(), cache="")
    assert Image.parse(bare.document()) == bare
    quiet = replace(HANDOVER, provider="", session="", cache="", report=False)
    assert Handover.parse(quiet.document()) == quiet


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("arch", "riscv64"),
        ("channel", "edge"),
        ("floor", 0),
        ("floor", True),
        ("build_time", "yesterday"),
        ("release", "a b"),
        ("kernel", ""),
        ("modules", "virtio.ko"),
        ("modules", ["../../etc/x.ko"]),
        ("modules", ["/abs.ko"]),
        ("bootstrap", ["dns:example"]),
        ("bootstrap", [1]),
        ("debug_shell", "yes"),
        ("cache", "disk"),
        ("extra", 1),
    ],
)
def test_an_image_of_another_form_is_refused(name: str, value: object) -> None:
    document = {**json.loads(IMAGE.document()), name: value}
    with pytest.raises(BootRefusedError) as caught:
        Image.parse(json.dumps(document).encode())
    assert caught.value.step == "malformed"
    assert name in caught.value.why


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mode", "public"),
        ("manifest_hash", "AB" * 32),
        ("session", "0f"),
        ("report", 1),
        ("fails", 10),
        ("fails", -1),
        ("provider", "a b"),
        ("provider", 5),
        ("onfail", "again"),
        ("bootstrap", "/ip4/192.0.2.1"),
        ("bootstrap", ["a b"]),
        ("bootstrap", ["/a"] * 17),
    ],
)
def test_a_handover_of_another_form_is_refused(name: str, value: object) -> None:
    document = {**json.loads(HANDOVER.document()), name: value}
    with pytest.raises(BootRefusedError) as caught:
        Handover.parse(json.dumps(document).encode())
    assert name in caught.value.why


@given(st.binary(max_size=400))
def test_any_bytes_are_one_or_refused(raw: bytes) -> None:
    for parse in (Image.parse, Handover.parse):
        with pytest.raises(BootRefusedError):
            parse(raw)
