"""Asking for an address: busybox's udhcpc, with a script that only writes down what was offered."""

import contextlib
import subprocess
from pathlib import Path
from typing import Final

from boot.errors import BootUnavailableError
from boot.stage1.lease import Lease, lease_of, read_words

__all__ = ["BUSYBOX", "SCRIPT", "ask"]

BUSYBOX: Final = Path("/bin/busybox")
RUN: Final = Path("/run")
SCRIPT: Final = '#!{busybox} sh\n[ "$1" = bound ] && exec {busybox} env -0 >{lease}\nexit 0\n'
"""Nothing of the offer gets into a shell's hands: the environment goes to a file as it is, and is read from there."""

_TRIES: Final = 8
_WAIT_S: Final = 60.0


def ask(interface: str, *, tries: int = _TRIES, busybox: Path = BUSYBOX, run: Path = RUN) -> Lease:
    """Asks once; the lease is checked, and nothing of it is applied.

    Args:
        interface: that is up.
        tries: how often the question is sent, a second apart.
        busybox: the program.
        run: a folder for the script and the lease.

    Raises:
        BootUnavailableError: nobody offers an address, or only nonsense.
    """
    script, lease = run / f"udhcpc-{interface}", run / f"lease-{interface}"
    try:
        with contextlib.suppress(FileNotFoundError):
            lease.unlink()
        script.write_text(SCRIPT.format(busybox=busybox, lease=lease), encoding="ascii")
        script.chmod(0o700)
        words = ["udhcpc", "-i", interface, "-n", "-q", "-f", "-t", str(tries), "-T", "1", "-s", str(script)]
        options = [word for name in ("subnet", "router", "dns") for word in ("-O", name)]
        subprocess.run(  # noqa: S603 - of the image; the words are ours
            [str(busybox), *words, "-o", *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            timeout=_WAIT_S,
            check=False,
        )
        raw = lease.read_bytes()
    except FileNotFoundError:
        raise BootUnavailableError("nobody offers an address", where=f"DHCP on {interface}") from None
    except (OSError, subprocess.SubprocessError) as error:
        why = f"cannot be asked: {type(error).__name__}"
        raise BootUnavailableError(why, where=f"DHCP on {interface}") from error
    return lease_of(interface, read_words(raw))
