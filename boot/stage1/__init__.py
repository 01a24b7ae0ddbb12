"""The first stage: PID 1 of an initramfs, which finds a release, verifies it and starts its kernel.

Nothing that was not verified is executed, and whatever goes wrong ends in one line that a person understands. Each
module has a pure core and a thin edge to the kernel, so that nearly all of it is tested without a machine.
"""
