"""What the permissions say to a request."""

from dataclasses import dataclass

__all__ = ["Decision"]


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request is allowed, by which rule, and what an operator could do about it.

    Attributes:
        allowed: whether it is.
        rule: the id of the rule that decided, such as `permissions.filesystem.read[0]`, or `operator.…` for one that
            the operator added; None when no rule fits, or when nothing could ever allow the request.
        reason: in words, one line, sanitised; names the rule.
        line: of Component.toml, where the rule stands, or where its group would stand; None when that is not known.
        remedy: the option of `orlop components permissions NAME` that would allow the request; empty when it is
            allowed, and when nothing could.
    """

    allowed: bool
    rule: str | None
    reason: str
    line: int | None = None
    remedy: str = ""

    @classmethod
    def by(cls, rule: str) -> "Decision":
        """The decision of an allow rule."""
        return cls(True, rule, f"allowed by {rule}")

    @classmethod
    def against(cls, rule: str) -> "Decision":
        """The decision of a deny rule; revoking the rule is what an operator could do."""
        return cls(False, rule, f"denied by {rule}", remedy=f"--revoke '{rule.removeprefix('permissions.')}'")

    @classmethod
    def never(cls, reason: str) -> "Decision":
        """Nothing could allow the request."""
        return cls(False, None, reason)
