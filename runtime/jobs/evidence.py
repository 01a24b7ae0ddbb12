"""What a receipt is held against."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from runtime.errors import RefusedError, UsageError
from runtime.identity import public_of
from runtime.jobs.bundle import Bundle
from runtime.jobs.commitment import Commitment
from runtime.keys import KeyStatement

__all__ = ["Evidence", "pinned_key"]


def _knows_none(_key: str) -> bool:
    return False


def _knows_no_receipt(_worker: str, _number: int) -> str | None:
    return None


def _knows_no_number(_worker: str, _receipt: str) -> int | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a receipt is held against; whatever is missing leaves its step unchecked.

    Attributes:
        key: the worker's public key as the caller knows it, 64 hexadecimal characters.
        accepts: whether a key is this node's own, past or present, or a trusted peer's.
        manifest: the signed job manifest, JSON.
        module: the hash of the module that was to run, `sha256:` and 64 hexadecimal characters.
        stdout: everything that the job wrote there.
        stderr: everything that the job wrote there.
        commitment: over the output, where it was computed as it came; takes the place of both streams.
        previous: the preceding receipt of the same key, JSON.
        chain: the id of a stored receipt by worker and number.
        number: the number of a stored receipt by worker and id.
        statements: how the keys of nodes follow one another; a key that they link to a believed one is believed.
    """

    key: str | None = None
    accepts: Callable[[str], bool] = _knows_none
    manifest: bytes | None = None
    module: str | None = None
    stdout: bytes | None = None
    stderr: bytes | None = None
    commitment: Commitment | None = None
    previous: bytes | None = None
    chain: Callable[[str, int], str | None] = _knows_no_receipt
    number: Callable[[str, str], int | None] = _knows_no_number
    statements: tuple[KeyStatement, ...] = ()

    def filled_from(self, bundle: Bundle) -> "Evidence":
        """This evidence, with what a proof bundle brings where nothing was given."""
        outputs = self.stdout is None and self.stderr is None
        return replace(
            self,
            manifest=bundle.manifest if self.manifest is None else self.manifest,
            stdout=bundle.stdout if outputs else self.stdout,
            stderr=bundle.stderr if outputs else self.stderr,
            statements=(*self.statements, *bundle.statements),
        )


def pinned_key(text: str, where: str = "--key") -> str:
    """Reads a key that the operator gave.

    Args:
        text: 64 hexadecimal characters, or a PeerId.
        where: the option that it came with.

    Returns:
        64 lower-case hexadecimal characters.

    Raises:
        UsageError: neither of the two.
    """
    lowered = text.lower()
    if len(lowered) == 64 and not lowered.strip("0123456789abcdef"):  # noqa: PLR2004 - 32 bytes
        return lowered
    try:
        return public_of(text).hex()
    except RefusedError:
        raise UsageError("neither 64 hexadecimal characters nor a PeerId", where=where) from None
