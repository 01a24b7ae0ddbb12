"""Configuration: precedence, origins, and one clear line for every mistake."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.config import Config, changed, config_file, describe, load, set_value
from console.setting_key import Key, Unit, Value
from console.settings import KEYS
from runtime.errors import UsageError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def value(config: Config, name: str) -> tuple[Value, str]:
    return next((s.value, s.origin) for s in config if s.key.name == name)


def test_without_any_source_everything_is_at_its_default() -> None:
    config = load(None)
    assert config == Config()
    assert all(setting.origin == "default" and setting.value == setting.key.default for setting in config)
    assert config.jobs.memory_bytes == 128 << 20
    assert config.node_name


def test_precedence_option_environment_set_file_default(tmp_path: Path, file: Path) -> None:
    file.write_text('[jobs]\nmemory = "1MiB"\ntimeout = "1s"\nceiling_fuel = 5\nworkers = 1\n')
    config_d = tmp_path / "config.d"
    for name, text in (("jobs.timeout", "2s"), ("jobs.ceiling_fuel", "6"), ("jobs.workers", "3")):
        set_value(config_d, name, text)
    config = load(file, config_d, {"ORLOP_JOBS_CEILING_FUEL": "7", "ORLOP_JOBS_WORKERS": "4"}, {"jobs.workers": "9"})
    assert value(config, "jobs.memory") == (1 << 20, "config.toml:2")
    assert value(config, "jobs.timeout") == (2000, "50-set.toml:3")
    assert value(config, "jobs.ceiling_fuel") == (7, "ORLOP_JOBS_CEILING_FUEL")
    assert value(config, "jobs.workers") == (9, "option")
    assert value(config, "jobs.max_output") == (8 << 20, "default")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[jobs]\nmemroy = 1\n", 2, "unknown key `jobs.memroy`; did you mean `jobs.memory`?"),
        ("memory = 1\n", 1, "unknown key `memory`; did you mean `jobs.memory`?"),
        ("[job]\nmemory = 1\n", 1, "unknown key `job`"),
        ("\n\njobs = 3\n", 3, "unknown key `jobs`"),
        ('[jobs]\n\n"memory" = true\n', 3, "jobs.memory: expected a size, such as"),
        ("jobs = { memory = [] }\n", 1, "jobs.memory: expected a size"),
        ("[jobs]\ntimeout = 30\n", 2, 'jobs.timeout: expected a duration, such as "30s"'),
        ('[jobs]\nworkers = "2"\n', 2, "jobs.workers: expected a number, such as 2"),
        ("[jobs]\nworkers = 65\n", 2, "jobs.workers: `65` is too large"),
        ("[jobs]\nworkers = -1\n", 2, "jobs.workers: `-1` is not a whole number"),
        ('[jobs]\nmemory = "99TiB"\n', 2, "jobs.memory: `99TiB` is too large; allowed are 64KiB to 4GiB"),
        ("[jobs]\nmemory = 0\n[ui]\n", 2, "jobs.memory: `0` is too small"),
        ('[ui]\nmouse = "true"\n', 2, "ui.mouse: expected a true or false, such as true"),
        ('[ui]\ntheme = "drak"\n', 2, "ui.theme: `drak` is not dark or light"),
        ('[node]\nname = "a\\u001b[2J"\n', 2, "node.name: expected at most 64 printable characters"),
        ("[ui]\nmouse = tru\n", 2, "it is no TOML"),
        ("[ui]\nmouse = true\nmouse = false\n", 3, "it is no TOML"),
        ("[ui\n", 1, "it is no TOML"),
    ],
)
def test_each_mistake_is_one_line_with_file_line_and_key(file: Path, text: str, line: int, words: str) -> None:
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        load(file)
    shown = str(caught.value)
    assert shown.startswith(f"configuration: {file}:{line}: ")
    assert words in shown
    assert "\n" not in shown


def test_bytes_that_are_no_text_are_refused_with_their_line(file: Path) -> None:
    file.write_bytes(b"[ui]\n# \xff\n")
    with pytest.raises(UsageError, match=rf"{file}:2: not UTF-8"):
        load(file)


def test_a_wrong_environment_variable_is_named() -> None:
    with pytest.raises(UsageError, match=r"ORLOP_JOBS_TIMEOUT: `abc` is not a duration"):
        load(None, environ={"ORLOP_JOBS_TIMEOUT": "abc"})


def test_an_unknown_option_key_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no setting `jobs.memry`; did you mean `jobs.memory`\?"):
        load(None, options={"jobs.memry": "1MiB"})


def test_set_keeps_what_was_set_before_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    config_d = tmp_path / "config.d"
    set_value(config_d, "ui.mouse", "false")
    setting = set_value(config_d, "jobs.memory", "64MiB")
    assert setting.origin == "50-set.toml:2"
    assert tomllib.loads((config_d / "50-set.toml").read_text()) == {
        "jobs": {"memory": "64MiB"},
        "ui": {"mouse": False},
    }
    assert [path.name for path in config_d.iterdir()] == ["50-set.toml"]
    assert changed(Config(), load(None, config_d)) == (("jobs.memory", "ui.mouse"), ())


@pytest.mark.parametrize(("name", "text"), [("jobs.memory", "lots"), ("no.such", "1")])
def test_set_refuses_and_writes_nothing(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(UsageError):
        set_value(tmp_path / "config.d", name, text)
    assert not (tmp_path / "config.d").exists()


def test_where_the_file_is_looked_for(tmp_path: Path) -> None:
    home = tmp_path / ".config" / "orlop" / "config.toml"
    home.parent.mkdir(parents=True)
    assert config_file(None, {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "relative"}) is None
    home.touch()
    assert config_file(None, {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "relative"}) == home
    assert config_file(None, {"XDG_CONFIG_HOME": str(tmp_path / ".config")}) == home
    assert config_file(str(home), {}) == home
    assert config_file(None, {"ORLOP_CONFIG": str(home)}) == home
    with pytest.raises(UsageError, match="no such file"):
        config_file(str(tmp_path / "absent"), {})


def test_every_key_is_described_and_its_default_is_allowed() -> None:
    for key, row in zip(KEYS.values(), describe(), strict=True):
        assert row["help"]
        assert key.from_toml(key.to_toml(key.default)) == key.default
        assert row["key"] == key.name


@given(st.sampled_from([k for k in KEYS.values() if k.unit in {Unit.SIZE, Unit.DURATION, Unit.COUNT}]), st.data())
def test_what_is_written_is_read_back(key: Key, data: st.DataObject) -> None:
    number = data.draw(st.integers(key.low, key.high))
    assert key.from_toml(key.to_toml(number)) == number


@given(st.text(max_size=80))
def test_any_text_is_a_configuration_or_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "any.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    shown = ""
    try:
        load(path)
    except UsageError as error:
        shown = str(error)
    assert not shown or shown.isprintable()
