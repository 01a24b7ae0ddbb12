"""How documents about jobs look to people."""

from collections.abc import Callable, Mapping
from functools import partial

from console.output import (
    NOTHING,
    Column,
    Item,
    damaged,
    duration,
    facts,
    listing,
    moment,
    short,
    size,
    text,
    word,
)
from console.petnames import giver, job_place, petname_with_id
from runtime.quantities import format_duration_ms, format_size

__all__ = ["JOBS"]


def _place(item: Item) -> str:
    """Where it runs, or who gave it: a row names one peer at most."""
    name = text(item, "submitter_name") or text(item, "where_name")
    return job_place(text(item, "where"), text(item, "submitter"), partial(petname_with_id, name))


_JOBS = (
    Column("JOB", short("job")),
    Column("NAME", word("name")),
    Column("WHERE", _place),
    Column("STATE", word("state")),
    Column("OUTCOME", word("outcome")),
    Column("EXIT", word("exit_code"), right=True),
    Column("WALL", duration("wall_ms"), right=True),
    Column("PEAK", size("memory_peak_bytes"), right=True),
    Column("CREATED", moment("created_ms")),
)


def _jobs(value: Item) -> str:
    listed = listing(_JOBS, "no jobs yet: orlop jobs run MODULE runs one")(value)
    return listed + damaged(value, "name", "reason")


def _job(value: Item) -> str:
    def limit(name: str, shown: Callable[[int], str]) -> str:
        number = value.get(f"limit_{name}")
        return shown(number) if isinstance(number, int) else NOTHING

    by = giver(text(value, "submitter"))
    grown = NOTHING
    if value.get("dir_bytes") is not None:
        grown = f"grown by {size('dir_bytes')(value)} of {limit('dir_bytes', format_size)}"
    return facts(
        [
            ("job", word("job")(value)),
            ("name", word("name")(value)),
            ("module", word("module")(value)),
            ("where", " ".join(filter(None, (text(value, "where_name"), word("where")(value))))),
            *([("given by", " ".join(filter(None, (text(value, "submitter_name"), by))))] if by else []),
            ("state", word("state")(value)),
            ("outcome", word("outcome")(value)),
            ("reason", word("reason")(value)),
            ("tripped", word("tripped")(value)),
            ("exit code", word("exit_code")(value)),
            ("created", moment("created_ms")(value)),
            ("wall", f"{duration('wall_ms')(value)} of {limit('timeout_ms', format_duration_ms)}"),
            ("memory", f"{size('memory_peak_bytes')(value)} of {limit('memory_bytes', format_size)}"),
            ("cpu", f"{duration('cpu_ms')(value)} of {limit('cpu_ms', format_duration_ms)}"),
            ("directories", grown),
            ("fuel", f"{word('fuel')(value)} of {limit('fuel', str)}"),
            ("output", f"{size('output_bytes')(value)}, each stream at most {limit('output_bytes', format_size)}"),
            ("receipt", word("receipt")(value)),
        ]
    )


JOBS: Mapping[str, Callable[[Item], str]] = {
    "jobs list": _jobs,
    "jobs show": _job,
}
"""By command."""
