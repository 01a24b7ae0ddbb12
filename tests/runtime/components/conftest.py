"""One compiler for all tests of components, which compiles each of them once."""

from collections.abc import Iterator

import pytest

from runtime.sandbox.compile import Compiler


@pytest.fixture(scope="session")
def component_compiler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compiler]:
    with Compiler(tmp_path_factory.mktemp("compiled"), b"a secret of tests") as made:
        yield made
