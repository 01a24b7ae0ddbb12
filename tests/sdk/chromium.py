"""A real browser without a window, driven over a pair of pipes in Chrome's own protocol."""

import fcntl
import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

__all__ = ["Chromium"]

_MESSAGE_MAX = 50 << 20

Message = dict[str, Any]

_OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # the tests may run as root, and open nothing but our own page
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--no-default-browser-check",
    "--remote-debugging-pipe",
)


class Chromium:
    """One page; use as a context manager.

    Args:
        folder: the browser's profile, made anew.
        page: what is opened.
    """

    def __init__(self, folder: Path, page: Path) -> None:
        self._folder = folder
        self._page = page
        self._next = 0
        self._events: list[Message] = []
        self._session = ""

    def __enter__(self) -> Self:
        self._folder.mkdir(exist_ok=True)
        low_in, ours_out = os.pipe()
        ours_in, low_out = os.pipe()
        theirs_in, theirs_out = (fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 10) for low in (low_in, low_out))
        # The protocol's two descriptors are 3 and 4; bash puts them there.
        start = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out} {theirs_in}<&- {theirs_out}>&-'
        program = ["chromium", *_OPTIONS, f"--user-data-dir={self._folder}", "about:blank"]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["bash", "-c", start, "bash", *program],
                pass_fds=(theirs_in, theirs_out),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"], "HOME": str(self._folder), "LANG": "C.UTF-8"},
                start_new_session=True,
            )
        for descriptor in (low_in, low_out, theirs_in, theirs_out):
            os.close(descriptor)
        self._out = os.fdopen(ours_out, "wb")
        self._in = os.fdopen(ours_in, "rb")
        self._attach()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._session = ""
            self.call("Browser.close")
        else:  # it may no longer answer
            os.killpg(self._process.pid, signal.SIGKILL)
        self._out.close()
        self._in.read()  # until the browser and all that it started let go of it
        self._in.close()
        self._process.wait()

    def _attach(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime"):
            self.call(f"{domain}.enable")
        self.open()

    def open(self, page: Path | None = None) -> None:
        """Loads the page anew, or another one; what happened before is forgotten."""
        self._events.clear()
        self.call("Page.navigate", url=(page or self._page).as_uri())
        self.event(lambda event: event["method"] == "Page.loadEventFired")

    def call(self, method: str, **params: object) -> Message:
        """One command of the protocol, and its result."""
        self._next += 1
        message: Message = {"id": self._next, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        raw = json.dumps(message).encode()
        assert len(raw) < _MESSAGE_MAX, "the browser would read none of it, and wait for ever"
        self._out.write(raw + b"\0")
        self._out.flush()
        while True:
            answer = self._receive()
            if answer.get("id") == self._next:
                assert "error" not in answer, (method, answer["error"])
                result: Message = answer["result"]
                return result
            self._events.append(answer)

    def event(self, wanted: Callable[[Message], bool]) -> Message:
        """The first event, past or to come, for which something is true."""
        while True:
            for event in self._events:
                if wanted(event):
                    return event
            self._events.append(self._receive())

    def _receive(self) -> Message:
        raw = bytearray()
        while (byte := self._in.read(1)) != b"\0":
            assert byte, (self._folder / "log").read_text()
            raw += byte
        message: Message = json.loads(raw)
        return message

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page; a promise's is waited for."""
        script = {"expression": expression, "awaitPromise": True, "returnByValue": True, "userGesture": True}
        answer = self.call("Runtime.evaluate", **script)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def when(self, expression: str) -> Any:
        """The value of an expression once it is truthy; looked at whenever the page changes."""
        return self.evaluate(
            "new Promise((done) => { const look = () => { const value = (" + expression + "); if (value) done(value);"
            " return value; }; if (!look()) { const seen = new MutationObserver(() => look() && seen.disconnect());"
            " seen.observe(document, {subtree: true, childList: true, attributes: true, characterData: true}); } })"
        )

    def drop(self, element: str, *files: Path) -> None:
        """Drops files on an element as a hand with a mouse would."""
        box = self.evaluate(
            f"(() => {{ const box = document.querySelector({element!r}).getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        data = {"items": [], "files": [str(path) for path in files], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=kind, x=box[0], y=box[1], data=data)
