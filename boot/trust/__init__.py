"""What may be booted: pinned roots, manifests, artifacts. Pure: bytes and times in, a verdict out; no clock, no I/O.

Trust advances only by verification, and the rules are these:

1. A root is pinned in the image. Another one takes its place only if its version is one higher and it is signed by the
   threshold of the old keys and by the threshold of its own.
2. A key that an earlier root had and the newest has not is revoked.
3. A manifest counts by true signatures of distinct keys of the root; those of unknown keys are not counted, a false
   one of a known key refuses it.
4. Nothing that is outside the signed bytes is used.
5. Then, in this order: form of the payload, channel, architecture, time, the floor of its version.
6. An artifact is what its length and hash say, and is hashed again at every use.
"""
