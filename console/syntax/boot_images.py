"""`orlop boot release` and `write`."""

from console.commands import Arg, Command, Kind
from console.syntax.parts import flag, option

__all__ = ["COMMANDS"]

COMMANDS: tuple[Command, ...] = (
    Command(
        name="boot release",
        help="Make disks, sticks and other images of signed releases, without root.",
        handler="console.verbs.boot_trust:elsewhere",
        args=(
            Arg(name="release", kind=Kind.FOLDER, help="folders of boot build and boot sign, of one release",
                required=True, many=True),
            option("out", Kind.OUT, "the folder for the images; made here", metavar="DIR", required=True),
            option("key", Kind.PATH, "that signs SHA256SUMS: one of the root's", metavar="FILE", required=True),
            option("images", Kind.NAME, "some of disk, usb, qcow2, iso, netboot; else all that the kernels can start",
                   metavar="KIND,…"),
            option("size", Kind.SIZE, "of a disk: 768 MiB are the system's, the rest keeps what a machine must",
                   metavar="SIZE", default="2GiB", low=1 << 30, high=1 << 40),
            option("timeout", Kind.INTEGER, "of the boot menu, seconds", metavar="N", low=0, high=600, default="10"),
            option("secure_boot_key", Kind.PATH, "sign all that starts with this key, in PEM", metavar="FILE"),
            option("secure_boot_cert", Kind.PATH, "its certificate; files to enrol it are taken from beside it",
                   metavar="FILE"),
            option("cache", Kind.NAME, "where downloads are kept; else orlop in the user's cache", metavar="DIR"),
        ),
        state=False,
        detail=(
            "Every release is verified by the root in its own image first, and the images are read again afterwards."
            " There they are all at once, with SHA256SUMS and its signature, a bill of materials and notes, or not at"
            " all. Virtual machines take a release with --kernel cloud, real ones with --kernel full; give both."
            " Images with a debug shell are refused. Exit 3: a release does not verify."
        ),
        examples=(
            "orlop boot release release/ --out images/ --key keys/root.key",
            "orlop boot release cloud/ full/ --out images/ --key keys/root.key --images qcow2,usb",
        ),
    ),
    Command(
        name="boot write",
        help="Write an image to a stick and read it back; needs root.",
        handler="console.verbs.boot_trust:elsewhere",
        args=(
            Arg(name="image", kind=Kind.PATH, help="such as orlop-boot-1-x86_64.usb.img", required=True),
            Arg(name="device", kind=Kind.NAME, help="the whole disk, such as /dev/sdb", required=True),
            flag("fixed_disk", "also write to a disk that is not removable"),
            option("yes_erase", Kind.NAME, "the disk's name, such as sdb, instead of being asked for it",
                   metavar="NAME"),
        ),
        state=False,
        detail=(
            "What is on the disk is lost. It is refused when the disk, or anything on it, is mounted, swap or otherwise"
            " in use, is the disk of this system, is too small, read-only or not removable. What was written is read"
            " back from the disk and compared: exit 1 if it differs."
        ),
        examples=("sudo orlop boot write images/orlop-boot-1-x86_64.usb.img /dev/sdb",),
    ),
)  # fmt: skip
