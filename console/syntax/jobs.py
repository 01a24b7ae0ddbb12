"""`orlop jobs …`."""

from dataclasses import replace

from console.commands import Arg, Command, Confirm, Kind
from console.syntax.parts import JOB, LIMIT, flag, option

__all__ = ["COMMANDS"]

_RUN = "Run it"
_LIMITS = "Limits"
_OUTPUT = "Output"
_REPLICAS_MOST = 16
_KIB, _MIB, _GIB = 1 << 10, 1 << 20, 1 << 30
_STATES = ("queued", "admitted", "compiling", "running", "done", "failed", "cancelled", "refused", "lost", "damaged")

_QUEUE = "Queue"
_PRIORITY = "-10 to 10; a greater one goes first (default: 0)"
_PRIORITIES = tuple(str(number) for number in range(-10, 11))

_GIVEN: tuple[Arg, ...] = (
    option(
        "stdin",
        Kind.PATH,
        "its standard input: a file, or - for ours; else it is empty",
        metavar="FILE",
        group=_RUN,
    ),
    option("env", Kind.PAIR, "an environment variable; may be repeated", metavar="K=V", group=_RUN, many=True),
    option(
        "dir",
        Kind.DIRECTORY,
        "a directory it may use; may be repeated, up to 16 times",
        metavar="HOST:GUEST[:ro]",
        group=_RUN,
        many=True,
        most=16,
    ),
    flag("deterministic", "fix its clock and random bytes, so that it can be run again alike", group=_RUN),
    option(
        "memory",
        Kind.SIZE,
        "memory (default: 128MiB, or jobs.memory)",
        metavar="SIZE",
        group=_LIMITS,
        low=64 * _KIB,
        high=4 * _GIB,
    ),
    option(
        "fuel",
        Kind.INTEGER,
        "instructions, roughly (default: jobs.fuel, else no less than its time can burn)",
        metavar="N",
        group=_LIMITS,
        low=1,
        high=(1 << 63) - 1,
    ),
    option(
        "timeout",
        Kind.DURATION,
        "time on the clock (default: 30s, or jobs.timeout)",
        metavar="TIME",
        group=_LIMITS,
        low=1,
    ),
    option(
        "max_output",
        Kind.SIZE,
        "bytes of stdout, and of stderr (default: 8MiB, or jobs.max_output)",
        metavar="SIZE",
        group=_LIMITS,
        low=1,
        high=1 << 40,
    ),
    option(
        "cpu",
        Kind.DURATION,
        "CPU time (default: as much as --timeout)",
        metavar="TIME",
        group=_LIMITS,
        low=1,
    ),
    option(
        "dir_quota",
        Kind.SIZE,
        "bytes by which its writable directories may grow (default: 256MiB)",
        metavar="SIZE",
        group=_LIMITS,
        low=1,
        high=1 << 40,
    ),
    option(
        "open_files",
        Kind.INTEGER,
        "files it may have open at a time (default: 64)",
        metavar="N",
        group=_LIMITS,
        low=1,
        high=1024,
    ),
    option(
        "stack",
        Kind.SIZE,
        "stack of the engine (default: 1MiB)",
        metavar="SIZE",
        group=_LIMITS,
        low=64 * _KIB,
        high=_MIB,
    ),
    option(
        "table",
        Kind.INTEGER,
        "elements of a table of functions (default: 10000)",
        metavar="N",
        group=_LIMITS,
        low=1,
        high=10_000,
    ),
)
_ON = option(
    "on",
    Kind.PEER,
    "have this peer run it: its name, its PeerId, or a multiaddr that ends in /p2p/ and that",
    metavar="PEER",
    group=_RUN,
)
_KEEP = flag("keep_output", "keep both streams, and what it needs to be run again, by hash", group=_OUTPUT)

