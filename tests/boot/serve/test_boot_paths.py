"""What a path asks for; nothing outside of a fixed set, however it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boot.serve.paths import Asked, resolve

HASH = "ab" * 32


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/", Asked("greeting")),
        ("/health?x=/../", Asked("health")),
        ("/manifest.json", Asked("manifest")),
        ("/stable/amd64/manifest.json", Asked("manifest", "", "stable", "x86_64")),
        ("/testing/aarch64/kernel", Asked("artifact", "kernel", "testing", "arm64")),
        ("/vmlinuz", Asked("artifact", "kernel")),
        ("/initrd", Asked("artifact", "initramfs")),
        ("/rootfs.squashfs", Asked("artifact", "rootfs")),
        ("/dtb-x", Asked("artifact", "dtb-x")),
        ("/root/2.json", Asked("root", "2")),
        ("/stable/arm64/root/2.json", Asked("root", "2", "stable", "arm64")),
        (f"/blobs/ab/{HASH}.bin", Asked("blob", HASH)),
        ("/manif%65st.json", Asked("manifest")),
    ],
)
def test_known_paths(path: str, asked: Asked) -> None:
    assert resolve(path) == asked


@pytest.mark.parametrize(
    "path",
    [
        "", "manifest.json", "//manifest.json", "/../manifest.json", "/%2e%2e/manifest.json", "/..%2Fmanifest.json",
        "/stable%2F..%2F..%2Fetc/x86_64/manifest.json", "/stable/x86_64%2f..%2f../kernel", "/a\\b", "/.kernel", "/.",
        "/stable/riscv64/manifest.json", "/evil/x86_64/manifest.json", "/root/0.json", "/root/02.json", "/root/-1.json",
        f"/blobs/cd/{HASH}.bin", f"/blobs/ab/{HASH.upper()}.bin", "/kernel/", "/%00", "/%ff%fe", "/kernel%0a",
        "/" + "x" * 129, f"/stable/x86_64/blobs/ab/{HASH}.bin", "/%252e%252e/manifest.json", "http://h/manifest.json",
    ],
)  # fmt: skip
def test_s1_every_segment_is_checked_after_it_was_decoded(path: str) -> None:
    assert resolve(path) is None


@given(st.text(max_size=80))
def test_what_is_found_is_a_plain_name(path: str) -> None:
    asked = resolve(f"/{path}")
    if asked is not None:
        assert not set(asked.name) & set("/\\%\0")
        assert not asked.name.startswith(".")
        assert asked.channel in {"", "stable", "testing", "nightly"}
