"""Unified kernel images: everything that starts a machine is in the one program that is signed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boot.image.esp import entries, loader_conf, mode_cmdline
from boot.image.uki import arch_of, read_sections, uki
from boot.modes import MODES
from boot.stage1.cmdline import parse_command_line
from boot.trust.manifest import ARCHES, Arch
from runtime.errors import RefusedError
from tests.boot.image.small_releases import efi_program


@pytest.mark.parametrize("arch", ARCHES)
def test_kernel_initramfs_and_command_line_are_in_it_as_they_were(arch: Arch) -> None:
    kernel = efi_program(arch, b"kernel" * 1000)
    made = uki(efi_program(arch), os_release="ID=orlop\n", cmdline="a=b", kernel=kernel, initramfs=b"i" * 5001)
    sections = {one.name: one.data for one in read_sections(made)}
    assert sections == {
        ".text": b"\xf4" * 700, ".osrel": b"ID=orlop\n", ".cmdline": b"a=b", ".linux": kernel, ".initrd": b"i" * 5001,
    }  # fmt: skip
    assert arch_of(made) == arch


@given(st.binary(min_size=1, max_size=5000), st.text(alphabet="abc=", max_size=100))
def test_whatever_its_parts_are_it_is_read_again_and_ends_on_a_whole_sector(initramfs: bytes, cmdline: str) -> None:
    kernel = efi_program()
    made = uki(efi_program(), os_release="x", cmdline=cmdline, kernel=kernel, initramfs=initramfs)
    assert [one.data for one in read_sections(made)][2:] == [cmdline.encode(), kernel, initramfs]
    assert not len(made) % 512


def test_a_kernel_of_another_machine_is_refused() -> None:
    for kernel in (efi_program("arm64"), b"MZ", b"", b"x" * 5000):
        with pytest.raises(RefusedError, match="no EFI program of this architecture"):
            uki(efi_program(), os_release="", cmdline="", kernel=kernel, initramfs=b"")


def test_a_stub_without_room_for_more_sections_is_refused() -> None:
    stub = efi_program(content=b"x" * 700, room=0)
    with pytest.raises(RefusedError, match="no room"):
        uki(stub, os_release="", cmdline="", kernel=efi_program(), initramfs=b"")


@given(st.binary(max_size=600))
def test_bytes_that_are_no_program_have_no_architecture(raw: bytes) -> None:
    assert arch_of(raw) is None
    assert arch_of(b"MZ" + raw) is None


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("mode", MODES)
def test_stage_1_understands_the_command_line_of_every_mode(mode: str, arch: Arch) -> None:
    line = mode_cmdline(next(one for one in MODES if one == mode), arch, "testing")
    found = parse_command_line(line)
    assert found.mode == mode
    assert ("orlop.channel=testing" in line) == (mode != "private"), "private takes its image's"
    assert "console=tty0" in line


def test_the_menu_has_three_entries_and_no_editor() -> None:
    files = entries("x86_64", "stable", b"kernel", b"initramfs")
    assert set(files) == {
        "vmlinuz-x86_64", "initramfs-x86_64.img", *(f"loader/entries/{mode}.conf" for mode in MODES),
    }  # fmt: skip
    assert b"\neditor no\n" in loader_conf("internet.conf", 10)
    assert loader_conf("internet.conf", 10).startswith(b"timeout 10\ndefault internet.conf\n")
