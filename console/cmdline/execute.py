"""One command from its line to its exit status: checks, files, a core, the answer, what is printed and written."""

import os
import sys
from collections.abc import Mapping
from dataclasses import replace

from console.client import Fault, Json, Result
from console.cmdline import streams
from console.cmdline.aftermath import write_exit_file, write_outputs
from console.cmdline.files import STDIN, Files, open_input
from console.cmdline.signals import Signals
from console.cmdline.verbline import Line
from console.commands import Command, Confirm
from console.exit_codes import ExitCode, exit_code_of
from console.verbs.values import check_values
from runtime.errors import FailedError, OrlopError, ReadOnlyError, UsageError
from runtime.sanitise import clean

__all__ = ["execute", "through_core"]

_ELSEWHERE = frozenset({"on", "discover", "replicas"})
_DONE = "what the command was to do is done"


def execute(command: Command, line: Line) -> int:
    """Runs a command line that was read.

    Args:
        command: the registry's entry.
        line: its arguments and options.

    Returns:
        The exit status.

    Raises:
        OrlopError: nothing was run.
    """
    try:
        check_values(command, line.args)
        if command.changes and line.options.read_only:
            raise ReadOnlyError("changes something, and this is --read-only", what=command.name)
        result = _run(command, line)
    except OrlopError as error:
        error.what = error.what or command.name
        write_exit_file(line, None)
        raise
    return _show(command, line, result)


def _run(command: Command, line: Line) -> Result:
    from console.cmdline.alone import ALONE

    alone = ALONE.get(command.name)
    if alone is not None:
        result = alone(line)
        if result is not None:
            return result
    with Files(command, line.paths) as files:
        if command.name == "jobs run" and not line.options.json:
            files.lend("stdout", 1)
            files.lend("stderr", 2)
        if command.name == "jobs run" and _ELSEWHERE & line.args.keys() and not line.options.quiet:
            files.lend("talk", 2)
        if command.name == "jobs logs" and line.args.get("follow") and not line.options.json:
            files.lend("stdout", 1)
        if command.name == "components run" and line.args.get("input") == STDIN:
            files.lend("stdin", open_input(STDIN))
        _confirm(command, line)
        return through_core(command, line, files)


def through_core(command: Command, line: Line, files: Files) -> Result:
    """Runs a command in the owner, or in a core of our own; signals that come meanwhile interrupt it.

    Args:
        command: the registry's entry.
        line: its arguments and options.
        files: its descriptors.

    Raises:
        OrlopError: there is no core, or the connection was lost.
    """
    from console.cmdline.connect import connect
    from console.cmdline.troubles import Troubles

    troubles = Troubles(command.name)
    with Signals() as signals:
        client = connect(line.options, sink=troubles.take)
        try:
            running = client.execute(command.name, line.args, files.descriptors)
            signals.watch(running)
            try:
                result = running.result.result()
            except OrlopError:
                raise
            except Exception as error:
                hint = "orlop status says whether it runs again"
                raise FailedError("the connection to the core was lost", hint=hint) from error
        finally:
            client.close()
            troubles.say()
        if signals.code is not None and not result.ok and result.exit_code is None:
            return replace(result, exit_code=signals.code)
        return result


def _confirm(command: Command, line: Line) -> None:
    """Asks before what cannot be undone; never asks where nobody can answer."""
    if command.confirm in {Confirm.NONE, Confirm.CONSENT} or line.yes:  # for consent, it was asked with what it allows
        return
    named = ", ".join(str(value) for name, value in line.args.items() if name != "room")
    if not sys.stdin or not sys.stdin.isatty():
        raise UsageError("asks for confirmation, and there is no terminal", what=command.name, hint="--yes answers it")
    if command.confirm is Confirm.TYPE_NAME:
        _type_name(command, str(line.args.get("room") or named))
        return
    sys.stderr.write(f"orlop: {command.name} {clean(named, 200)}? There is no undo. [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise FailedError("not confirmed, nothing was done", what=command.name)


def _type_name(command: Command, name: str) -> None:
    sys.stderr.write(f"orlop: {command.name} {clean(name, 200)}? There is no undo. Type {clean(name, 200)} again: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != name.strip():
        raise FailedError("not confirmed, nothing was done", what=command.name)


def _show(command: Command, line: Line, result: Result) -> int:
    code = exit_code_of(result)
    fault = result.fault
    if command.name == "jobs run" and not result.ok and result.exit_code is None:
        code = ExitCode.NOT_RUN
    if fault is not None and not fault.what:
        fault = replace(fault, what=command.name)
    try:
        value = write_outputs(command, line, result)
    except OrlopError as error:
        error.what = error.what or command.name
        if not line.options.json:
            raise
        streams.say(str(error))
        value, code = result.value, code or ExitCode.FAILED
    try:
        _print(command, line, value, fault)
    except BrokenPipeError:
        streams.finish()
    except OrlopError as error:
        if fault is None:
            error.what = error.what or command.name
            if command.changes:
                error.hint = error.hint or _DONE
            raise
        # Why the command failed matters more than why that could not be printed.
    _say_replicas(command, line, value)
    for said in fault.lines if fault is not None else ():
        streams.say(said)
    _say_notice(command, line, value)
    return code


def _say_replicas(command: Command, line: Line, value: Json) -> None:
    """Who said what, where the peers of `jobs run --replicas` do not all agree."""
    if command.name != "jobs run" or line.options.json:
        return
    from console.cmdline.render_replicas import who_said_what

    for words in who_said_what(value):
        streams.say(f"{command.name}: {words}")


def _say_notice(command: Command, line: Line, value: Json) -> None:
    """What is still to happen, or what the caller might not expect."""
    notice = value.get("notice") if isinstance(value, Mapping) else None
    if isinstance(notice, str) and not line.options.quiet:
        streams.say(f"{command.name}: {notice}")


def _print(command: Command, line: Line, value: Json, fault: Fault | None) -> None:
    if value is None and fault is None:
        return
    if line.options.json:
        streams.print_json(streams.error_document(fault) if value is None and fault else value)
        return
    if command.name == "jobs logs" and isinstance(value, dict):
        streams.print_bytes(_kept_output(value, stderr=line.args.get("stderr") == "true"))
        return
    if command.name == "components run" and isinstance(value, dict) and "output" in value:
        from console.verbs.components import payload_of

        streams.print_bytes(_fit_for_stdout(payload_of(value)))
        return
    if command.name != "jobs run":
        from console.cmdline.render import render

        streams.print_text(render(command.name, value))


def _kept_output(value: dict[str, Json], *, stderr: bool) -> bytes:
    """What a job wrote."""
    import base64

    name = "stderr" if stderr else "stdout"
    coded = value.get(f"{name}_b64")
    return _fit_for_stdout(base64.b64decode(coded) if isinstance(coded, str) else str(value.get(name, "")).encode())


def _fit_for_stdout(data: bytes) -> bytes:
    """What a guest wrote: unchanged for a file or pipe, harmless for a terminal."""
    from runtime.sanitise import clean_multiline

    if not os.isatty(1):
        return data
    return clean_multiline(data.decode("utf-8", "replace"), 10 * len(data) + 1).encode()
