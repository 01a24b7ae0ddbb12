"""What a process asks of the kernel about itself; that nobody looks inside is in `tests/cli/test_private_memory.py`."""

import pytest

from runtime.process import prctl


def test_an_attribute_that_the_kernel_does_not_know_is_an_error() -> None:
    with pytest.raises(OSError, match="prctl"):
        prctl(-1, 0)