COMMANDS: tuple[Command, ...] = (
    Command(
        name="jobs run",
        help="Run a WASI module in limits and sign a receipt for it.",
        handler="console.verbs.jobs:run",
        args=(
            Arg(name="module", kind=Kind.PATH, help="the job's .wasm file", required=True),
            Arg(name="args", kind=Kind.TEXT, help="arguments of the guest, behind --", many=True, rest=True),
            *_GIVEN,
            replace(_ON, help=f"{_ON.help}; with --replicas may be repeated", many=True, most=_REPLICAS_MOST),
            flag("discover", "have the best peer run it that is trusted and can be reached", group=_RUN),
            flag(
                "any_peer",
                "where peers are looked for: strangers as well; receipts are verified all the same",
                group=_RUN,
            ),
            option(
                "replicas",
                Kind.INTEGER,
                "with --deterministic: have so many peers run it, those of --on or the best, and compare",
                metavar="N",
                group=_RUN,
                low=2,
                high=_REPLICAS_MOST,
            ),
            option(
                "agree",
                Kind.INTEGER,
                "with --replicas: how many must agree on output and exit code (default: more than half)",
                metavar="M",
                group=_RUN,
                low=2,
                high=_REPLICAS_MOST,
            ),
            option("priority", Kind.CHOICE, _PRIORITY, metavar="N", group=_QUEUE, choices=_PRIORITIES),
            _KEEP,
            option("receipt", Kind.OUT, "write the receipt here", metavar="OUT", group=_OUTPUT),
            option("exit_file", Kind.OUT, "write outcome and exit code here, JSON", metavar="OUT", group=_OUTPUT),
        ),
        changes=True,
        grows=True,
        detail=(
            "stdout and stderr pass through unchanged and the exit code is the guest's; 124 is the time limit,"
            " 125 means that orlop did not run it or does not believe the result, 134 a trap or another limit, 130, 143"
            " and 137 a cancellation. With --on the job goes to a peer, which must have this node on its list"
            " (orlop peers trust … --jobs); its receipt is verified, and a false step is 125 after the output."
            " With --replicas the output is held until enough peers have signed for the same; else it is 125."
        ),
        examples=(
            "echo 'Hello, harbor' | orlop jobs run hello.wasm --stdin -",
            "orlop jobs run hello.wasm --stdin names.txt --on ada",
            "orlop jobs run hello.wasm --deterministic --replicas 3",
            "orlop jobs run sort.wasm --dir ./data:/data:ro --memory 64MiB --receipt sort.json -- /data/in.txt",
        ),
    ),
    Command(
        name="jobs submit",
        help="Put a WASI module into the queue and return at once.",
        handler="console.verbs.queue:submit",
        args=(
            Arg(name="module", kind=Kind.PATH, help="the job's .wasm file", required=True),
            Arg(name="args", kind=Kind.TEXT, help="arguments of the guest, behind --", many=True, rest=True),
            *_GIVEN,
            option("priority", Kind.CHOICE, _PRIORITY, metavar="N", group=_QUEUE, choices=_PRIORITIES),
            option(
                "retries",
                Kind.INTEGER,
                "how often to run it again when its worker was lost, and for nothing else (default: 0)",
                metavar="N",
                group=_QUEUE,
                low=0,
                high=10,
            ),
            option(
                "expires",
                Kind.DURATION,
                "do not start it later than this from now",
                metavar="TIME",
                group=_QUEUE,
                low=1,
            ),
            _ON,
            _KEEP,
        ),
        changes=True,
        grows=True,
        detail=(
            "The job waits in the state directory, with module, input and directories kept by hash, until the program"
            " that owns it runs it: orlop, or orlop --no-ui. It survives that program. Directories are read-only."
        ),
        examples=(
            "orlop jobs submit hello.wasm --stdin names.txt --priority 5",
            "orlop jobs submit sort.wasm --dir ./data:/data:ro --retries 2 --expires 10m -- /data/in.txt",
        ),
    ),
    Command(
        name="jobs list",
        help="List jobs, newest first.",
        handler="console.verbs.jobs:list_jobs",
        args=(
            option("state", Kind.CHOICE, "only jobs in this state", metavar="STATE", choices=_STATES),
            option("submitter", Kind.NAME, "only jobs of local, or of this key", metavar="WHO"),
            LIMIT,
        ),
        examples=("orlop jobs list", "orlop jobs list --state failed --json"),
    ),
    Command(
        name="jobs show",
        help="Show a job: limits, usage, outcome, signed manifest and receipt.",
        handler="console.verbs.jobs:show",
        args=(JOB,),
        needs="job",
        examples=("orlop jobs show 7f3a",),
    ),
    Command(
        name="jobs cancel",
        help="Cancel a job; it still gets a signed receipt.",
        handler="console.verbs.jobs:cancel",
        args=(JOB,),
        changes=True,
        confirm=Confirm.NONE,
        needs="job",
        examples=("orlop jobs cancel 7f3a",),
    ),
    Command(
        name="jobs logs",
        help="Print what a job wrote, as far as it was kept.",
        handler="console.verbs.jobs:logs",
        args=(
            JOB,
            flag("stderr", "its standard error instead of its standard output"),
            flag("follow", "go on until the job has ended", short="f"),
        ),
        needs="job",
        examples=("orlop jobs logs 7f3a", "orlop jobs logs 7f3a --stderr", "orlop jobs logs 7f3a -f"),
    ),
    Command(
        name="jobs rerun",
        help="Put a job into the queue once more, with the same module, input, arguments and limits.",
        handler="console.verbs.queue:rerun",
        args=(JOB,),
        changes=True,
        grows=True,
        needs="job",
        detail="What it needs must have been kept, as by jobs submit, or by jobs run --keep-output.",
        examples=("orlop jobs rerun 7f3a",),
    ),
)
