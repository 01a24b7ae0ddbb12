"""Executes the snippets of the documentation: Python blocks, and console blocks in a state directory of the page's own.

A console block holds lines `$ command` and, under each, what it prints; `…` stands for anything. The program is the
real one, and its directory is made anew for every page. Blocks of PHP, JavaScript, C, Rust, TypeScript, TOML and
Python (as `py`) that name a file in their first line are put there for the commands below them. Other blocks are for
reading.

Pages that need more than Python packages have the marker `sdk` and are executed by `make test-sdk`; those that compile
a guest have the marker `kit` (`make test-kit`), or `languages` (`make test-lang`). Those that boot machines have the
marker `boot` (`make test-boot`). A command that ends with `&` runs until the page ends.
"""

import os
import random
import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

ROOT = Path(__file__).resolve().parent.parent
BOOT_PAGES = {"first-boot.md"}
KIT_PAGES = {
    "build-an-agent-in-zig.md",
    "build-an-agent.md",
    "components-getting-started.md",
    "develop-a-component.md",
    "first-agent.md",
}
LANGUAGE_PAGES = {"build-an-agent-in-assemblyscript.md", "build-an-agent-in-rust.md"}
PORT = "8080"
"""What pages write; here it is another one."""
SDK_PAGES = {"use-from-javascript.md", "use-from-php.md", "verify-with-openssl.md", "verify-without-trusting-us.md"}


@pytest.hookimpl(tryfirst=True)  # before those without the wanted marker are left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what needs other interpreters, or the compiler."""
    for item in items:
        if item.path.name in SDK_PAGES:
            item.add_marker("sdk")
        if item.path.name in KIT_PAGES:
            item.add_marker("kit")
        if item.path.name in BOOT_PAGES:
            item.add_marker("boot")
        if item.path.name in LANGUAGE_PAGES:
            item.add_marker("languages")


def matches(expected: str, printed: str) -> bool:
    """Whether `printed` is `expected`, in which `…` stands for any text."""
    pattern = ".*".join(re.escape(part) for part in expected.strip().split("…"))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


def run_console(example: Example) -> str | None:
    """Runs every `$` line of a block and compares what it prints."""
    block = str(example.parsed).replace(PORT, str(example.namespace["port"]))
    for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, expected = step.partition("\n")
        if command.endswith("&"):
            begin(command.removesuffix("&"), example)
            continue
        run = subprocess.run(
            ["/bin/bash", "-c", command],
            cwd=example.namespace["cwd"],
            env=environ(example),
            capture_output=True,
            text=True,
            check=False,
        )
        if not matches(expected, run.stdout):
            return f"$ {command}\nprinted:\n{run.stdout}{run.stderr}\nexpected:\n{expected}"
    return None


def environ(example: Example) -> dict[str, str]:
    """For commands; those that build images find the packages that all tests share."""
    plain = example.namespace["environ"]
    assert isinstance(plain, dict)
    cache = {"XDG_CACHE_HOME": str(Path(str(example.namespace["cwd"]), "cache"))}
    return plain | cache if Path(example.path).name in BOOT_PAGES else plain


def begin(command: str, example: Example) -> None:
    """Runs a command beside those that follow."""
    running = example.namespace["running"]
    assert isinstance(running, list)
    words = ["/bin/bash", "-c", f"exec {command}"]
    running.append(
        subprocess.Popen(words, cwd=example.namespace["cwd"], env=environ(example), stdin=subprocess.DEVNULL)
    )


def free_port() -> int:
    """One that nobody listens on, and that the kernel gives to nobody by itself."""
    while True:
        port = random.SystemRandom().randrange(20_000, 30_000)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port


def write_file(example: Example) -> None:
    """Writes a block to the file that its first line names."""
    source = str(example.parsed)
    if named := re.match(r"(?:<\?php )?(?://|/\*|#) ([A-Za-z]+\.(?:php|mjs|c|rs|ts|toml|py))\b", source):
        Path(str(example.namespace["cwd"]), named[1]).write_text(source)


def setup(namespace: dict[str, object]) -> None:
    """A state directory for one page, and the program of this checkout first in the path."""
    folder = tempfile.TemporaryDirectory()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("ORLOP_", "XDG_", "COV"))}
    Path(folder.name, "assets").symlink_to(ROOT / "assets")
    Path(folder.name, "cache").mkdir()
    Path(folder.name, "cache", "orlop").symlink_to(ROOT / "build" / "boot")
    namespace["running"] = []
    namespace["port"] = free_port()
    namespace["folder"] = folder
    namespace["cwd"] = folder.name
    namespace["environ"] = keep | {"PATH": path, "ORLOP_STATE_DIR": f"{folder.name}/state"}


def teardown(namespace: dict[str, object]) -> None:
    """Ends what still runs, and removes the page's directory."""
    running = namespace["running"]
    assert isinstance(running, list)
    for process in running:
        process.terminate()
    for process in running:
        process.wait(60)
    folder = namespace["folder"]
    assert isinstance(folder, tempfile.TemporaryDirectory)
    folder.cleanup()


pytest_collect_file = Sybil(
    parsers=[
        PythonCodeBlockParser(),
        CodeBlockParser("console", run_console),
        CodeBlockParser("php", write_file),
        CodeBlockParser("js", write_file),
        CodeBlockParser("c", write_file),
        CodeBlockParser("rust", write_file),
        CodeBlockParser("ts", write_file),
        CodeBlockParser("toml", write_file),
        CodeBlockParser("py", write_file),
    ],
    pattern="*.md",
    setup=setup,
    teardown=teardown,
).pytest()
