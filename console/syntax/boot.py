"""`orlop boot …`."""

from console.commands import Arg, Command, Kind
from console.syntax.parts import option

__all__ = ["COMMANDS"]

_CHANNELS = ("stable", "testing", "nightly")
_ARCHES = ("x86_64", "arm64")

COMMANDS: tuple[Command, ...] = (
    Command(
        name="boot keygen",
        help="Make a key that signs releases, and the root that trusts it; needs no state directory.",
        handler="console.verbs.boot_trust:elsewhere",
        args=(option("out", Kind.OUT, "the folder for root.key and root.pub", metavar="DIR", required=True),),
        state=False,
        detail=(
            "root.key is for its owner only (mode 0600) and can stay on a machine without a network. root.pub goes into"
            " images: a root of one key and threshold 1. boot rotate makes a root of several."
        ),
        examples=("orlop boot keygen --out keys/",),
    ),
    Command(
        name="boot sign",
        help="Sign a release, or add a signature to one; needs no state directory.",
        handler="console.verbs.boot_trust:elsewhere",
        args=(
            Arg(name="release", kind=Kind.FOLDER, help="its folder: kernel, initramfs, rootfs", required=True),
            option("key", Kind.PATH, "a key of boot keygen; may be repeated", metavar="FILE", many=True, most=8,
                   required=True),
            option("channel", Kind.CHOICE, "which line of releases", metavar="CHANNEL", choices=_CHANNELS),
            option("arch", Kind.CHOICE, "of the machines", metavar="ARCH", choices=_ARCHES),
            option("version", Kind.INTEGER, "higher than that of every release before", metavar="N", low=1),
            option("expires", Kind.DURATION, "how long it is of use", metavar="TIME", default="30d"),
            option("name", Kind.NAME, "name of the release; else its version", metavar="NAME"),
            option("cmdline", Kind.TEXT, "for the second kernel", metavar="TEXT"),
        ),
        state=False,
        detail=(
            "Writes manifest.json into the folder, from the bytes of the files in it. On a folder that is signed, and"
            " without --version, it adds a signature, as a second holder of a key does; the files have to be those that"
            " were signed."
        ),
        examples=(
            "orlop boot sign release/ --key keys/root.key --channel stable --arch x86_64 --version 7",
            "orlop boot sign release/ --key second.key",
        ),
    ),
    Command(
        name="boot rotate",
        help="Make the root that follows another one, or sign it; needs no state directory.",
        handler="console.verbs.boot_trust:elsewhere",
        args=(
            Arg(name="root", kind=Kind.PATH, help="the newest root: root.pub, or a root document", required=True),
            option("key", Kind.PATH, "a key that signs it; may be repeated", metavar="FILE", many=True, most=8,
                   required=True),
            option("out", Kind.OUT, "the new root, such as root/2.json; one that is there is signed in addition",
                   metavar="FILE", required=True),
            option("add", Kind.NAME, "a public key that it trusts, too; may be repeated", metavar="KEY", many=True),
            option("remove", Kind.NAME, "a public key to revoke; may be repeated", metavar="KEY", many=True),
            option("threshold", Kind.INTEGER, "how many keys have to sign a release", metavar="N", low=1, high=16),
            option("expires", Kind.DURATION, "how long the root is of use", metavar="TIME", default="365d"),
        ),
        state=False,
        detail=(
            "A root has to be signed by the threshold of the old keys and by that of its own; it says how many are"
            " missing, and the same command signs it on another machine. A key that a newer root does not have is"
            " revoked. Serve it as root/N.json beside the manifest."
        ),
        examples=(
            "orlop boot rotate keys/root.pub --key keys/root.key --threshold 1 --out release/root/2.json",
        ),
    ),
    Command(
        name="boot verify",
        help="Check a release as a machine does that boots it; needs no state directory.",
        handler="console.verbs.boot_trust:elsewhere",
        args=(
            Arg(name="manifest", kind=Kind.PATH, help="manifest.json; newer roots are taken from root/ beside it",
                required=True),
            option("root_key", Kind.PATH, "the root that is trusted: root.pub, or a root document", metavar="FILE",
                   required=True),
            option("channel", Kind.CHOICE, "that the machine takes", metavar="CHANNEL", choices=_CHANNELS,
                   required=True),
            option("arch", Kind.CHOICE, "of the machine", metavar="ARCH", choices=_ARCHES, required=True),
            option("min_version", Kind.INTEGER, "the lowest version that is taken", metavar="N", low=1, default="1"),
            option("artifacts", Kind.NAME, "check the files of this folder too", metavar="DIR"),
            option("now", Kind.NAME, "the time by which it is judged, such as 2027-01-02T03:04:05Z", metavar="TIME"),
        ),
        state=False,
        detail=(
            "Exit codes: 0 it may be booted, 3 it is refused, with one line that names the step, 5 something could not"
            " be read."
        ),
        examples=(
            "orlop boot verify release/manifest.json --root-key keys/root.pub --channel stable --arch x86_64",
        ),
    ),
)  # fmt: skip
