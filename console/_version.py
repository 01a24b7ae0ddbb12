"""The version, a constant so that `orlop --version` reads no metadata."""

__version__ = "0.1.0"
