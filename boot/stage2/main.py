"""From the root file system to a running node: disks, cache, network, identity and configuration, as the mode says.

Executed by `boot.stage2.overlay` as PID 1, as root; the node itself and its first job run as the user `orlop`.
"""

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import assets
from boot.errors import BootUnavailableError
from boot.modes import Rules, narrowed
from boot.stage1 import libc, link
from boot.stage1.cache import CACHE, NODE, mount_partition, wait_for_partition
from boot.stage1.disks import make_read_only
from boot.stage1.ending import Plan, end, fails_of, fails_word
from boot.stage1.handover import Handover
from boot.stage1.image import Image
from boot.stage1.lease import Lease
from boot.stage1.network import System, connect
from boot.stage1.say import Say, open_consoles
from boot.stage2 import facts
from boot.stage2.greeting import Greeting, greet
from boot.stage2.overlay import KEPT, SUPERVISOR
from boot.stage2.power_button import PowerButton
from boot.stage2.processes import Account, Program, begin_call
from boot.stage2.renewal import keep_lease
from boot.stage2.supervisor import SIGNALS, Supervisor
from boot.stage2.watchdog import Watchdog
from runtime import durable
from runtime.errors import FailedError, OrlopError

__all__ = ["Stage2", "main"]

ORLOP: Final = ("/usr/bin/orlop",)
ACCOUNT: Final = Account(1000, 1000)
ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "HOME": "/var/lib/orlop", "LANG": "C.UTF-8"}
MODULE: Final = Path(assets.__file__).parent / "jobs/hello/hello.wasm"
IN_MEMORY: Final = Path("/var/lib/orlop")
_KEPT: Final = Path(KEPT)
_PORTS: Final = Path("/sys/class/virtio-ports")
_EVENTS: Final = "org.orlop.events"
_DISK_S: Final = 20.0
_RUN_MODE: Final = 0o755


@dataclass(frozen=True, slots=True)
class Stage2:
    """What is known of this boot.

    Attributes:
        handover: what the first stage said.
        image: what the image says of itself.
        say: lines for every console.
    """

    handover: Handover
    image: Image
    say: Callable[[str], None]

    @property
    def rules(self) -> Rules:
        """Of the mode, less what was taken away before; without a cache nothing is kept."""
        return narrowed(self.handover.mode, cache=bool(self.handover.cache), report=self.handover.report)


