"""The second stage: the root file system that was verified, under an overlay in memory, and the node that lives in it.

`boot.stage2.overlay` is what the initramfs carries of it; all else runs inside that root file system.
"""
