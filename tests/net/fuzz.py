"""`python -m tests.net.fuzz [--runs N] [--seed S] [--target NAME]`: changes inputs of parsers and says what breaks.

An input is a function of target, seed and number, so that a fault comes again by its line in the report.
"""

import argparse
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from tests.net.fuzz_targets import TARGETS, Target

__all__ = ["Fault", "faults", "input_of"]

_LONGEST = 4_096
_TELLING = (0, 1, 0x0A, 0x2F, 0x7F, 0x80, 0xFF)
"""Bytes at which formats turn: zeros, line ends, slashes, the ends of the range, more to come."""


@dataclass(frozen=True)
class Fault:
    """An input that a parser neither took nor refused as it promises."""

    target: str
    seed: int
    number: int
    raw: bytes
    error: Exception

    def __str__(self) -> str:
        again = f"--target '{self.target}' --seed {self.seed} --first {self.number} --runs 1"
        return f'{self.target}: {self.error!r} of {self.raw.hex()}\n  again: make fuzz ARGS="{again}"'


def faults(target: Target, seed: int, numbers: range) -> Iterator[Fault]:
    """Gives a parser so many inputs."""
    for number in numbers:
        raw = input_of(target, seed, number)
        try:
            target.parse(raw)
        except target.refusal:
            continue
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            yield Fault(target.name, seed, number, raw, error)


def input_of(target: Target, seed: int, number: int) -> bytes:
    """One input: something that is taken, changed in one to six places; sometimes bytes that were never anything."""
    chance = Random(f"{seed} {target.name} {number}")
    if chance.random() < 0.05:
        return chance.randbytes(chance.randrange(200))
    raw = bytearray(chance.choice(target.seeds))
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        chance.choice(_CHANGES)(raw, chance, target)
    return bytes(raw[:_LONGEST])


def _flip(raw: bytearray, chance: Random, target: Target) -> None:
    if raw:
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)


def _replace(raw: bytearray, chance: Random, target: Target) -> None:
    if raw:
        raw[chance.randrange(len(raw))] = chance.choice(_TELLING)


def _step(raw: bytearray, chance: Random, target: Target) -> None:
    """Lengths that are wrong by a little."""
    if raw:
        at = chance.randrange(len(raw))
        raw[at] = (raw[at] + chance.choice((-2, -1, 1, 2))) % 256


def _insert(raw: bytearray, chance: Random, target: Target) -> None:
    at = chance.randrange(len(raw) + 1)
    raw[at:at] = chance.choice((chance.randbytes(chance.randrange(1, 9)), bytes([chance.choice(_TELLING)]) * 10))


def _cut(raw: bytearray, chance: Random, target: Target) -> None:
    del raw[chance.randrange(len(raw) + 1) :]


def _drop(raw: bytearray, chance: Random, target: Target) -> None:
    at = chance.randrange(len(raw) + 1)
    del raw[at : at + chance.randrange(1, 9)]


def _repeat(raw: bytearray, chance: Random, target: Target) -> None:
    at = chance.randrange(len(raw) + 1)
    end = at + chance.randrange(1, 40)
    raw[at:at] = raw[at:end] * chance.choice((1, 1, 40))


def _cross(raw: bytearray, chance: Random, target: Target) -> None:
    other = chance.choice(target.seeds)
    at = chance.randrange(len(other) + 1)
    raw[chance.randrange(len(raw) + 1) :] = other[at:]


_CHANGES: tuple[Callable[[bytearray, Random, Target], None], ...] = (
    _flip, _replace, _step, _insert, _cut, _drop, _repeat, _cross,
)  # fmt: skip


def main() -> int:
    """Runs all targets, or the named ones."""
    names = [target.name for target in TARGETS]
    parser = argparse.ArgumentParser(description="Give parsers inputs that strangers might send.")
    parser.add_argument("--runs", type=int, default=6_000, help="inputs of each target")
    parser.add_argument("--first", type=int, default=0, help="the number of the first")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32), help="another one is other inputs")
    parser.add_argument("--target", action="append", choices=names, help="only this; may be said again")
    options = parser.parse_args()
    began, found = time.monotonic(), 0
    for target in TARGETS:
        if target.name not in (options.target or names):
            continue
        for fault in faults(target, options.seed, range(options.first, options.first + options.runs)):
            found += 1
            sys.stdout.write(f"{fault}\n")
    took = time.monotonic() - began
    sys.stdout.write(f"seed {options.seed}, {options.runs} inputs a target, {found} faults, {took:.0f} s\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
