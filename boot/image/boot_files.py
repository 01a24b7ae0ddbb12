"""What a machine's firmware finds, made of a release: a menu of three modes, signed by the owner or not at all."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from boot.image.esp import LOADER, UKI, Content, entries, loader_conf, mode_cmdline
from boot.image.loader import Loader
from boot.image.secure import SigningKey, is_signed, sign_pe
from boot.image.source import Source
from boot.image.uki import uki
from boot.modes import MODES, Mode
from runtime import durable
from runtime.errors import RefusedError

__all__ = ["boot_files", "netboot_files"]

_ENROLMENT: Final = ("PK.auth", "KEK.auth", "db.auth")
_ENROLMENT_FOLDER: Final = "loader/keys/orlop"
_AUTH_MAX: Final = 64 << 10
_IPXE: Final = """\
#!ipxe
kernel {kernel} initrd={initramfs} {cmdline}
initrd {initramfs}
boot
"""


def boot_files(source: Source, loader: Loader, signer: SigningKey | None, timeout: int) -> dict[str, Content]:
    """Files of an EFI partition, by path.

    Args:
        source: the release.
        loader: the boot menu and the stub.
        signer: the owner's key; None for machines without Secure Boot.
        timeout: of the menu, seconds.

    Raises:
        RefusedError: the release cannot be booted with Secure Boot by this key.
    """
    folder, image = source.folder, source.image
    if signer is None:
        files = entries(image.arch, image.channel, folder / "kernel", folder / "initramfs")
        files[LOADER[image.arch]] = loader.menu
        files["loader/loader.conf"] = loader_conf("internet.conf", timeout)
        return files
    _check_signed(source, signer)
    files = {f"{UKI}/{mode}.efi": _signed_uki(source, loader, signer, mode) for mode in MODES}
    files[LOADER[image.arch]] = sign_pe(loader.menu, signer, image.built_ms // 1000)
    files["loader/loader.conf"] = loader_conf("internet.efi", timeout)
    return {**files, **_enrolment(signer)}


def netboot_files(source: Source, name: str, loader: Loader, signer: SigningKey | None) -> dict[str, Content]:
    """Files to start machines over a network, by name.

    Args:
        source: the release.
        name: that all of them begin with.
        loader: the boot menu and the stub.
        signer: the owner's key; None for machines without Secure Boot.
    """
    if signer is not None:
        return {f"{name}.efi": _signed_uki(source, loader, signer, "internet")}
    kernel, initramfs = f"{name}.vmlinuz", f"{name}.initrd"
    cmdline = mode_cmdline("internet", source.image.arch, source.image.channel)
    script = _IPXE.format(kernel=kernel, initramfs=initramfs, cmdline=cmdline)
    return {
        kernel: source.folder / "kernel",
        initramfs: source.folder / "initramfs",
        f"{name}.ipxe": script.encode(),
    }


def _check_signed(source: Source, signer: SigningKey) -> None:
    if source.image.arch != "x86_64":
        # Their kernels load the next one by kexec_load, which lockdown refuses.
        raise RefusedError(f"there is no Secure Boot for {source.image.arch}", hint="release it without")
    if not is_signed((source.folder / "kernel").read_bytes(), signer.certificate):
        why = "the release's kernel does not bear the one signature of this certificate"
        raise RefusedError(why, hint="build it with --secure-boot-key and --secure-boot-cert, and sign it then")


def _signed_uki(source: Source, loader: Loader, signer: SigningKey, mode: Mode) -> bytes:
    image = source.image
    program = uki(
        loader.stub,
        os_release=_os_release(source, mode),
        cmdline=mode_cmdline(mode, image.arch, image.channel),
        kernel=(source.folder / "kernel").read_bytes(),
        initramfs=(source.folder / "initramfs").read_bytes(),
    )
    return sign_pe(program, signer, image.built_ms // 1000)


def _os_release(source: Source, mode: Mode) -> str:
    # The menu sorts by these: of equal versions it shows the name that comes last first.
    release = source.manifest.release
    return f'ID=orlop-{mode}\nVERSION_ID={release}\nPRETTY_NAME="orlop: {mode.capitalize()} mode"\n'


def _enrolment(signer: SigningKey) -> Mapping[str, Content]:
    """The files by which a firmware in setup mode learns the owner's keys, if they lie beside the certificate."""
    found = {name: _read(signer.certificate.parent / name) for name in _ENROLMENT}
    present = {name: raw for name, raw in found.items() if raw is not None}
    if present and len(present) < len(_ENROLMENT):
        missing = ", ".join(name for name in _ENROLMENT if name not in present)
        raise RefusedError(
            f"of the files to enrol the keys, {missing} is missing", where=str(signer.certificate.parent)
        )
    return {f"{_ENROLMENT_FOLDER}/{name}": raw for name, raw in present.items()}


def _read(path: Path) -> bytes | None:
    return durable.read(path, limit=_AUTH_MAX)
