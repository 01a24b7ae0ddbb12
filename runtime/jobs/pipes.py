"""Waiting for pipes on the loop, without blocking it."""

import asyncio

__all__ = ["readable", "writable"]


async def writable(descriptor: int) -> None:
    """Waits until a write does not block, or fails because nobody reads any more.

    Args:
        descriptor: the writing end of a pipe that does not block; it stays open meanwhile.
    """
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_writer(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(descriptor)


async def readable(descriptor: int) -> None:
    """Waits until a read does not block; of what cannot be waited for, as a file, it never does.

    Args:
        descriptor: of anything; it stays open meanwhile.
    """
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(descriptor, ready.set)
    except PermissionError:
        return
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
