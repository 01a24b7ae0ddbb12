"""`boot keygen`, `sign`, `rotate`, `verify`: what was typed, as the values that they take."""

from pathlib import Path

from console.client import Result
from console.cmdline.verbline import Line
from console.registry import COMMANDS
from console.verbs import boot_trust
from console.verbs.values import number
from runtime.errors import UsageError

__all__ = ["keygen", "many", "rotate", "sign", "verify"]

_SUMS = "SHA256SUMS"


def keygen(line: Line) -> Result:
    """`boot keygen`."""
    return boot_trust.make_key(Path(line.paths["out"]), secure_boot=line.args.get("secure_boot") == "true")


def sign(line: Line) -> Result:
    """`boot sign`."""
    wanted = {name: _text(line, name) for name in ("channel", "arch", "name", "cmdline")}
    numbers = {name: number(COMMANDS["boot sign"], line.args, name) for name in ("version", "expires")}
    return boot_trust.sign(Path(line.paths["release"]), many(line, "key"), {**wanted, **numbers})


def rotate(line: Line) -> Result:
    """`boot rotate`."""
    command = COMMANDS["boot rotate"]
    wanted = {name: number(command, line.args, name) for name in ("threshold", "expires")}
    lists = {name: _texts(line, name) for name in ("add", "remove")}
    out = Path(line.paths["out"])
    return boot_trust.make_root(Path(line.paths["root"]), many(line, "key"), out, {**wanted, **lists})


def verify(line: Line) -> Result:
    """`boot verify`.

    Raises:
        UsageError: it is not said which machine takes the manifest.
    """
    if Path(line.paths["manifest"]).name == _SUMS:
        return boot_trust.verify_images(Path(line.paths["manifest"]), Path(line.paths["root_key"]))
    for name in ("channel", "arch"):
        if not line.args.get(name):
            raise UsageError(f"--{name} is missing", hint="a manifest is for one channel and one architecture")
    floor = number(COMMANDS["boot verify"], line.args, "min_version") or 1
    wanted = boot_trust.wanted_of(str(line.args["channel"]), str(line.args["arch"]), floor, _text(line, "now"))
    folder = _text(line, "artifacts")
    return boot_trust.verify(
        Path(line.paths["manifest"]), Path(line.paths["root_key"]), wanted, Path(folder) if folder else None
    )


def _text(line: Line, name: str) -> str | None:
    value = line.args.get(name)
    return value if isinstance(value, str) else None


def _texts(line: Line, name: str) -> tuple[str, ...]:
    value = line.args.get(name)
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def many(line: Line, name: str) -> list[Path]:
    """The files of an argument that may be repeated, in their order."""
    found = [line.paths[key] for key in line.paths if key == name or key.startswith(f"{name}.")]
    return [Path(path) for path in found]
