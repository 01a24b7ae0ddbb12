import inspect

import pytest

from runtime import errors
from runtime.errors import OrlopError, RefusedError

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, OrlopError)]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RefusedError("is text"), "is text"),
        (RefusedError("is text", where="a.wasm"), "a.wasm: is text"),
        (RefusedError("is text", what="agents upload", where="a.wasm"), "agents upload: a.wasm: is text"),
        (RefusedError("is text", where="a.wasm", hint="build it"), "a.wasm: is text; build it"),
    ],
)
def test_an_error_is_one_line(error: OrlopError, line: str) -> None:
    assert str(error) == line


def test_every_kind_is_public_and_has_a_code() -> None:
    assert sorted(kind.__name__ for kind in KINDS) == sorted(errors.__all__)
    codes = [kind.code for kind in KINDS if kind is not OrlopError]
    assert len(set(codes)) == len(codes)