def main() -> NoReturn:
    """PID 1; never returns."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    say = Say(open_consoles())
    plan = Plan()
    try:
        stage = Stage2(
            Handover.parse((_KEPT / "handover.json").read_bytes()),
            Image.parse((_KEPT / "image.json").read_bytes()),
            say.line,
        )
        plan = Plan(stage.handover.onfail, max(stage.handover.fails, fails_of(sys.argv[1:])))
        _live(stage)
    except BaseException as error:  # noqa: BLE001 - PID 1 must not end
        end(error, plan, say, _again)
    say.line("exit 0")
    _power_off()


def _live(stage: Stage2) -> None:
    """Until the machine is told to end."""
    handover, rules, say = stage.handover, stage.rules, stage.say
    say(f"stage 2, release {handover.release}, manifest {handover.manifest_hash[:16]}, mode {handover.mode}")
    watchdog, button = Watchdog(), PowerButton()
    _set_clock(stage.image)
    state = _state(stage)
    kept = (state / "identity.key").exists()
    lease = _network(stage)
    if rules.block_devices == "read-only":
        make_read_only()  # again: a disk may have appeared since the first time
    config = _write_facts(stage, str(lease.address.ip) if lease is not None else "")
    supervisor = Supervisor(
        node=_node(state, config),
        say=say,
        watchdog=watchdog,
        button=button,
        greeted=lambda: _forget(handover),
    )
    supervisor.begin()
    greeting = Greeting(
        command=ORLOP,
        environment=ENVIRONMENT,
        state=state,
        config=config,
        module=MODULE,
        receipt=_private("greeting") / "receipt.json",
        kept=kept,
    )
    supervisor.greeter = begin_call(lambda: greet(greeting, handover, say), ACCOUNT)
    if lease is not None:
        begin_call(lambda: keep_lease(lease, rules, System(), say), None)
    supervisor.run()
    with contextlib.suppress(OSError):
        libc.umount(str(CACHE))
    watchdog.close()


def _set_clock(image: Image) -> None:
    """It is never earlier than when the image was built; a clock without a battery says 1970."""
    if time.time() * 1000 < image.built_ms:
        with contextlib.suppress(OSError):
            time.clock_settime(time.CLOCK_REALTIME, image.built_ms / 1000)


def _state(stage: Stage2) -> Path:
    """Where the node lives: on the cache where the mode keeps it, else in memory."""
    if stage.rules.writes:
        try:
            found = wait_for_partition(stage.handover.cache, _DISK_S)
            if found is not None:
                mount_partition(found, CACHE, "ext4", writes=True)
                return _owned(CACHE / NODE)
            stage.say("cache: its disk is gone: the node lives in memory")
        except (OrlopError, OSError) as error:
            stage.say(f"cache: {error}: the node lives in memory")
    return _owned(IN_MEMORY)


def _owned(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.is_symlink():
        raise FailedError("is a link, so this is somebody else's", where=str(folder))
    if folder.lstat().st_uid != ACCOUNT.user:
        os.chown(folder, ACCOUNT.user, ACCOUNT.group, follow_symlinks=False)
    folder.chmod(0o700)
    return folder


def _network(stage: Stage2) -> Lease | None:
    """The address of this machine; None without a network, which no mode needs any more."""
    with contextlib.suppress(OrlopError):
        link.bring_up("lo")
    try:
        return connect(stage.rules, System(), stage.say)
    except BootUnavailableError as error:
        stage.say(f"no network: {error}")
        return None


def _write_facts(stage: Stage2, address: str) -> Path:
    """What the node and people are told; gives the configuration file."""
    socket.sethostname("orlop")
    text = facts.release_text(stage.handover, int(time.time() * 1000))
    durable.replace(Path("/etc/orlop-release"), text.encode(), mode=0o644)
    _KEPT.chmod(_RUN_MODE)
    booted, config = _KEPT / "booted.json", _KEPT / "config.toml"
    durable.replace(booted, facts.booted_of(stage.handover, session=True).document(), mode=0o644)
    written = facts.configuration(stage.rules, stage.handover.bootstrap or stage.image.bootstrap, address, str(booted))
    durable.replace(config, written.encode(), mode=0o644)
    return config


def _forget(handover: Handover) -> None:
    """A node that is begun again takes no nonce a second time."""
    durable.replace(_KEPT / "booted.json", facts.booted_of(handover, session=False).document(), mode=0o644)


def _node(state: Path, config: Path) -> Program:
    words = (*ORLOP, "--no-ui", "--state-dir", str(state), "--config", str(config))
    return Program(words=words, environment=ENVIRONMENT, account=ACCOUNT, output=_events())


def _events() -> int | None:
    """The port of a virtual machine that takes the node's events, where there is one."""
    with contextlib.suppress(OSError):
        for port in sorted(_PORTS.iterdir()):
            if (port / "name").read_text("ascii").strip() == _EVENTS:
                return os.open(Path("/dev") / port.name, os.O_WRONLY | os.O_CLOEXEC)
    return None


def _private(name: str) -> Path:
    return _owned(_KEPT / name)


def _again(fails: int) -> None:
    """From the top, with nothing left of what ran; the count is in memory alone, so the machine itself goes on."""
    if os.getpid() == 1:  # to anybody else, -1 is everything of a user's
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)
    with contextlib.suppress(OSError):
        libc.umount(str(CACHE))
    os.execv(SUPERVISOR[0], (*SUPERVISOR, fails_word(fails)))  # noqa: S606 - this program


def _power_off() -> NoReturn:
    sys.stdout.flush()
    with contextlib.suppress(OSError):
        libc.reboot(libc.REBOOT_OFF)
    while True:
        signal.pause()
