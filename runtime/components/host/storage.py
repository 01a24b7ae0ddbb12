"""`orlop:core/storage`: the component's keys and values, which the core keeps."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, get_args

from runtime.canonical import Json
from runtime.components.bindings.core_types import (
    KeyPage,
    StorageError,
    StorageIoError,
    StoragePermissionDenied,
    StorageTooLarge,
    StorageUsage,
)
from runtime.components.host.context import Context
from runtime.components.host.desk import PAYLOAD_MAX, Desk, flag, nothing
from runtime.components.permissions import Decision
from runtime.components.permissions.rules import StorageAction
from runtime.components.values import Err, Result
from runtime.components.worker.wire import bytes_of, text_of
from runtime.shapes import from_wire

__all__ = ["Storage"]

_CASES: Final = {case.case: case for case in get_args(StorageError)}
_TOO_LARGE: Final = Err(StorageTooLarge(f"a value has at most {PAYLOAD_MAX:,} bytes"))


@dataclass(frozen=True, slots=True)
class _Usage:
    used: int
    quota: int
    count: int


class Storage:
    """The operations of one instance.

    Args:
        context: whose they are.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._desk: Desk[StorageError] = Desk(context, _CASES, StoragePermissionDenied, StorageIoError)

    def get(self, namespace: str, key: str) -> Result[bytes | None, StorageError]:
        """A value, or none."""
        fields = {"namespace": namespace, "key": key}
        return self._desk.ask("storage.get", fields, self._optional_bytes, *self._may(namespace, "read", key))

    def set(self, namespace: str, key: str, value: bytes) -> Result[None, StorageError]:
        """Replaces a value; it is durable when this returns."""
        if len(value) > PAYLOAD_MAX:
            return _TOO_LARGE
        fields = {"namespace": namespace, "key": key, "value": text_of(value)}
        self._context.note(size=len(value))
        return self._desk.ask("storage.set", fields, nothing, *self._may(namespace, "write", key))

    def compare_and_set(
        self, namespace: str, key: str, expected: bytes | None, value: bytes
    ) -> Result[bool, StorageError]:
        """Replaces a value only if the old one is as expected.

        The expected value travels as its hash: two values of the largest size do not fit into one frame.
        """
        if len(value) > PAYLOAD_MAX:
            return _TOO_LARGE
        before = None if expected is None else {"sha256": hashlib.sha256(expected).hexdigest()}
        fields: Mapping[str, Json] = {"namespace": namespace, "key": key, "expected": before, "value": text_of(value)}
        self._context.note(size=len(value))
        return self._desk.ask("storage.compare-and-set", fields, flag, *self._may(namespace, "write", key))

    def delete(self, namespace: str, key: str) -> Result[bool, StorageError]:
        """Removes a value; whether there was one."""
        fields = {"namespace": namespace, "key": key}
        return self._desk.ask("storage.delete", fields, flag, *self._may(namespace, "delete", key))

    def exists(self, namespace: str, key: str) -> Result[bool, StorageError]:
        """Whether there is a value."""
        fields = {"namespace": namespace, "key": key}
        return self._desk.ask("storage.exists", fields, flag, *self._may(namespace, "read", key))

    def list_keys(self, namespace: str, prefix: str | None, after: str | None) -> Result[KeyPage, StorageError]:
        """Sorted keys after one of them, at most 1000."""
        fields = {"namespace": namespace, "prefix": prefix, "after": after}
        read = self._may(namespace, "read", "")
        return self._desk.ask("storage.list-keys", fields, lambda value: from_wire(KeyPage, value), *read)

    def usage(self, namespace: str) -> Result[StorageUsage, StorageError]:
        """Use and quota."""
        read = self._may(namespace, "read", "")
        return self._desk.ask("storage.usage", {"namespace": namespace}, _usage, *read)

    def _may(self, namespace: str, action: StorageAction, key: str) -> tuple[Decision, str]:
        target = f"{namespace}/{key}" if key else namespace
        return self._context.policy.storage(namespace, action), target

    def _optional_bytes(self, value: Json) -> bytes | None:
        data = None if value is None else bytes_of(value)
        self._context.note(size=len(data or b""))
        return data


def _usage(value: Json) -> StorageUsage:
    usage = from_wire(_Usage, value)
    return StorageUsage(usage.used, usage.quota, usage.count)
