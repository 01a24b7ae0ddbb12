"""`orlop pin …`, `orlop lock`, `orlop unlock`: the lock of a running orlop."""

from console.commands import Arg, Command, Confirm, Kind
from console.syntax.parts import flag, option

__all__ = ["COMMANDS"]

_PIN_FILE = option(
    "pin_file", Kind.PATH, "file that holds the PIN; without it the terminal asks, - is stdin", metavar="FILE"
)

COMMANDS: tuple[Command, ...] = (
    Command(
        name="pin set",
        help="Set the PIN that unlocks a running orlop: six digits.",
        handler="console.verbs.lock:pin_set",
        args=(_PIN_FILE,),
        changes=True,
        detail=(
            "It takes the place of any PIN before it, and forgets wrong ones. A PIN locks screen and rooms of an orlop"
            " that runs. On the disk only the vault's passphrase protects them: without one, a PIN protects nothing"
            " from whoever reads the disk."
        ),
        examples=("orlop pin set", "orlop pin set --pin-file ~/.pin"),
    ),
    Command(
        name="pin clear",
        help="Forget the PIN; nothing can be locked then.",
        handler="console.verbs.lock:pin_clear",
        changes=True,
        confirm=Confirm.ASK,
        examples=("orlop pin clear --yes",),
    ),
    Command(
        name="pin status",
        help="Say whether a PIN is set, whether orlop is locked, and how long no PIN is looked at.",
        handler="console.verbs.lock:pin_status",
        examples=("orlop pin status", "orlop pin status --json"),
    ),
    Command(
        name="lock",
        help="Lock the orlop that runs: rooms and agents are shut, their keys forgotten.",
        handler="console.verbs.lock:lock",
        args=(
            Arg(name="idle", kind=Kind.FLAG, help="say that nobody was there, as the screen itself does", option=True),
        ),
        changes=True,
        detail=(
            "Agents pause, jobs go on. Until it is unlocked, commands that would show or change rooms and agents exit"
            " with 1. The screen locks itself after ui.lock_after."
        ),
        examples=("orlop lock",),
    ),
    Command(
        name="unlock",
        help="Unlock the orlop that runs, with the PIN or the vault's passphrase.",
        handler="console.verbs.lock:unlock",
        args=(_PIN_FILE, flag("passphrase", "ask for the vault's passphrase instead, or take it from its file")),
        changes=True,
        detail=(
            "From the third wrong PIN on the next is looked at after 30s, then 60s, twice as long each time, also"
            " after a restart. After the tenth only the passphrase unlocks; without one, end orlop and start it again."
        ),
        examples=("orlop unlock", "orlop unlock --pin-file ~/.pin", "orlop unlock --passphrase"),
    ),
)
