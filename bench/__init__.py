"""Measurements of orlop: `python -m bench [ROW…]`; ratios against a baseline of the same run, no assertion on time."""
