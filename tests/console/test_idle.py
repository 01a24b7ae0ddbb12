"""When a screen that nobody touches locks."""

from console.idle import IdleWatch


def test_it_is_told_once_when_the_time_is_over() -> None:
    watch = IdleWatch(300, 1_000)
    assert [watch.due(at) for at in (1_000, 1_299.9, 1_300, 1_301, 9_999)] == [False, False, True, False, False]


def test_every_touch_begins_the_time_anew() -> None:
    watch = IdleWatch(300, 0)
    watch.touched(299)
    assert not watch.due(300)
    assert watch.due(599)
    watch.touched(600)
    assert not watch.due(601)
    assert watch.due(900)


def test_without_a_time_it_never_locks() -> None:
    assert not IdleWatch(0, 0).due(1e9)
