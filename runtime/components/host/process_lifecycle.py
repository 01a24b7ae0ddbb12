"""`orlop:ext-process/lifecycle`: starting programs without a shell, and waiting for them.

A command is resolved in the spawner, which keeps what it found open; the policy decides on that path, and that very
thing is started. Nothing is inherited but what is named here.
"""

import contextlib
import os
import shlex
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from runtime.components.bindings.ext_process_types import ResourceLimits, SpawnOptions, Stdio, WaitResult
from runtime.components.host.child_log import ChildLog
from runtime.components.host.child_pipes import child_pipes
from runtime.components.host.children import Child, Streams
from runtime.components.host.context import Context
from runtime.components.host.file_errors import FileRefusedError
from runtime.components.host.paths import LIST, Paths
from runtime.components.host.process_answers import ProcessCase, ProcessRefusedError, answering
from runtime.components.host.process_ceilings import checked_limits
from runtime.components.host.process_limits import CEILINGS
from runtime.components.host.rings import Ring
from runtime.components.host.spawner_line import Sink, SpawnerLine
from runtime.components.permissions import Decision, Policy

__all__ = ["ProcessLifecycle"]

_ENVIRONMENT: Final[Mapping[str, str]] = MappingProxyType({"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"})
_FOR_EVER_MS: Final = 1 << 50
_ARGUMENTS_MAX: Final = 1024
_OF_PATHS: Final[Mapping[str, ProcessCase]] = MappingProxyType(
    {"permission-denied": "permission-denied", "not-found": "not-found"}
)
_SHORT: Final = SpawnOptions("", (), (), (), None, "none", "pipe", "pipe", None, None)
"""What the short forms do not say: no input, and output that can be read."""


@dataclass(frozen=True, slots=True)
class _Program:
    """A program that may be started.

    Attributes:
        rule: the one that allows it.
        allowed: what a policy says to it.
        target: what records call it.
    """

    rule: str
    allowed: Callable[[Policy], Decision]
    target: str


