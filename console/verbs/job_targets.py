"""Who is to run a job, as the options of `jobs run` and `jobs submit` say it.

The run dialog checks with it before anything is started, handlers read with it; both say the same.
"""

from dataclasses import dataclass

from console.ballot import majority
from console.client import Args
from console.commands import Command
from console.verbs.values import number
from runtime.errors import UsageError

__all__ = ["Targets", "targets_of"]

_LOCAL_ONLY = ("priority", "keep_output", "retries", "expires")


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Who runs it; this node, unless something else is said."""

    names: tuple[str, ...] = ()
    """Those whom `--on` names."""
    discover: bool = False
    replicas: int = 0
    """How many peers run it and are compared; 0: one node alone, and nothing is compared."""
    agree: int = 0
    """How many of them must have signed for the same."""

    @property
    def here(self) -> bool:
        """Whether this node itself runs it."""
        return not (self.names or self.discover or self.replicas)


def targets_of(command: Command, args: Args) -> Targets:
    """Who runs the job.

    Args:
        command: the registry's entry of `jobs run` or `jobs submit`.
        args: its arguments.

    Raises:
        UsageError: options that do not fit together, or that only a job of this node can have.
    """
    names = _many(args, "on")
    targets = _replicated(command, args, names) if "replicas" in args else _single(args, names)
    if names and (_is_set(args, "discover") or _is_set(args, "any_peer")):
        raise UsageError("names a peer, and --discover looks for one", where="--on")
    if not targets.here:
        _refuse_local(args)
    return targets


def _single(args: Args, names: tuple[str, ...]) -> Targets:
    looks = _is_set(args, "discover")
    if _is_set(args, "any_peer") and not looks:
        raise UsageError("goes with --discover or --replicas", where="--any-peer")
    if "agree" in args:
        raise UsageError("goes with --replicas", where="--agree")
    if len(names) > 1:
        raise UsageError(f"names {len(names)} peers", where="--on", hint=f"--replicas {len(names)} asks all of them")
    return Targets(names=names, discover=looks)


def _replicated(command: Command, args: Args, names: tuple[str, ...]) -> Targets:
    count = number(command, args, "replicas") or 0
    least = majority(count)
    needed = number(command, args, "agree") or least
    if not _is_set(args, "deterministic"):
        hint = "--deterministic fixes its clock and random bytes"
        raise UsageError("is for jobs that run alike everywhere", where="--replicas", hint=hint)
    if not least <= needed <= count:
        raise UsageError(f"{needed} of {count} is no majority", where="--agree", hint=f"from {least} to {count}")
    if names and len(names) != count:
        raise UsageError(f"asks for {count} peers, and --on names {len(names)}", where="--replicas")
    return Targets(names=names, discover=_is_set(args, "discover"), replicas=count, agree=needed)


def _refuse_local(args: Args) -> None:
    """Refuses what a peer cannot give to a job."""
    if "dir" in args:
        raise UsageError("a directory cannot be given to another node", where="--dir")
    for name in _LOCAL_ONLY:
        if name in args:
            raise UsageError("is for jobs that run here", where=f"--{name.replace('_', '-')}")


def _is_set(args: Args, name: str) -> bool:
    return args.get(name) == "true"


def _many(args: Args, name: str) -> tuple[str, ...]:
    value = args.get(name, ())
    return (value,) if isinstance(value, str) else tuple(value)
