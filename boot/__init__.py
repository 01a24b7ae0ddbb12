"""Machines that start from verified images: trust, serving, fetching, the first stage, images and packages.

What runs in an initramfs (`boot.trust`, `boot.fetch`, `boot.stage1`) loads nothing but the standard library,
`cryptography` and the few modules of `runtime` that do the same.
"""
