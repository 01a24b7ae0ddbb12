"""Setting the PIN that unlocks the screen."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from console.ui.screens.form import Element, Field, FormScreen, Note

__all__ = ["PIN_DIGITS", "PinScreen", "lent_secret"]

PIN_DIGITS = 6


@contextmanager
def lent_secret(typed: str) -> Iterator[int]:
    """A descriptor from which a command reads what was typed; it lies in memory only.

    Args:
        typed: a PIN or a passphrase.
    """
    descriptor = os.memfd_create("orlop-secret", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, typed.encode())
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


class PinScreen(FormScreen):
    """Asks twice for six digits."""

    TITLE = "Set the PIN"
    GO = "Set"

    def fields(self) -> Iterable[Element]:
        """The digits, twice, and what they protect."""
        yield Field(name="pin", label="PIN", hint="six digits", secret=True)
        yield Field(name="again", label="Once more", secret=True)
        yield Note(
            name="what",
            text="It locks screen and rooms of an orlop that runs. On the disk only the vault's passphrase "
            "protects them.",
        )

    def words(self) -> list[str]:
        """`pin set`; the digits go another way."""
        return ["pin", "set"]

    async def carry_out(self) -> str:
        """Compares them first."""
        pin = self.value("pin")
        if not (pin.isascii() and pin.isdigit() and len(pin) == PIN_DIGITS):
            return "a PIN has six digits"
        if pin != self.value("again"):
            return "the two are not the same"
        with lent_secret(pin) as descriptor:
            result = await self.actions.line(self.words(), lend={"pin_file": descriptor}, quiet=True)
        if result is None or not result.ok:
            return result.fault.line if result is not None and result.fault else "nothing was done"
        return ""
