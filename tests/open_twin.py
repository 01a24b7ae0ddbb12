"""Our processes keep their memory to themselves; tests that look into one start a twin that does not."""

__all__ = ["open_twin"]


def open_twin(program: str) -> str:
    """The program of a process of ours, for `monkeypatch`, so that its user may look into it.

    Args:
        program: what its interpreter is given: `… from MODULE import main; main(…)`.
    """
    before, _, rest = program.partition("from ")
    module, _, after = rest.partition(" import main; ")
    assert after.startswith("main(")
    return f"{before}import {module} as own; own.keep_memory_private = lambda: None; own.{after}"
