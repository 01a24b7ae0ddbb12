"""A guest on strings: every import of the world `full`, called from inside a real component with values of any kind."""

import base64
import struct
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from runtime.components.wit import ResultOf, TupleOf
from tests.runtime.components.guest_values import RESULT, Memory, Seen, flat_size, functions, label_of, parameters

__all__ = ["PUPPET", "Puppet", "RefusedError", "TrappedError"]

PUPPET: Final = (Path(__file__).parent / "guests/puppet.wasm").read_bytes()
_FLAT_MAX: Final = 16

Told = Callable[[str, bytes], Awaitable[object]]
"""Runs an operation of the guest: what came back, as core has it, or how it ended."""


class RefusedError(Exception):
    """An operation came back with an error; `case` and `reason`."""

    def __init__(self, label: str, case: str, reason: str) -> None:
        super().__init__(f"{label}: {case}: {reason}")
        self.case = case
        self.reason = reason


class TrappedError(Exception):
    """The guest did not come back; `kind` says why."""

    def __init__(self, kind: object) -> None:
        super().__init__(str(kind))
        self.kind = kind


class Puppet:
    """One such guest.

    Args:
        told: runs an operation of it.
    """

    def __init__(self, told: Told) -> None:
        self._told = told
        self._arena = 0

    async def __call__(self, name: str, *values: Any) -> Any:
        """Calls an operation and gives what it came back with; of a result, what is in it.

        Args:
            name: as for `label_of`.
            values: of its parameters; a method's first is the handle.

        Raises:
            RefusedError: it answered with an error.
            TrappedError: the guest ended.
        """
        back = await self.answer(name, *values)
        if isinstance(functions()[label_of(name)][1].result, ResultOf):
            if back[0] == "err":
                raise RefusedError(label_of(name), *back[1])
            return back[1]
        return back

    async def answer(self, name: str, *values: Any) -> Any:
        """As a call, with a result as it is."""
        label = label_of(name)
        function = functions()[label][1]
        memory = Memory(await self.arena() + RESULT)
        given = parameters(label)
        assert len(values) == len(given), f"{label} takes {len(given)}"
        flat = [core for kind, value in zip(given, values, strict=True) for core in memory.flat(kind, value)]
        if len(flat) > _FLAT_MAX:
            flat = [memory.place(TupleOf(tuple(given)), tuple(values))]
        direct = function.result is None or flat_size(function.result) == 1
        if not direct:
            flat.append(await self.arena())
        core, heap, said = await self.raw(label, flat, bytes(memory.bytes))
        if function.result is None:
            return None
        seen = Seen(await self.arena(), heap, said)
        return seen.direct(function.result, core) if direct else seen.load(function.result, await self.arena())

    async def drop(self, resource: str, handle: int) -> None:
        """Drops a handle: `filesystem.file`."""
        await self.raw(f"drop {resource}", [handle], b"")

    async def heard(self) -> list[str]:
        """The messages and callbacks that came since it was asked last."""
        return (await self._asked("heard", b"")).decode().splitlines()

    async def grow(self, pages: int) -> None:
        """Gives it more memory."""
        assert await self._asked("grow", struct.pack("<Q", pages)) == bytes(8)

    async def arena(self) -> int:
        """Where its memory for calls begins."""
        self._arena = self._arena or int.from_bytes(await self._asked("arena", b""), "little")
        return self._arena

    async def raw(self, label: str, values: Sequence[int], memory: bytes) -> tuple[int, int, bytes]:
        """Calls with core values as they are, however wrong.

        Args:
            label: of the operation.
            values: core values.
            memory: lies at `arena() + RESULT`.

        Returns:
            The core value that came back, where the heap begins, and the bytes of the result and then of the heap.
        """
        packed = [value & 0xFFFF_FFFF_FFFF_FFFF for value in values]
        said = await self._asked(label, struct.pack(f"<Q{len(packed)}Q", len(packed), *packed) + memory)
        core, heap = struct.unpack_from("<QQ", said)
        return core, heap, said[16:]

    async def _asked(self, operation: str, given: bytes) -> bytes:
        match await self._told(operation, given):
            case {"ok": str() as back}:
                return base64.b64decode(back)
            case other:
                raise TrappedError(other)
