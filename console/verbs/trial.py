"""What `agents try` does: an agent offline, without a core and without a state directory."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from console.call import Call
from console.client import Args, Fault, Json, Result
from console.commands import Command
from console.exit_codes import ExitCode
from console.registry import COMMANDS
from console.verbs.apart import apart
from console.verbs.reading import read_sync, readable_inputs, reading
from console.verbs.values import number
from runtime.errors import UsageError
from runtime.sanitise import clean

if TYPE_CHECKING:
    from runtime.agents.trial import TrialRequest

__all__ = ["trial", "try_agent"]

_FILES: Final = (("Invalid WASM binary", "module"), ("Invalid agent manifest", "manifest"))
"""What a refusal begins with, and the argument whose file it is about; the others name theirs themselves."""

_FILE_MAX: Final = 64 << 20
"""Bytes of any input; what each of them may have is checked, with better words, by what reads it."""


async def try_agent(_core: object, call: Call) -> Result:
    """`agents try`, from a face that has a core, which is not used."""
    command = COMMANDS[call.command]
    with readable_inputs():
        request = await reading(call.interrupted, lambda stop: _request(command, call.args, call.files, stop))
    return await apart(call.interrupted, lambda stopped: _tried(command, call.args, request, stopped))


def trial(command: Command, args: Args, files: Mapping[str, int]) -> Result:
    """Runs an agent offline; blocks for as long as it may run.

    Args:
        command: the registry's entry.
        args: the arguments.
        files: descriptors of the inputs.

    Raises:
        UsageError: an input is missing, too large, or cannot be read.
    """
    with readable_inputs():
        request = _request(command, args, files, stop=-1)
    return _tried(command, args, request)


def _request(command: Command, args: Args, files: Mapping[str, int], stop: int) -> "TrialRequest":
    """Reads the inputs; `stop` as in `read_sync`."""
    from runtime.agents.trial import TrialRequest

    def content(name: str) -> bytes | None:
        return read_sync(files[name], limit=_FILE_MAX, what=name, stop=stop) if name in files else None

    module, manifest = content("module"), content("manifest")
    if module is None or manifest is None:
        raise UsageError("a module and its manifest are needed")
    state = args.get("state_hex")
    ticks = number(command, args, "ticks")
    return TrialRequest(
        wasm=module,
        manifest=manifest,
        tasks=content("tasks"),
        members=content("members"),
        event=content("event"),
        state_hex=state if isinstance(state, str) else None,
        now_ms=number(command, args, "now"),
        ticks=1 if ticks is None else ticks,
        feedback=args.get("feedback") == "true",
        symbols=content("symbols"),
    )


def _tried(
    command: Command, args: Args, request: "TrialRequest", stopped: Callable[[], bool] = lambda: False
) -> Result:
    from runtime.agents.trial import run_trial

    document, code = run_trial(request, stopped=stopped)
    if "error" in document:
        error = str(document["error"])
        fault = Fault("refused", error, command.name, _blamed(error, args))
        return Result(ok=False, fault=fault, exit_code=ExitCode.USAGE)
    return Result(ok=code == 0, value=document, fault=_failure(command, document["calls"]), exit_code=code)


def _failure(command: Command, calls: Json) -> Fault | None:
    """The first call that failed, and how many others did; the document, on stdout, has them all."""
    failed = [call for call in calls if isinstance(call, dict) and not call["ok"]] if isinstance(calls, list) else []
    if not failed:
        return None
    others = len(failed) - 1
    hint = f"{others} more {'call' if others == 1 else 'calls'} failed" if others else ""
    return Fault("failed", clean(str(failed[0]["error"])), command.name, clean(str(failed[0]["call"]), 40), hint)


def _blamed(error: str, args: Args) -> str:
    """The file that was refused, as it was typed."""
    for words, name in _FILES:
        if error.startswith(words):
            return clean(str(args.get(name, "")), 200)
    return ""
