"""Permissions of components: rules and a request in, a decision out.

Pure and total: no file, resolver or clock is touched, and no text of a guest raises. What no rule allows is denied, and
a deny rule wins over every allow rule, wherever either stands.
"""

from runtime.components.permissions.decision import Decision
from runtime.components.permissions.policy import Policy

__all__ = ["Decision", "Policy"]
