"""Kernels and their modules: what is taken, in which order, and what is refused before anything is built on it."""

from pathlib import Path

import pytest

from boot.image.kernel import read_kernel
from boot.image.kernel_modules import ModuleTree, modinfo, wanted_modules
from runtime.errors import FailedError, RefusedError
from tests.boot.image.small_elf import module
from tests.boot.image.small_releases import efi_program

RELEASE = "6.1.0-56-cloud-amd64"


def tree(folder: Path, builtin: str = "", **modules: bytes) -> ModuleTree:
    """Modules by the names of their files, which have `-` where `__` stands here."""
    (folder / "kernel/drivers").mkdir(parents=True)
    (folder / "modules.builtin").write_text(builtin)
    for name, content in modules.items():
        (folder / f"kernel/drivers/{name.replace('__', '-')}.ko").write_bytes(content)
    return ModuleTree(folder)


def package(folder: Path, *, kernel: bytes | None, config: str = "CONFIG_KEXEC_FILE=y\n") -> Path:
    (folder / "boot").mkdir(parents=True)
    (folder / f"boot/config-{RELEASE}").write_text(config)
    (folder / "lib/modules" / RELEASE).mkdir(parents=True)
    if kernel is not None:
        (folder / f"boot/vmlinuz-{RELEASE}").write_bytes(kernel)
    return folder


def names(paths: tuple[str, ...]) -> list[str]:
    return [Path(path).stem for path in paths]


def test_a_module_says_what_it_needs() -> None:
    said = modinfo(module(license="GPL", depends="virtio,virtio_ring", alias=("a", "b")))
    assert said["depends"] == ("virtio,virtio_ring",)
    assert said["alias"] == ("a", "b")


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"\x7fELF\x02\x01" + b"\xff" * 80, module()[:100]])
def test_what_is_no_module_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(FailedError, match="no kernel module"):
        modinfo(content)


def test_each_module_comes_after_all_that_it_needs_and_once(tmp_path: Path) -> None:
    modules = tree(
        tmp_path,
        virtio_net=module(depends="virtio,net_failover"),
        net_failover=module(depends="failover"),
        failover=module(),
        virtio=module(),
        virtio_blk=module(depends="virtio"),
    )
    order = names(modules.order(["virtio_net", "virtio_blk"]))
    assert order == ["virtio", "failover", "net_failover", "virtio_net", "virtio_blk"]


def test_a_dash_and_an_underscore_are_the_same_in_names(tmp_path: Path) -> None:
    modules = tree(tmp_path, usb__storage=module(depends="scsi_mod"), scsi_mod=module())
    assert modules.order(["usb_storage"]) == ("kernel/drivers/scsi_mod.ko", "kernel/drivers/usb-storage.ko")


def test_what_is_built_in_is_not_loaded(tmp_path: Path) -> None:
    modules = tree(tmp_path, "kernel/fs/ext4/ext4.ko\nkernel/lib/crc-t10dif.ko\n", sd_mod=module(depends="crc_t10dif"))
    assert names(modules.order(["ext4", "sd_mod"])) == ["sd_mod"]


def test_soft_needs_are_loaded_before_where_the_kernel_has_them(tmp_path: Path) -> None:
    said = module(softdep="pre: realtek nowhere post: after", depends="mii")
    modules = tree(
        tmp_path, r8169=said, realtek=module(depends="libphy"), libphy=module(), mii=module(), after=module()
    )
    assert names(modules.order(["r8169"])) == ["libphy", "realtek", "mii", "r8169"]


def test_a_module_that_is_missing_is_named_with_who_needs_it(tmp_path: Path) -> None:
    modules = tree(tmp_path, virtio_net=module(depends="virtio"))
    with pytest.raises(FailedError, match="no module virtio, which virtio_net needs"):
        modules.order(["virtio_net"])
    with pytest.raises(FailedError, match=r"no module e1000e$"):
        modules.order(["e1000e"])


def test_modules_that_need_one_another_are_refused(tmp_path: Path) -> None:
    modules = tree(tmp_path, a=module(depends="b"), b=module(depends="a"))
    with pytest.raises(FailedError, match="a and b and a need one another"):
        modules.order(["a"])


def test_of_an_own_kernel_what_it_has_is_taken_and_what_the_second_stage_needs_is_needed(tmp_path: Path) -> None:
    modules = tree(tmp_path, "kernel/fs/squashfs/squashfs.ko\n", e1000e=module())
    wanted = wanted_modules("x86_64", "own.deb", modules)
    assert wanted == ("e1000e", "squashfs", "overlay", "loop")
    with pytest.raises(FailedError, match="no module overlay"):
        modules.order(wanted)
    assert {"virtio_net", "vfat"} <= set(wanted_modules("arm64", "cloud", modules))
    assert {"usb_storage", "i6300esb"} <= set(wanted_modules("x86_64", "full", modules))


def test_a_kernel_comes_with_its_modules_and_its_name(tmp_path: Path) -> None:
    found = read_kernel(package(tmp_path, kernel=efi_program()), "x86_64")
    assert (found.image, found.release) == (efi_program(), RELEASE)
    assert found.modules == tmp_path / "lib/modules" / RELEASE


def test_a_package_without_a_kernel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="has no kernel"):
        read_kernel(package(tmp_path / "empty", kernel=None), "x86_64")
    with pytest.raises(RefusedError, match="has no kernel"):
        read_kernel(tmp_path / "nothing", "x86_64")


@pytest.mark.parametrize(("kernel", "says"), [(efi_program("arm64"), "for arm64"), (b"MZ not", "for a machine that")])
def test_a_kernel_for_another_machine_is_refused(tmp_path: Path, kernel: bytes, says: str) -> None:
    with pytest.raises(RefusedError, match=f"is {says}.*not for x86_64"):
        read_kernel(package(tmp_path, kernel=kernel), "x86_64")


@pytest.mark.parametrize(
    ("arch", "config", "lacks"),
    [
        ("x86_64", "CONFIG_KEXEC=y\n# CONFIG_KEXEC_FILE is not set\n", "CONFIG_KEXEC_FILE"),
        ("arm64", "# CONFIG_KEXEC is not set\n", "CONFIG_KEXEC"),
        ("x86_64", "", "CONFIG_KEXEC_FILE"),
    ],
)
def test_a_kernel_that_cannot_start_another_is_refused(tmp_path: Path, arch: str, config: str, lacks: str) -> None:
    folder = package(tmp_path, kernel=efi_program("arm64" if arch == "arm64" else "x86_64"), config=config)
    with pytest.raises(RefusedError, match=f"cannot start the second stage: it is built without {lacks}"):
        read_kernel(folder, arch)
