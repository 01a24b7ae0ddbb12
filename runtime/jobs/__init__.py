"""Jobs: WASI modules run once, in worker processes and under limits, and signed receipts of what they did.

Import what you need from its module; this package loads nothing by itself.
"""

__all__: list[str] = []
