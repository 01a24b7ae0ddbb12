"""Decisions about programs, signals and the environment."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from runtime.components.permissions import environment
from runtime.components.permissions.decision import Decision
from runtime.components.permissions.errors import InvalidRequestError, PatternError
from runtime.components.permissions.glob import Glob, checked_text, quoted
from runtime.components.permissions.paths import PathPattern, normalise
from runtime.components.permissions.rules import KILL, Rules, SpawnRule
from runtime.components.permissions.signals import KILLING, read_signal, signal_name
from runtime.sanitise import clean

__all__ = ["ArgumentPatterns", "ProcessRules", "spoken_command"]

_ARGUMENT_BYTES: Final = 1024
_SHOWN: Final = 200


class ArgumentPatterns:
    """One pattern for each argument; a last `**` is any rest.

    Args:
        patterns: of the arguments without the command.

    Raises:
        PatternError: one of them is none.
    """

    __slots__ = ("_globs", "fits_all")

    def __init__(self, patterns: Sequence[str]) -> None:
        rest = bool(patterns) and patterns[-1] == "**"
        fixed = patterns[:-1] if rest else patterns
        if "**" in fixed:
            raise PatternError("** must be the last argument")
        self._globs = [Glob(checked_text(one, _ARGUMENT_BYTES) if one else one) for one in fixed]
        self.fits_all = rest

    def matches(self, arguments: Sequence[str]) -> bool:
        """Whether each argument fits its pattern, and none is left over without a last `**`."""
        if len(arguments) < len(self._globs) or (len(arguments) > len(self._globs) and not self.fits_all):
            return False
        return all(glob.matches(argument) for glob, argument in zip(self._globs, arguments, strict=False))


@dataclass(frozen=True, slots=True)
class _Compiled:
    command: PathPattern
    arguments: ArgumentPatterns
    environment: tuple[Glob, ...]
    rule: SpawnRule
    decision: Decision


class ProcessRules:
    """The rules of `permissions.process` and `permissions.environment`, compiled.

    Args:
        rules: of a component.

    Raises:
        PatternError: a pattern is none.
    """

    def __init__(self, rules: Rules) -> None:
        self._spawn = [_compile(rule) for rule in rules.spawn]
        deny = rules.of("process.deny")
        self._deny = [(PathPattern(rule.pattern), Decision.against(rule.id)) for rule in deny]
        self._kill = next((Decision.by(rule.id) for rule in rules.of(KILL)), None)
        signals = [(read_signal(rule.pattern), Decision.by(rule.id)) for rule in rules.of("process.signals")]
        self._signals = {number: decision for number, decision in reversed(signals) if number not in KILLING}
        if None in self._signals:
            raise PatternError("not a signal")
        read = rules.of("environment.read")
        self._read = [(Glob(checked_text(rule.pattern, 256)), Decision.by(rule.id)) for rule in read]

    def spawn(self, command: str, arguments: Sequence[str], resolved: str) -> Decision:
        """Whether a program may be started.

        Args:
            command: as the guest gave it; must be absolute.
            arguments: without the command.
            resolved: the command's real path.
        """
        if not command.startswith("/"):
            return Decision.never("command must be an absolute path")
        try:
            paths = [normalise(path) for path in dict.fromkeys((command, resolved))]
            for argument in arguments:
                _check_argument(argument)
        except InvalidRequestError as error:
            return Decision.never(error.why.replace("invalid path", "invalid command"))
        for pattern, decision in self._deny:
            if any(pattern.matches(path) for path in paths):
                return decision
        for one in self._spawn:
            if one.command.matches(paths[-1]) and one.arguments.matches(arguments):
                return one.decision
        moved = f" for the resolved {clean(paths[-1], _SHOWN)}" if paths[-1] != paths[0] else ""
        remedy = f"process.spawn={spoken_command(paths[-1], arguments)}"
        return Decision(False, None, f"no rule{moved}", remedy=remedy)

    def spawn_rule(self, rule: str) -> SpawnRule | None:
        """The rule that allowed a program, which says its hash, environment and number; None when it is gone."""
        return next((one.rule for one in self._spawn if one.rule.id == rule), None)

    def child_environment(self, rule: str, name: str) -> Decision:
        """Whether a child that a rule allowed may be given a variable."""
        if refused := _impossible(name):
            return refused
        for one in self._spawn:
            if one.rule.id == rule and any(glob.matches(name) for glob in one.environment):
                return one.decision
        return Decision(False, None, "no rule")

    def any_spawn(self) -> Decision:
        """Whether there is a program at all that may be started."""
        return self._spawn[0].decision if self._spawn else Decision(False, None, "no rule")

    def kill(self) -> Decision:
        """Whether own children may be ended."""
        if self._kill is None or not self._spawn:
            return Decision(False, None, "no rule", remedy="process.kill=true")
        return self._kill

    def signal(self, signal: str | int) -> Decision:
        """Whether a signal may be sent to own children."""
        number = read_signal(signal)
        if number is None:
            return Decision.never("not a signal")
        if number in KILLING:
            return self.kill()
        absent = Decision(False, None, "no rule", remedy=f"process.signals={signal_name(number)}")
        return self._signals.get(number, absent)

    def environment(self, name: str) -> Decision:
        """Whether a variable of this machine's may be read."""
        if refused := _impossible(name):
            return refused
        absent = Decision(False, None, "no rule", remedy=f"environment.read={name}")
        return next((decision for glob, decision in self._read if glob.matches(name)), absent)


def spoken_command(command: str, arguments: Sequence[str]) -> str:
    """A command line as a shell would take it, with what patterns give a meaning quoted."""
    return shlex.join(map(quoted, (command, *arguments)))


def _compile(rule: SpawnRule) -> _Compiled:
    names = tuple(Glob(checked_text(name, 256)) for name in rule.environment)
    return _Compiled(PathPattern(rule.command), ArgumentPatterns(rule.args), names, rule, Decision.by(rule.id))


def _check_argument(argument: str) -> None:
    if "\0" in argument:
        raise InvalidRequestError("invalid argument: NUL")
    try:
        argument.encode()
    except UnicodeEncodeError:
        raise InvalidRequestError("invalid argument: not UTF-8") from None


def _impossible(name: str) -> Decision | None:
    if not environment.is_name(name):
        return Decision.never("invalid name")
    if pattern := environment.never(name):
        return Decision.never(f"always refused ({pattern})")
    return None
