"""Hypothesis strategies for events, derived from the dataclasses, so that a new type is tested without being named."""

import dataclasses
import types
from typing import Any, Union, get_args, get_origin

from hypothesis import strategies as st

from runtime.codec import event_types
from runtime.events import Event, Record

TEXT = st.text(max_size=30)
CONTENT = st.none() | st.text(st.characters(codec=None), max_size=60)
INTEGER = st.integers(-(2**63) + 1, 2**63 - 1)


def values(annotation: Any) -> st.SearchStrategy[Any]:
    scalars: dict[Any, st.SearchStrategy[Any]] = {
        type(None): st.none(),
        bool: st.booleans(),
        int: INTEGER,
        str: TEXT,
    }
    if annotation in scalars:
        return scalars[annotation]
    args = get_args(annotation)
    if get_origin(annotation) in {Union, types.UnionType}:
        return st.one_of([values(arg) for arg in args])
    if get_origin(annotation) is tuple:
        return st.lists(values(args[0]), max_size=3).map(tuple)
    return instances(annotation)


def instances(cls: Any) -> st.SearchStrategy[Any]:
    """Every field filled, content with text or None, `withheld` empty."""
    fields = {
        field.name: CONTENT if field.metadata.get("content") else values(field.type)
        for field in dataclasses.fields(cls)
        if field.metadata.get("wire", True)
    }
    return st.builds(cls, **fields)


EVENTS: st.SearchStrategy[Event] = st.one_of([instances(cls) for cls in event_types().values()])
RECORDS = st.builds(Record, st.integers(0, 2**62), st.integers(0, 4_000_000_000_000), EVENTS)
