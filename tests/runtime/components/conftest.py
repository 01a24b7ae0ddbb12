"""One compiler for all tests of components."""

from collections.abc import Iterator

import pytest

from runtime.sandbox.compile import Compiler


@pytest.fixture(scope="session")
def component_compiler() -> Iterator[Compiler]:
    with Compiler(None) as made:
        yield made
