"""What a guest's path leads to, against an oracle: the system's own `realpath`, and the rules asked about that."""

import contextlib
import errno
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runtime.components.permissions import Policy
from runtime.components.values import Ok
from tests.runtime.components.host.frame import files_in, policy_of

NAMES = st.sampled_from(["a", "b", "c"])
STEPS = st.lists(st.sampled_from(["a", "b", "c", "..", "."]), min_size=1, max_size=4).map("/".join)
TARGETS = st.one_of(STEPS, st.sampled_from(["/", "../outside", "../data/a", "../../x", "a/../../outside"]))
PLACES = st.lists(NAMES, min_size=1, max_size=2).map("/".join)
TREES = st.lists(st.tuples(PLACES, st.none() | st.none() | TARGETS), min_size=4, max_size=10)
PATHS = st.lists(PLACES | STEPS, min_size=4, max_size=8)
ALLOWED = st.lists(st.sampled_from(["/data/**", "/data/a/**", "/data/*", "/data/*/c", "/**"]), min_size=1, max_size=2)
DENIED = st.lists(st.sampled_from(["/data/a/**", "/data/b", "/data/c/*"]), max_size=1)
RULES = st.tuples(ALLOWED, DENIED)


@pytest.mark.parametrize("walks", [False, True])
@given(tree=TREES, rules=RULES, paths=PATHS)
@example(tree=[("a", "../outside"), ("b", None)], rules=(["/data/**"], []), paths=["a/kept", "b"])
@example(tree=[("c/c", None), ("b", "c")], rules=(["/data/**"], ["/data/c/*"]), paths=["b/c", "c/c"])
def test_only_what_the_rules_allow_of_what_a_path_leads_to_is_read(
    walks: bool,
    tmp_path_factory: pytest.TempPathFactory,
    tree: list[tuple[str, str | None]],
    rules: tuple[list[str], list[str]],
    paths: list[str],
) -> None:
    place = tmp_path_factory.getbasetemp() / f"guest-paths-{walks}"
    shutil.rmtree(place, ignore_errors=True)
    top = Path(os.path.realpath(place)) / "data"
    top.mkdir(parents=True)
    (top.parent / "outside").mkdir()
    (top.parent / "outside/kept").write_text("outside")
    for name, target in tree:
        with contextlib.suppress(OSError):
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            if target is None:
                (top / name).write_text(name)
            else:
                (top / name).symlink_to(target)
    policy = policy_of(read=rules[0], deny_read=rules[1])
    with pytest.MonkeyPatch.context() as patch:
        if walks:
            patch.setattr("runtime.components.host.beneath.open_by_kernel", _missing)
        files = files_in({"/data": top}, policy)
        try:
            for path in paths:
                answer = files.filesystem.read_file(f"/data/{path}")
                text = answer.value.decode() if isinstance(answer, Ok) else None
                assert text == _expected(top, policy, path)
        finally:
            files.close()


def _expected(top: Path, policy: Policy, path: str) -> str | None:
    """What the guest may read there; None for a refusal."""
    text = os.path.normpath(f"/data/{path}")
    if text != "/data" and not text.startswith("/data/"):
        return None
    try:
        (top.parent / text[1:]).stat()  # the system minds a file before `..`, Python's `realpath` does not
        real = Path(os.path.realpath(top.parent / text[1:], strict=True))
    except OSError:
        return None
    inside = real == top or top in real.parents
    if not inside or not _stays(top, text):
        return None
    allowed = policy.denied("read", text) is None and policy.read(f"/{real.relative_to(top.parent)}").allowed
    return real.read_text() if allowed and real.is_file() else None


def _stays(top: Path, text: str) -> bool:
    """Whether no link on the way is absolute or leads above the top, not even to come back."""
    waiting, here, links = text.removeprefix("/data").split("/"), top, 0
    while waiting:
        name = waiting.pop(0)
        if name == "..":
            if here == top:
                return False
            here = here.parent
        elif name not in {"", "."} and (here / name).is_symlink():
            target = str((here / name).readlink())
            links += 1
            if target.startswith("/") or links > 40:
                return False
            waiting = target.split("/") + waiting
        elif name not in {"", "."}:
            here /= name
    return True


def _missing(*_: object, **__: object) -> int:
    raise OSError(errno.ENOSYS, "an old kernel")
