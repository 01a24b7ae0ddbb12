"""Whether bytes are an artifact: length and SHA-256, as they pass."""

import hashlib

from boot.errors import BootRefusedError
from boot.trust.manifest import Artifact

__all__ = ["ArtifactCheck"]


class ArtifactCheck:
    """Takes the bytes of one artifact in their order.

    Args:
        name: of the artifact, for refusals.
        artifact: what it has to be.
    """

    def __init__(self, name: str, artifact: Artifact) -> None:
        self._name = name
        self._artifact = artifact
        self._hash = hashlib.sha256()
        self.size = 0

    def feed(self, part: bytes | memoryview) -> None:
        """Takes the next bytes.

        Args:
            part: of any length.

        Raises:
            BootRefusedError: `length`, where there are more than were signed.
        """
        self.size += len(part)
        if self.size > self._artifact.size:
            raise BootRefusedError("length", f"{self._name} has more than the {self._artifact.size} bytes signed")
        self._hash.update(part)

    def finish(self) -> None:
        """There are no more.

        Raises:
            BootRefusedError: `length` or `hash`.
        """
        if self.size != self._artifact.size:
            raise BootRefusedError("length", f"{self._name} has {self.size} of the {self._artifact.size} bytes signed")
        found = self._hash.hexdigest()
        if found != self._artifact.sha256:
            raise BootRefusedError("hash", f"{self._name} has {found[:16]}, {self._artifact.sha256[:16]} is signed")
