"""Names of environment variables: which are names, and which nobody may read or give to a child."""

import re
from typing import Final

from runtime.components.permissions.glob import Glob

__all__ = ["NEVER", "is_name", "never"]

NEVER: Final = (
    "LD_*", "DYLD_*", "PYTHON*", "PERL*", "RUBY*", "NODE_*", "BASH_ENV", "ENV", "IFS", "PS4", "GCONV_PATH",
    "GLIBC_TUNABLES", "MALLOC_*", "HOSTALIASES", "LOCALDOMAIN", "RES_OPTIONS", "NLSPATH", "LOCPATH", "TZDIR",
    "SSLKEYLOGFILE", "ORLOP_*", "PATH",
)  # fmt: skip
"""Always refused: they change what a child runs or trusts, or tell about this program."""

_NEVER: Final = [(pattern, Glob(pattern)) for pattern in NEVER]
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}", re.ASCII)


def is_name(name: str) -> bool:
    """Whether a text is a name of a variable."""
    return _NAME.fullmatch(name) is not None


def never(name: str) -> str:
    """The pattern by which a name is always refused; empty when it is not."""
    return next((pattern for pattern, glob in _NEVER if glob.matches(name)), "")
