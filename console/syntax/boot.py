"""`orlop boot …`."""

from console.commands import Arg, Command, Kind
from console.syntax.parts import flag, option

__all__ = ["COMMANDS"]

_CHANNELS = ("stable", "testing", "nightly")
_ARCHES = ("x86_64", "arm64")

COMMANDS: tuple[Command, ...] = (
    Command(
        name="boot keygen",
        help="Make a key that signs releases, and the root that trusts it; needs no state directory.",
        handler="console.verbs.boot_trust:elsewhere",
        args=(
            option("out", Kind.OUT, "the folder for root.key and root.pub", metavar="DIR", required=True),
            flag("secure_boot", "make the keys of a firmware instead: PK, KEK and db"),
        ),
        state=False,
        detail=(
            "root.key is for its owner only (mode 0600) and can stay on a machine without a network. root.pub goes into"
            " images: a root of one key and threshold 1. boot rotate makes a root of several. With --secure-boot it"
            " makes three RSA keys with certificates, and the files by which a firmware learns them."
        ),
        examples=("orlop boot keygen --out keys/", "orlop boot keygen --secure-boot --out secure-boot/"),
    ),
    Command(
        name="boot build",
        help="Build kernel, initramfs and root file system from Debian packages, without root.",
        handler="console.verbs.boot_trust:elsewhere",
        args=(
            option("out", Kind.OUT, "the folder for the release", metavar="DIR", required=True),
            option("root_key", Kind.PATH, "the root that the image trusts: root.pub, or a root document",
                   metavar="FILE", required=True),
            option("arch", Kind.CHOICE, "of the machines", metavar="ARCH", choices=_ARCHES, default="x86_64"),
            option("channel", Kind.CHOICE, "that the image takes", metavar="CHANNEL", choices=_CHANNELS,
                   default="stable"),
            option("version", Kind.INTEGER, "of the manifest that it will have: the lowest that it boots",
                   metavar="N", low=1, default="1"),
            option("name", Kind.NAME, "name of the release; else its version", metavar="NAME"),
            option("kernel", Kind.NAME, "cloud for virtual machines, full for real ones, or a kernel's package",
                   metavar="cloud|full|DEB", default="cloud"),
            option("bootstrap", Kind.NAME, "with which the DHT is begun; may be repeated", metavar="MULTIADDR",
                   many=True, most=16),
            option("compression", Kind.CHOICE, "of zstd: 3 is quick, 19 small", metavar="LEVEL",
                   choices=("3", "19"), default="3"),
            option("cache", Kind.NAME, "where downloads are kept; else orlop in the user's cache", metavar="DIR"),
            option("secure_boot_key", Kind.PATH, "sign the kernel with this key, in PEM", metavar="FILE"),
            option("secure_boot_cert", Kind.PATH, "its certificate, which the firmware trusts", metavar="FILE"),
            flag("debug_shell", "a shell on failure; only on the channel nightly, and never released"),
        ),
        state=False,
        detail=(
            "The same packages, options and SOURCE_DATE_EPOCH give the same bytes. It asks deb.debian.org for the"
            " newest packages, and PyPI for the wheels of its lock; both are checked by hash and kept. boot sign signs"
            " the folder."
        ),
        examples=(
            "orlop boot build --out release/ --root-key keys/root.pub --version 7",
            "orlop boot build --out arm/ --root-key keys/root.pub --arch arm64 --kernel full --compression 19",
        ),
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
            Arg(name="manifest", kind=Kind.PATH, help="manifest.json, or SHA256SUMS of images",
                required=True),
            option("root_key", Kind.PATH, "the root that is trusted: root.pub, or a root document", metavar="FILE",
                   required=True),
            option("channel", Kind.CHOICE, "that the machine takes", metavar="CHANNEL", choices=_CHANNELS),
            option("arch", Kind.CHOICE, "of the machine", metavar="ARCH", choices=_ARCHES),
            option("min_version", Kind.INTEGER, "the lowest version that is taken", metavar="N", low=1, default="1"),
            option("artifacts", Kind.NAME, "check the files of this folder too", metavar="DIR"),
            option("now", Kind.NAME, "the time by which it is judged, such as 2027-01-02T03:04:05Z", metavar="TIME"),
        ),
        state=False,
        detail=(
            "A manifest needs --channel and --arch; newer roots are taken from root/ beside it. Of images, the"
            " signature of SHA256SUMS and every file in it are checked. Exit codes: 0 all is well, 3 it is refused,"
            " with one line that names the step, 5 something could not be read."
        ),
        examples=(
            "orlop boot verify release/manifest.json --root-key keys/root.pub --channel stable --arch x86_64",
            "orlop boot verify images/SHA256SUMS --root-key keys/root.pub",
        ),
    ),
)  # fmt: skip
