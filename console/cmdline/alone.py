"""Commands that the command line answers by itself: without a core, or with something to ask and write around one."""

import contextlib
import os
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType

from console.client import Result
from console.cmdline.verbline import Line
from runtime.errors import UsageError
from runtime.statedir import find, locate

__all__ = ["ALONE"]


def _status(line: Line) -> Result:
    from console.cmdline.connect import reach_shared
    from console.status import status

    shared = reach_shared(line.options)
    if shared is not None:
        with contextlib.closing(shared):
            return shared.execute("status", {}).result.result()
    path = locate(line.options.state_dir, os.environ)
    return Result(ok=True, value=status(path, line.options.config, os.environ))


def _config(line: Line) -> Result:
    from console import config

    state = find(locate(line.options.state_dir, os.environ))
    file = config.config_file(line.options.config, os.environ)
    settings = config.load(file, state.config_d if state else None, os.environ)
    return Result(ok=True, value={"v": 1, "items": config.rows(settings)})


def _doctor(line: Line) -> Result:
    from console.doctor import examine, report

    named = {"ORLOP_CONFIG": line.options.config} if line.options.config else {}
    document = report(examine(locate(line.options.state_dir, os.environ), {**os.environ, **named}))
    return Result(ok=True, value=document, exit_code=0 if document["ok"] else 1)


def _schema(_line: Line) -> Result:
    from runtime.codec import json_schema

    return Result(ok=True, value=json_schema())


def _completion(line: Line) -> Result:
    from console.cmdline import streams
    from console.completion import script

    shell = str(line.args["shell"])
    if line.options.json:
        return Result(ok=True, value={"v": 1, "shell": shell, "script": script(shell)})
    streams.print_text(script(shell))
    return Result(ok=True)


def _init(line: Line) -> Result:
    from console.cmdline.init import init

    return init(line)


def _backup(line: Line) -> Result:
    from console.cmdline.keep import backup

    return backup(line)


def _restore(line: Line) -> Result:
    from console.cmdline.keep import restore

    return restore(line)


def _export_room(line: Line) -> Result:
    from console.cmdline.room_file import export

    return export(line)


def _import_room(line: Line) -> Result:
    from console.cmdline.room_file import import_room

    return import_room(line)


def _join_room(line: Line) -> Result | None:
    from console.cmdline.joining import join

    return join(line)


def _pin_set(line: Line) -> Result | None:
    from console.cmdline.pin import pin_set

    return pin_set(line)


def _unlock(line: Line) -> Result | None:
    from console.cmdline.pin import unlock

    return unlock(line)


def _try_agent(line: Line) -> Result:
    from console.cmdline.files import Files
    from console.verbs.trial import trial

    if line.command is None:
        raise UsageError("no command")
    with Files(line.command, line.paths) as files:
        return trial(line.command, line.args, files.descriptors)


def _compare(line: Line) -> Result | None:
    from console.cmdline.compare import compare

    return compare(line)


def _relay(line: Line) -> Result:
    from console.cmdline.relay import serve

    return serve(line)


def _new_agent(line: Line) -> Result:
    from console.verbs.kit import new_agent

    return new_agent(line.args)


def _build_agent(line: Line) -> Result:
    from console.verbs.kit import build_agent
    from runtime.agents.toolchain import CompileError

    try:
        return build_agent(line.args)
    except CompileError as error:
        sys.stderr.write(f"{error.talk}\n")
        raise


def _keygen(line: Line) -> Result:
    from console.verbs.signing import made_key

    return made_key(line.paths["out"])


def _sign(line: Line) -> Result:
    from console.cmdline.files import Files
    from console.verbs.signing import signed

    if line.command is None:
        raise UsageError("no command")
    with Files(line.command, line.paths) as files:
        return signed(line.args, files.descriptors)


def _check_component(line: Line) -> Result:
    from console.cmdline.components import check

    return check(line)


def _inspect_component(line: Line) -> Result:
    from console.cmdline.components import inspect

    return inspect(line)


def _install_component(line: Line) -> Result | None:
    from console.cmdline.components import install

    return install(line)


def _sign_component(line: Line) -> Result:
    from console.cmdline.components import sign

    return sign(line)


def _bindings(line: Line) -> Result:
    from console.cmdline import streams
    from console.verbs.bindings import written

    result = written(line.args)
    header = result.value.get("header") if isinstance(result.value, Mapping) else None
    if line.options.json or not isinstance(header, str):
        return result
    streams.print_text(header)
    return Result(ok=True)


def _boot_keygen(line: Line) -> Result:
    from console.cmdline.boot import keygen

    return keygen(line)


def _boot_build(line: Line) -> Result:
    from console.cmdline.boot_build import build

    return build(line)


def _boot_release(line: Line) -> Result:
    from console.cmdline.boot_release import release

    return release(line)


def _boot_write(line: Line) -> Result:
    from console.cmdline.boot_write import write

    return write(line)


def _boot_sign(line: Line) -> Result:
    from console.cmdline.boot import sign

    return sign(line)


def _boot_rotate(line: Line) -> Result:
    from console.cmdline.boot import rotate

    return rotate(line)


def _boot_verify(line: Line) -> Result:
    from console.cmdline.boot import verify

    return verify(line)


def _boot_serve(line: Line) -> Result:
    from console.cmdline.boot_serve import serve

    return serve(line)


def _boot_fetch(line: Line) -> Result:
    from console.cmdline.boot_fetch import fetch

    return fetch(line)


def _boot_discover(line: Line) -> Result:
    from console.cmdline.boot_fetch import discover

    return discover(line)


def _verify(line: Line) -> Result | None:
    from console.cmdline.verify import verify_file

    return verify_file(line)


ALONE: Mapping[str, Callable[[Line], Result | None]] = MappingProxyType(
    {
        "status": _status,
        "config": _config,
        "doctor": _doctor,
        "schema": _schema,
        "completion": _completion,
        "init": _init,
        "backup": _backup,
        "restore": _restore,
        "rooms export": _export_room,
        "rooms import": _import_room,
        "rooms join": _join_room,
        "pin set": _pin_set,
        "unlock": _unlock,
        "agents try": _try_agent,
        "agents keygen": _keygen,
        "agents sign": _sign,
        "agents new": _new_agent,
        "agents build": _build_agent,
        "rooms relay": _relay,
        "rooms verify": _compare,
        "receipts verify": _verify,
        "boot keygen": _boot_keygen,
        "boot build": _boot_build,
        "boot sign": _boot_sign,
        "boot release": _boot_release,
        "boot write": _boot_write,
        "boot rotate": _boot_rotate,
        "boot verify": _boot_verify,
        "boot serve": _boot_serve,
        "boot fetch": _boot_fetch,
        "boot discover": _boot_discover,
        "components check": _check_component,
        "components inspect": _inspect_component,
        "components install": _install_component,
        "components sign": _sign_component,
        "components bindings": _bindings,
    }
)
"""By name; one that returns None is for the core after all."""
