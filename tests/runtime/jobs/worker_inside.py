"""A program that is a worker: `python worker_inside.py`; reads jobs from its own socket, sent by a thread.

Prints one line for each: the reply's kind, trap, exit code, whether it started, and what it wrote.
"""

import os
import signal
import socket
import sys
import threading

import wasmtime

from runtime.jobs.guest import Guests
from runtime.jobs.wire import REPLY_MAX, Reply, RunMessage
from runtime.jobs.worker import serve
from runtime.jobs.zygote_process import sealed_module, worker_channel
from runtime.sandbox.engine import job_engine
from tests.hostile import job, job_exits
from tests.runtime.jobs.jobs_node import HELLO, shows_env

JOBS: list[tuple[str, bytes, dict[str, object]]] = [
    ("hello", HELLO, {"input": b"Hello, World"}),
    ("hello", HELLO, {"stdin": True}),
    ("spin", job("spin"), {"timeout_ms": 50}),
    ("start", job("spin_start"), {"timeout_ms": 50}),
    ("sleeps", job("sleeps_an_hour"), {"timeout_ms": 50}),
    ("fuel", job("spin"), {"fuel": 1000}),
    ("grown", job("grows_and_traps"), {}),
    ("exits", job_exits(300), {}),
    ("env", shows_env(), {"env": ("A=1",)}),
    ("no directory", HELLO, {"dirs": (("/in", False),)}),
    *((f"{n}", job_exits(n), {}) for n in range(70)),
    ("damaged", b"", {}),
]


def console(channel: socket.socket, modules: dict[str, bytes]) -> None:
    for name, _, fields in JOBS:
        out, out_writer = os.pipe()
        err, err_writer = os.pipe()
        stdin, stdin_writer = os.pipe()
        os.write(stdin_writer, b"by pipe")
        os.close(stdin_writer)
        message = RunMessage(
            module=name,
            argv=("job",),
            env=fields.get("env", ()),  # type: ignore[arg-type]
            dirs=fields.get("dirs", ()),  # type: ignore[arg-type]
            stdin=bool(fields.get("stdin")),
            memory=1 << 20,
            fuel=int(fields.get("fuel", 10**12)),  # type: ignore[call-overload]
            timeout_ms=int(fields.get("timeout_ms", 10_000)),  # type: ignore[call-overload]
            input=fields.get("input", b""),  # type: ignore[arg-type]
        )
        compiled = sealed_module(modules[name])
        extra = [stdin] if message.stdin or message.dirs else []
        socket.send_fds(channel, [message.encode()], [compiled, out_writer, err_writer, *extra])
        reply = Reply.parse(channel.recv(REPLY_MAX))
        for number in (compiled, out_writer, err_writer, stdin, err):
            os.close(number)
        os.set_blocking(out, False)
        try:
            said = os.read(out, 4096)
        except BlockingIOError:  # the worker still holds its end, and wrote nothing
            said = b""
        os.close(out)
        assert reply is not None
        end = reply.outcome
        sys.stdout.write(f"{name}|{end.kind}|{end.trap}|{end.exit_code}|{reply.started}|{said!r}|{end.detail}\n")
    channel.close()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})  # a real worker has no thread yet
    mine, theirs = worker_channel()
    guests = Guests()
    compiled = {name: wasmtime.Module(job_engine(), wasm).serialize() if wasm else b"" for name, wasm, _ in JOBS}
    thread = threading.Thread(target=console, args=(mine, {name: bytes(code) for name, code in compiled.items()}))
    thread.start()
    serve(theirs, guests, landlock=False, directories=False)
    thread.join()