class ProcessLifecycle:
    """The operations of one instance.

    Args:
        context: whose they are.
        paths: for working directories.
        line: to the spawner.
        environment: of the host: what this component may read of it, by name.
        log_rate: lines a second that its children may write to its log together.
    """

    def __init__(
        self, context: Context, paths: Paths, line: SpawnerLine, environment: Mapping[str, str], log_rate: int
    ) -> None:
        self._context = context
        self._paths = paths
        self._line = line
        self._environment = environment
        self._log = ChildLog(context.core, log_rate)
        self._children: dict[int, tuple[str, Child]] = {}
        self._number = 0

    @answering
    def spawn(self, options: SpawnOptions) -> Child:
        """Starts a program."""
        return self._spawn(options)

    @answering
    def spawn_in_directory(self, command: str, arguments: tuple[str, ...], working_directory: str) -> Child:
        """Starts a program in a directory of the component."""
        return self._spawn(replace(_SHORT, command=command, arguments=arguments, working_directory=working_directory))

    @answering
    def spawn_with_environment(
        self, command: str, arguments: tuple[str, ...], environment: tuple[tuple[str, str], ...]
    ) -> Child:
        """Starts a program with variables."""
        return self._spawn(replace(_SHORT, command=command, arguments=arguments, environment=environment))

    @answering
    def spawn_with_limits(self, command: str, arguments: tuple[str, ...], limits: ResourceLimits) -> Child:
        """Starts a program with limits."""
        return self._spawn(replace(_SHORT, command=command, arguments=arguments, limits=limits))

    @answering
    def wait_any_child(self) -> WaitResult:
        """The next that ends, as long as the call may last."""
        return self._wait_any(None)

    @answering
    def wait_any_child_with_timeout(self, timeout: int) -> WaitResult:
        """The next that ends."""
        return self._wait_any(timeout)

    def get_children(self) -> tuple[int, ...]:
        """Those that were not joined, nor let go."""
        return tuple(child.number for child in self._open())

    def get_parent_id(self) -> int:
        """Nobody's business."""
        return 0

    def get_current_id(self) -> int:
        """The number of the instance."""
        return self._context.component.instance

    def _spawn(self, options: SpawnOptions) -> Child:
        context = self._context
        program = self._program(options)
        limits = checked_limits(options.limits, CEILINGS)
        environment = self._child_environment(options, program)
        context.handles.room("child")
        self._check_number(program)
        number, key = self._number + 1, self._line.new_child()
        with self._directory(options.working_directory) as directory, child_pipes(options) as pipes:
            streams = Streams(pipes.input, _ring(options.stdout), _ring(options.stderr))
            child = Child(
                context,
                self._line,
                key=key,
                number=number,
                streams=streams,
                allowed=program.allowed,
                target=program.target,
            )
            self._line.listen(key, child)
            try:
                self._line.ask(
                    context,
                    "spawn",
                    {
                        "id": key,
                        "arguments": [options.command, *options.arguments],
                        "environment": environment,
                        "limits": {**limits},
                        "timeout_ms": min(options.timeout or _FOR_EVER_MS, _FOR_EVER_MS),
                        "captured": list(pipes.theirs),
                    },
                    (directory, *pipes.theirs.values()),
                )
            except BaseException:
                # It may have started just when the time was over.
                self._line.forget(key)
                self._line.tell("signal", {"id": key, "signal": int(signal.SIGKILL), "group": True})
                raise
            self._number = number
            self._drain(pipes.output, streams.stdout, f"{number} stdout")
            self._drain(pipes.errors, streams.stderr, f"{number} stderr")
            pipes.keep()
        context.allow(program.allowed(context.policy), program.target)
        self._children[number] = (program.rule, child)
        context.handles.add("child", child, program.rule, lambda policy: program.allowed(policy).allowed)
        return child

    def _program(self, options: SpawnOptions) -> _Program:
        """Resolves a command and asks whether it may be started.

        Raises:
            ProcessRefusedError: it may not, or there is none.
        """
        command, arguments = options.command, options.arguments
        target = shlex.join((command, *arguments))
        if len(arguments) > _ARGUMENTS_MAX:
            raise ProcessRefusedError("invalid-argument", f"more than {_ARGUMENTS_MAX} arguments")
        if not (any_spawn := self._context.policy.any_spawn()).allowed:
            self._allow(any_spawn, target)  # there is no spawner to ask
        found: dict[str, object] = {"real": command}
        if command.startswith("/") and "\0" not in command:
            found = self._line.ask(self._context, "look", {"command": command})
        real = str(found["real"])

        def allowed(policy: Policy) -> Decision:
            return policy.spawn(command, arguments, real)

        decision = self._allow(allowed(self._context.policy), target)
        code = found.get("errno")
        if isinstance(code, int):
            raise OSError(code, os.strerror(code))
        if not found["regular"]:
            raise ProcessRefusedError("spawn-failed", "not a file")
        rule = decision.rule or ""
        self._check_hash(decision, target)
        return _Program(rule, allowed, target)

    def _allow(self, decision: Decision, target: str) -> Decision:
        if not self._context.allow(decision, target):
            raise ProcessRefusedError("permission-denied", decision.reason)
        return decision

    def _check_hash(self, decision: Decision, target: str) -> None:
        known = self._context.policy.spawn_rule(decision.rule or "")
        if known is None or known.sha256 is None:
            return
        found = self._line.ask(self._context, "hash", {})["sha256"]
        if found != known.sha256:
            reason = f"{decision.rule}: the program's SHA-256 is another"
            self._allow(Decision(False, decision.rule, reason, decision.line), target)

    def _check_number(self, program: _Program) -> None:
        rule = self._context.policy.spawn_rule(program.rule)
        running = sum(
            1
            for known, child in self._children.values()
            if known == program.rule and child.is_open and not child.result
        )
        if rule is not None and running >= rule.max:
            raise ProcessRefusedError("too-many-processes", f"{running} of {program.rule} run, as many as it allows")

    def _child_environment(self, options: SpawnOptions, program: _Program) -> dict[str, str]:
        """All variables of a child.

        Raises:
            ProcessRefusedError: a name that it may not be given, or a value that is none.
        """
        policy = self._context.policy
        environment = dict(_ENVIRONMENT)
        for name in options.inherit_environment:
            self._allow(policy.environment(name), f"variable {name}")
            if name in self._environment:
                environment[name] = self._environment[name]
        for name, value in options.environment:
            self._allow(policy.child_environment(program.rule, name), f"variable {name}")
            if "\0" in value:
                raise ProcessRefusedError("invalid-argument", f"{name}: NUL in its value")
            environment[name] = value
        return environment

    @contextlib.contextmanager
    def _directory(self, path: str | None) -> Iterator[int]:
        """A descriptor of a child's working directory.

        Raises:
            ProcessRefusedError: the component may not list it, or there is none.
        """
        if path is None:
            descriptor = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                yield descriptor
            finally:
                os.close(descriptor)
            return
        with contextlib.ExitStack() as stack:
            try:
                found = stack.enter_context(self._paths.find(path, LIST))
            except FileRefusedError as refusal:
                raise ProcessRefusedError(_OF_PATHS.get(refusal.case, "invalid-argument"), refusal.text) from None
            if not found.is_directory:
                raise ProcessRefusedError("invalid-argument", "the working directory is no directory")
            yield found.descriptor

    def _drain(self, descriptor: int | None, ring: Ring | None, name: str) -> None:
        if descriptor is None:
            return
        self._line.drain(descriptor, _into(ring) if ring is not None else self._log.sink(name))

    def _wait_any(self, timeout_ms: int | None) -> WaitResult:
        waiting = [child for child in self._open() if not child.collected]
        if not waiting:
            raise ProcessRefusedError("not-found", "there is no child to wait for")
        if not self._line.wait(self._context, lambda: any(child.result for child in waiting), timeout_ms):
            raise ProcessRefusedError("timeout", "none has ended")
        return next(child for child in waiting if child.result is not None).wait_for_end(0)

    def _open(self) -> list[Child]:
        self._children = {number: known for number, known in self._children.items() if known[1].is_open}
        return [child for _, child in self._children.values()]


def _ring(stdio: Stdio) -> Ring | None:
    return Ring() if stdio == "pipe" else None


def _into(ring: Ring) -> Sink:
    def take(data: bytes) -> None:
        ring.put(data)
        ring.ended = not data

    return take
