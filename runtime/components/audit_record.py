"""One record of what a component asked of its host, as its worker sends it."""

from dataclasses import dataclass

__all__ = ["AuditRecord"]


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """As `runtime.components.host.audit` writes it."""

    seq: int
    ts: int
    op: str
    target: str
    rules_version: int
    decision: str
    rule: str | None
    line: int | None
    remedy: str
    outcome: str
    bytes: int
    duration_us: int
    calls: int

    @property
    def worth_telling(self) -> bool:
        """Whether it is journalled: what needed a permission, or failed; not each look at a clock."""
        return self.decision != "none" or self.outcome not in {"ok", ""} or bool(self.target)
