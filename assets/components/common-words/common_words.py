"""Says which words a text file has most of: `top PATH`, a component in Python.

Imports stand at the top, because that runs when the component is built; inside a function they would end it. There is
no `print`, `time` or `open`: the host's services take their place.
"""

import heapq  # noqa: F401 - most_common imports it inside a function, which works only for what is loaded already
from collections import Counter

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import filesystem
from wit_world.imports.orlop_core_types import (
    ComponentConfig,
    ComponentMetadata,
    ExecutionContext,
    ExecutionError_ProcessingFailed,
    ExecutionError_UnknownOperation,
    HealthReport,
    HealthStatus,
    MemoryRequirements,
    Message,
    ShutdownReason,
)
from wit_world.imports.orlop_ext_filesystem_types import FileOpenOptions, FilePermissions, OpenMode, TextEncoding

PIECE = 256 * 1024
TOP = 5
READING = FileOpenOptions(
    mode=OpenMode.READ,
    create=False,
    create_new=False,
    truncate=False,
    follow_final_symlink=True,
    permissions=FilePermissions(0o600),
)


class ComponentLifecycle(exports.ComponentLifecycle):
    """What the host calls."""

    def init(self, config: ComponentConfig) -> None:
        """Nothing has to be made ready."""

    def execute(self, operation: str, input: bytes, context: ExecutionContext) -> bytes:  # noqa: A002 - the WIT's name
        """The most common words of a file, a line each."""
        if operation != "top":
            raise Err(ExecutionError_UnknownOperation(operation))
        try:
            found = words_of(input.decode())
        except Err as error:
            raise Err(ExecutionError_ProcessingFailed(error.value.value)) from None
        return "".join(f"{count} {word}\n" for word, count in found.most_common(TOP)).encode()

    def handle_message(self, message: Message) -> bytes | None:
        """It asks for no messages."""
        return None

    def handle_callback(self, request_id: int, outcome: object) -> None:
        """It sends no requests."""

    def metadata(self) -> ComponentMetadata:
        """Name and version are those of Component.toml."""
        return ComponentMetadata(
            name="common-words",
            version="1.0.0",
            description="Says which words a text has most of",
            author="",
            supported_operations=["top"],
            memory=MemoryRequirements(0, 0, 0),
            stateful=False,
        )

    def health(self) -> HealthReport:
        """As always."""
        return HealthReport(HealthStatus.HEALTHY, "")

    def shutdown(self, reason: ShutdownReason) -> None:
        """Nothing has to be put away."""


def words_of(path: str) -> Counter[str]:
    """How often each word comes; `with` closes the file also when reading it fails."""
    words: Counter[str] = Counter()
    begun = ""
    with filesystem.open(path, READING) as file:
        while True:
            piece = file.read_text(PIECE, TextEncoding.UTF8)
            text = begun + piece.text.lower()
            end = len(text) if piece.end_of_file else max(text.rfind(" "), text.rfind("\n")) + 1
            words.update(text[:end].split())
            begun = text[end:]
            if piece.end_of_file:
                return words
