"""What a machine says it has is measured."""

import os
import platform

from net.jobs.machine import measure


def test_it_is_what_the_kernel_says() -> None:
    found = measure()
    assert (found.arch, found.cpu_cores) == (platform.machine(), len(os.sched_getaffinity(0)))
    assert 0 < found.free_mb < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
