"""`RELEASE_NOTES.md`: what was released, how it was made, and how somebody checks and uses it."""

from collections.abc import Mapping, Sequence
from typing import Final

from boot.image.source import Source
from boot.image.sums import SIGNATURE, SUMS
from runtime.canonical import timestamp
from runtime.quantities import format_size

__all__ = ["release_notes"]

_CHECKING: Final = """\
## Check what you downloaded

With orlop, and the root that you trust:

    orlop boot verify {sums} --root-key root.pub

Without orlop: `sha256sum -c {sums}` checks the files, and OpenSSL checks the list. The signature is Ed25519 over
`orlop-release:v1:` and the bytes of the list; {key} is the key in hexadecimal.

    {{ printf 302a300506032b6570032100; printf {key}; }} | xxd -r -p > key.der
    {{ printf orlop-release:v1:; cat {sums}; }} > signed; xxd -r -p {signature} > signature
    openssl pkeyutl -verify -pubin -keyform DER -inkey key.der -rawin -in signed -sigfile signature

"""
_USING: Final = """\
## Start machines

- `.usb.img` is for a stick: `orlop boot write IMAGE /dev/sdX` as root. What is on it is lost.
- `.img` and `.qcow2` are disks of virtual machines with UEFI firmware.
- `.iso` is for machines that are given ISO files, with UEFI firmware.
- `.vmlinuz`, `.initrd` and `.ipxe` are for starting over a network.

The menu has the modes Internet, Local and Private; Internet starts by itself.

"""
_SECURE: Final = """\
## Secure Boot

The boot menu, and one file for each mode with kernel, initramfs and command line, are signed with the owner's key. The
firmware has to know it: clear its keys (setup mode), start from the stick and choose "Enroll Secure Boot keys: orlop"
in the menu, or enrol the `.auth` or `.cer` files of PK, KEK and db in the firmware's own menu, db first and PK last.

"""


def release_notes(
    release: str, sources: Sequence[Source], files: Mapping[str, tuple[int, str]], key: str, *, signed: bool
) -> bytes:
    """The notes; the same bytes for the same release.

    Args:
        release: its name.
        sources: what it was made of.
        files: sizes and hashes of the images, by name.
        key: public key of whoever signs the list of hashes, in hexadecimal.
        signed: whether it is for Secure Boot.
    """
    text = f"# orlop boot {release}\n\n{_files(files)}{_manifests(sources)}"
    text += _CHECKING.format(sums=SUMS, signature=SIGNATURE, key=key) + _USING
    return (text + (_SECURE if signed else "") + _tools(sources)).encode()


def _files(files: Mapping[str, tuple[int, str]]) -> str:
    rows = (f"| `{name}` | {format_size(size)} | `{digest}` |\n" for name, (size, digest) in sorted(files.items()))
    return "## Files\n\n| file | size | SHA-256 |\n|---|---|---|\n" + "".join(rows) + "\n"


def _manifests(sources: Sequence[Source]) -> str:
    text = "## What they boot\n\n"
    for one in sources:
        manifest, machines = one.manifest, "real machines too" if one.has_usb else "virtual machines"
        artifacts = "; ".join(
            f"{name} {format_size(artifact.size)} `{artifact.sha256}`" for name, artifact in manifest.artifacts.items()
        )
        text += (
            f"- {manifest.arch}, {machines}, channel {manifest.channel}, version {manifest.manifest_version}, kernel"
            f" {one.image.kernel}: manifest `{manifest.hash}`, of use until {timestamp(manifest.expires_ms)}."
            f" {artifacts}. Root version {one.trusted.root.version}, {one.trusted.root.threshold} of"
            f" {len(one.trusted.root.keys)} keys.\n"
        )
    return text + "\n"


def _tools(sources: Sequence[Source]) -> str:
    tools = sorted({tool for one in sources for tool in one.inventory.tools})
    lines = "".join(f"- {name} {version}\n" for name, version in tools)
    return f"## Made with\n\nOther versions of these make other bytes.\n\n{lines}"
