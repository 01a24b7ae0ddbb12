"""Marks of steps that stand beside each other in one cell, each with an ink of its own."""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["STEP_INKS"]

STEP_INKS: Mapping[str, str] = MappingProxyType({"✓": "ok", "✗": "trip", "·": "faint"})
"""Passed, failed, not reached: by the mark."""
