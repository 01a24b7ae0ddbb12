"""The settings of jobs: limits of those whose callers name none, limits for all, the queue, and what is kept."""

from dataclasses import dataclass, field

from console.setting_key import Unit

__all__ = ["JobsConfig"]

_MIB, _GIB = 1 << 20, 1 << 30
_SECOND, _HOUR = 1_000, 3_600_000


@dataclass(frozen=True, slots=True)
class JobsConfig:
    """`[jobs]`."""

    workers: int = field(
        default=2,
        metadata={
            "unit": Unit.COUNT,
            "help": "jobs that run at a time, and worker processes that are kept ready",
            "low": 1,
            "high": 64,
            "restart": True,
        },
    )
    memory_bytes: int = field(
        default=128 * _MIB,
        metadata={
            "unit": Unit.SIZE,
            "help": "memory of a job whose caller names none",
            "low": 64 << 10,
            "high": 4 * _GIB,
        },
    )
    fuel: int = field(
        default=0,
        metadata={
            "unit": Unit.COUNT,
            "help": "fuel (instructions, roughly) of a job whose caller names none; 0: more than its time lets it burn",
            "low": 0,
            "high": (1 << 63) - 1,
        },
    )
    timeout_ms: int = field(
        default=30 * _SECOND,
        metadata={
            "unit": Unit.DURATION,
            "help": "time on the clock of a job whose caller names none",
            "low": 1,
            "high": _HOUR,
        },
    )
    max_output_bytes: int = field(
        default=8 * _MIB,
        metadata={
            "unit": Unit.SIZE,
            "help": "bytes of stdout, and as many of stderr, of a job whose caller names none",
            "low": 1,
            "high": _GIB,
        },
    )
    ceiling_memory_bytes: int = field(
        default=4 * _GIB,
        metadata={
            "unit": Unit.SIZE,
            "help": "memory that no job may ask for more than",
            "low": 64 << 10,
            "high": 4 * _GIB,
            "restart": True,
        },
    )
    ceiling_fuel: int = field(
        default=(1 << 63) - 1,
        metadata={
            "unit": Unit.COUNT,
            "help": "fuel that no job may ask for more than",
            "low": 1,
            "high": (1 << 63) - 1,
            "restart": True,
        },
    )
    ceiling_timeout_ms: int = field(
        default=24 * _HOUR,
        metadata={
            "unit": Unit.DURATION,
            "help": "time that no job may ask for more than",
            "low": 1,
            "high": 24 * _HOUR,
            "restart": True,
        },
    )
    ceiling_output_bytes: int = field(
        default=_GIB,
        metadata={
            "unit": Unit.SIZE,
            "help": "output that no job may ask for more than",
            "low": 1,
            "high": _GIB,
            "restart": True,
        },
    )
    ceiling_cpu_ms: int = field(
        default=24 * _HOUR,
        metadata={
            "unit": Unit.DURATION,
            "help": "CPU time that no job may ask for more than",
            "low": 1,
            "high": 24 * _HOUR,
            "restart": True,
        },
    )
    ceiling_stack_bytes: int = field(
        default=_MIB,
        metadata={
            "unit": Unit.SIZE,
            "help": "stack of the engine that no job may ask for more than",
            "low": 64 << 10,
            "high": _MIB,
            "restart": True,
        },
    )
    ceiling_table: int = field(
        default=10_000,
        metadata={
            "unit": Unit.COUNT,
            "help": "elements of a table that no job may ask for more than",
            "low": 1,
            "high": 10_000,
            "restart": True,
        },
    )
    ceiling_open_files: int = field(
        default=1024,
        metadata={
            "unit": Unit.COUNT,
            "help": "open files that no job may ask for more than",
            "low": 1,
            "high": 1024,
            "restart": True,
        },
    )
    ceiling_dir_bytes: int = field(
        default=1 << 40,
        metadata={
            "unit": Unit.SIZE,
            "help": "growth of writable directories that no job may ask for more than",
            "low": 1,
            "high": 1 << 40,
            "restart": True,
        },
    )
    ceiling_module_bytes: int = field(
        default=16 * _MIB,
        metadata={
            "unit": Unit.SIZE,
            "help": "size of a module above which no job is run",
            "low": 1,
            "high": 16 * _MIB,
            "restart": True,
        },
    )
    ceiling_stdin_bytes: int = field(
        default=_GIB,
        metadata={
            "unit": Unit.SIZE,
            "help": "size of a standard input, as far as it is known beforehand, above which no job is run",
            "low": 1,
            "high": 1 << 40,
            "restart": True,
        },
    )
    queue: int = field(
        default=1000,
        metadata={
            "unit": Unit.COUNT,
            "help": "jobs that may wait; one more is refused",
            "low": 1,
            "high": 100_000,
            "restart": True,
        },
    )
    queue_time_ms: int = field(
        default=_HOUR,
        metadata={
            "unit": Unit.DURATION,
            "help": "time for which a job waits for its turn while orlop runs, before it is refused",
            "low": 1,
            "high": 366 * 24 * _HOUR,
            "restart": True,
        },
    )
    keep_days: int = field(
        default=30,
        metadata={
            "unit": Unit.COUNT,
            "help": "days for which jobs that ended are kept, with their output; receipts stay",
            "low": 1,
            "high": 3650,
        },
    )
    keep_output_bytes: int = field(
        default=_GIB,
        metadata={
            "unit": Unit.SIZE,
            "help": "size of all output above which that of the oldest jobs goes",
            "low": 0,
            "high": 1 << 50,
        },
    )
