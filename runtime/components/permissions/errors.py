"""Errors of permissions: a pattern that is none, and a request that is none."""

from runtime.components.errors import ComponentError
from runtime.errors import RefusedError, UsageError

__all__ = ["InvalidRequestError", "PatternError"]


class PatternError(ComponentError, UsageError):
    """A pattern of a permission that is none; `why` says what it must not hold."""

    code = "usage"


class InvalidRequestError(ComponentError, RefusedError):
    """A path, host or argument that nothing can be asked for; `why` begins with what it should have been."""

    code = "refused"
