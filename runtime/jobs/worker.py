"""The worker: a process that runs jobs one after another, for one submitter, until its socket ends."""

import gc
import socket
from array import array
from typing import Final

from runtime.jobs.guest import Guests
from runtime.jobs.wire import DESCRIPTORS_MAX, MESSAGE_MAX, RunMessage

__all__ = ["serve"]

_DESCRIPTOR: Final = array("i")
_JOBS_BETWEEN_COLLECTIONS: Final = 64


def serve(channel: socket.socket, guests: Guests, *, landlock: bool, directories: bool) -> None:
    """Takes jobs and replies, until the console closes its end.

    Args:
        channel: this worker's end; one message, with descriptors, per job.
        guests: ready, but not started.
        landlock: whether the kernel is to hold it to the directories of its job.
        directories: the one job that it will run has directories; else none of its jobs has any.
    """
    guests.start(landlock=landlock, directories=directories)
    # A collection would fall into some job; stores are closed by hand, and what cycles remain wait for a quiet moment.
    gc.disable()
    # One buffer for all messages: a fresh one of this size would be mapped and cleared each time.
    buffer = bytearray(MESSAGE_MAX)
    room = socket.CMSG_SPACE(DESCRIPTORS_MAX * _DESCRIPTOR.itemsize)
    jobs = 0
    while True:
        length, ancillary, _, _ = channel.recvmsg_into([buffer], room)
        if not length:
            return
        descriptors = [number for _, _, data in ancillary for number in array("i", data)]
        reply = guests.run(RunMessage.parse(buffer[:length]), descriptors)
        channel.send(reply.encode())
        guests.refresh()
        jobs += 1
        if jobs % _JOBS_BETWEEN_COLLECTIONS == 0:
            gc.collect()
