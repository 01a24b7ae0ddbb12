"""A cursor over the bytes of one section, with the encodings of WebAssembly 2.0, chapter 5, that the walk reads."""

from typing import Final

from runtime.sandbox.errors import ModuleRefusedError
from runtime.sandbox.facts import Limits

__all__ = ["VALUE_TYPES", "Reader", "over_cap", "switched_off"]

VALUE_TYPES: Final = {
    0x7F: "i32",
    0x7E: "i64",
    0x7D: "f32",
    0x7C: "f64",
    0x7B: "v128",
    0x70: "funcref",
    0x6F: "externref",
}
_KNOWN: Final = bytes(VALUE_TYPES)
_U32_BYTES: Final = 5
_SHARED, _WIDE, _PAGE_SIZE = 0x02, 0x04, 0x08
_END, _I32_CONST, _I64_CONST, _GLOBAL_GET = 0x0B, 0x41, 0x42, 0x23


def over_cap(what: str, count: int, cap: int, check: str) -> ModuleRefusedError:
    """The refusal of a count.

    Args:
        what: the things, in the plural.
        count: how many there are.
        cap: how many are allowed.
        check: short name of the check.
    """
    allowed = "1 is" if cap == 1 else f"{cap:,} are"
    return ModuleRefusedError(f"the module has {count:,} {what}, and {allowed} allowed", check=check)


def switched_off(feature: str, check: str = "feature") -> ModuleRefusedError:
    """The refusal of a proposal that the engines do not have.

    Args:
        feature: its name.
        check: short name of the check.
    """
    return ModuleRefusedError(f"the module uses {feature}, which is switched off", check=check)


class Reader:
    """A cursor over one section; running off its end refuses the module."""

    __slots__ = ("data", "end", "name", "pos")

    def __init__(self, data: bytes, pos: int, end: int, name: str) -> None:
        self.data, self.pos, self.end, self.name = data, pos, end, name

    def ended(self) -> ModuleRefusedError:
        """The refusal of a section that ends early."""
        return ModuleRefusedError(
            f"the module is truncated or damaged: its {self.name} section ends early", check="truncated"
        )

    def byte(self) -> int:
        """The next byte."""
        if self.pos >= self.end:
            raise self.ended()
        self.pos += 1
        return self.data[self.pos - 1]

    def u32(self) -> int:
        """An unsigned number in LEB128."""
        value = shift = 0
        for index in range(_U32_BYTES):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004 - the continuation bit
                if index == _U32_BYTES - 1 and byte > 0x0F:  # noqa: PLR2004 - only four bits are left of 32
                    break
                return value
            shift += 7
        raise ModuleRefusedError(f"the module is damaged: a number in its {self.name} section is too long", check="leb")

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        if length > self.end - self.pos:
            raise self.ended()
        self.pos += length
        return self.data[self.pos - length : self.pos]

    def count(self, what: str, cap: int, check: str) -> int:
        """A count, refused over its cap."""
        count = self.u32()
        if count > cap:
            raise over_cap(what, count, cap, check)
        return count

    def text(self, what: str, cap: int) -> str:
        """A name in UTF-8 of at most `cap` bytes; `what` is said of it when it is refused."""
        length = self.u32()
        if length > cap:
            raise ModuleRefusedError(f"{what} has {length:,} bytes, and {cap} are allowed", check="names")
        try:
            return self.take(length).decode()
        except UnicodeDecodeError:
            raise ModuleRefusedError(f"{what} is not UTF-8", check="names") from None

    def value_types(self) -> bytes:
        """A vector of value types, as bytes of `VALUE_TYPES`."""
        raw = self.take(self.u32())
        if raw.translate(None, _KNOWN):
            raise switched_off("a value type of a newer proposal")
        return raw

    def limits(self, what: str) -> Limits:
        """The limits of a memory or table."""
        flags = self.byte()
        if flags & _SHARED:
            raise switched_off(f"a shared {what} (threads)", "shared-memory")
        if flags & _WIDE:
            raise switched_off(f"a 64-bit {what} (memory64)", "memory64")
        if flags & _PAGE_SIZE:
            raise switched_off("custom page sizes")
        if flags > 1:
            raise ModuleRefusedError(f"the module is damaged: a {what} has unknown flags", check="truncated")
        minimum = self.u32()
        return Limits(minimum, self.u32() if flags else None)

    def constant(self) -> None:
        """Skips an offset: constants, globals and their sums, as linkers write them."""
        while (code := self.byte()) != _END:
            if code in (_I32_CONST, _I64_CONST, _GLOBAL_GET):
                while self.byte() & 0x80:  # the continuation bit; the value does not matter here
                    pass

    def reference(self) -> None:
        """Skips the element type of a table."""
        if VALUE_TYPES.get(self.byte()) not in ("funcref", "externref"):
            raise switched_off("typed function references")
