"""Completion scripts for shells, generated from the registry, and the lookup of live names that they call.

The scripts are static: names, options and choices stand in them. Only for names of things (rooms, agents, jobs,
receipts, peers) they run `orlop __complete KIND PREFIX`, which reads the database read-only and is silent about every
error.
"""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from console import registry
from console.cmdline.options import EVERYWHERE, FACE
from console.cmdline.verbline import spelled
from console.commands import Arg, Command, Confirm, Kind

__all__ = ["SHELLS", "live_names", "script"]

SHELLS = ("bash", "zsh", "fish")

_WAIT_S = 0.05
_MOST = 200
_QUERIES: Mapping[str, str] = MappingProxyType(
    {
        "room": "SELECT name FROM rooms WHERE substr(name, 1, ?1) = ?2 ORDER BY name LIMIT ?3",
        "agent": "SELECT DISTINCT agent FROM agents WHERE substr(agent, 1, ?1) = ?2 ORDER BY agent LIMIT ?3",
        "job": "SELECT job FROM jobs WHERE substr(job, 1, ?1) = ?2 ORDER BY number DESC LIMIT ?3",
        "peer": "SELECT name FROM (SELECT name, 0 AS later, seen_ms FROM peers WHERE name <> ''"
        " UNION ALL SELECT peer, 1, seen_ms FROM peers)"
        " WHERE substr(name, 1, ?1) = ?2 ORDER BY later, seen_ms DESC LIMIT ?3",
        "component": "SELECT name FROM (SELECT substr(component, instr(component, '/') + 1) AS name FROM components"
        " UNION SELECT component FROM components) WHERE substr(name, 1, ?1) = ?2 ORDER BY name LIMIT ?3",
        "receipt": "SELECT receipt FROM receipts WHERE substr(receipt, 1, ?1) = ?2 ORDER BY issued_ms DESC LIMIT ?3",
    }
)
_FILES = frozenset({Kind.PATH, Kind.OUT, Kind.DIRECTORY, Kind.FOLDER})


def live_names(database: Path, kind: str, prefix: str) -> list[str]:
    """Names that begin with a prefix; none on any error, or when the database is busy.

    Args:
        database: the state directory's database; it need not exist.
        kind: `room`, `agent`, `job`, `peer`, `component` or `receipt`.
        prefix: what was typed so far.
    """
    query = _QUERIES.get(kind)
    if query is None:
        return []
    try:
        connection = sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True, timeout=_WAIT_S)
        try:
            rows = connection.execute(query, (len(prefix), prefix, _MOST)).fetchall()
        finally:
            connection.close()
    except (sqlite3.Error, ValueError, OSError):
        return []
    return [name for (name,) in rows if isinstance(name, str) and _is_plain(name)]


def script(shell: str) -> str:
    """The script for a shell of `SHELLS`.

    Args:
        shell: its name.
    """
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]()


def _is_plain(name: str) -> bool:
    """Whether a shell may be handed a name without quoting; others are left to be typed."""
    return name.isascii() and bool(name) and all(char.isalnum() or char in "._:@+-/" for char in name)


def _flags(command: Command) -> list[tuple[str, str]]:
    """Every option of a command with its help."""
    own = [(spelled(arg), arg.help) for arg in command.args if arg.option]
    sure = [("--yes", "do not ask")] if command.confirm is not Confirm.NONE else []
    return [*own, *sure, *((item.flag, item.help) for item in EVERYWHERE), ("--help", "help for this command")]


def _places(command: Command) -> list[Arg]:
    return [arg for arg in command.args if not arg.option and not arg.rest]


def _lookup(arg: Arg) -> str:
    """How the value of an argument is completed: `kind:room`, `words:a b`, `files`, or nothing."""
    if arg.choices:
        return "words:" + " ".join(arg.choices)
    if arg.kind.value in _QUERIES:
        return f"kind:{arg.kind.value}"
    return "files" if arg.kind in _FILES else ""


_BASH = """\
# bash completion for orlop; made by: orlop completion bash
_orlop() {
    local cur prev cmd how words_before i place
    cur=${COMP_WORDS[COMP_CWORD]}; prev=${COMP_WORDS[COMP_CWORD-1]}
    COMPREPLY=()
    words_before=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            -*) case ${COMP_WORDS[i]} in @VALUED@) ((i++)) ;; esac ;;
            *) words_before+=("${COMP_WORDS[i]}") ;;
        esac
    done
    cmd="${words_before[0]} ${words_before[1]}"; place=2
    case $cmd in @PAIRS@) ;; *) cmd=${words_before[0]}; place=1 ;; esac
    how=
    case "$cmd $prev" in
@OPTION_VALUES@
    esac
    if [[ -z $how && $cur == -* ]]; then
        case $cmd in
@FLAGS@
        *) how="words:@TOP_FLAGS@" ;;
        esac
    elif [[ -z $how ]]; then
        case "$cmd $((${#words_before[@]} - place))" in
@PLACES@
        esac
        if [[ -z $how ]]; then
            case "${words_before[0]} ${#words_before[@]}" in
@NOUNS@
            " 0") how="words:@VERBS@" ;;
            esac
        fi
    fi
    case $how in
        words:*) mapfile -t COMPREPLY < <(compgen -W "${how#words:}" -- "$cur") ;;
        kind:*) mapfile -t COMPREPLY < <(orlop __complete "${how#kind:}" "$cur" 2>/dev/null) ;;
        files) compopt -o default ;;
    esac
}
complete -F _orlop orlop
"""


def _bash() -> str:
    values, flags, places, nouns = [], [], [], []
    for command in registry.COMMANDS.values():
        flags.append(f'        "{command.name}") how="words:{" ".join(flag for flag, _ in _flags(command))}" ;;')
        values += [
            f'    "{command.name} {spelled(arg)}") how="{_lookup(arg)}" ;;'
            for arg in command.args
            if arg.option and _lookup(arg)
        ]
        places += [
            f'        "{command.name} {number}") how="{_lookup(arg)}" ;;'
            for number, arg in enumerate(_places(command))
            if _lookup(arg)
        ]
    values.append('    *" --state-dir"|*" --config"|*" --passphrase-file") how=files ;;')
    nouns = [f'            "{noun} 1") how="words:{" ".join(_inner(noun))}" ;;' for noun in _nouns()]
    pairs = "|".join(f'"{name}"' for name in registry.COMMANDS if " " in name)
    return _filled(
        _BASH,
        VALUED="|".join(_valued()),
        PAIRS=pairs,
        OPTION_VALUES="\n".join(values),
        FLAGS="\n".join(flags),
        TOP_FLAGS=" ".join(item.flag for item in (*FACE, *EVERYWHERE)) + " --version --help",
        PLACES="\n".join(places),
        NOUNS="\n".join(nouns),
        VERBS=" ".join((*registry.VERBS, "help")),
    )


_ZSH = """\
#compdef orlop
# zsh completion for orlop; made by: orlop completion zsh
_orlop_live() { local -a names; names=("${(@f)$(orlop __complete $1 "$PREFIX" 2>/dev/null)}"); compadd -a names }
_orlop() {
    local -a line_words; local cmd i
    for ((i = 2; i < CURRENT; i++)); do
        case $words[i] in
            -*) case $words[i] in @VALUED@) ((i++)) ;; esac ;;
            *) line_words+=($words[i]) ;;
        esac
    done
    cmd="$line_words[1] $line_words[2]"; local place=2
    case $cmd in @PAIRS@) ;; *) cmd=$line_words[1]; place=1 ;; esac
    case "$cmd $words[CURRENT-1]" in
@OPTION_VALUES@
    esac
    if [[ $PREFIX == -* ]]; then
        local -a flags
        case $cmd in
@FLAGS@
        *) flags=(@TOP_FLAGS@) ;;
        esac
        _describe option flags; return
    fi
    case "$cmd $(($#line_words - place))" in
@PLACES@
    esac
    local -a names
    case "$line_words[1] $#line_words" in
@NOUNS@
        " 0") names=(@VERBS@); _describe command names ;;
    esac
}
if [ "$funcstack[1]" = _orlop ]; then _orlop "$@"; else compdef _orlop orlop; fi
"""


def _zsh() -> str:
    def described(pairs: list[tuple[str, str]]) -> str:
        return " ".join(_quoted(f"{name}:{text}") for name, text in pairs)

    def action(arg: Arg) -> str:
        how = _lookup(arg)
        if how == "files":
            return "_files"
        return f"_orlop_live {how[5:]}" if how.startswith("kind:") else f"compadd {how[6:]}"

    values, flags, places = [], [], []
    for command in registry.COMMANDS.values():
        flags.append(f'        "{command.name}") flags=({described(_flags(command))}) ;;')
        values += [
            f'    "{command.name} {spelled(arg)}") {action(arg)}; return ;;'
            for arg in command.args
            if arg.option and _lookup(arg)
        ]
        places += [
            f'    "{command.name} {number}") {action(arg)}; return ;;'
            for number, arg in enumerate(_places(command))
            if _lookup(arg)
        ]
    values.append('    *" --state-dir"|*" --config"|*" --passphrase-file") _files; return ;;')
    nouns = [
        f'        "{noun} 1") names=({described(_helped(noun))}); _describe command names ;;'
        for noun in registry.GROUPS
    ]
    return _filled(
        _ZSH,
        VALUED="|".join(_valued()),
        PAIRS="|".join(f'"{name}"' for name in registry.COMMANDS if " " in name),
        OPTION_VALUES="\n".join(values),
        FLAGS="\n".join(flags),
        TOP_FLAGS=described([(item.flag, item.help) for item in (*FACE, *EVERYWHERE)]),
        PLACES="\n".join(places),
        NOUNS="\n".join(nouns),
        VERBS=described(_top()),
    )


def _fish() -> str:
    lines = ["# fish completion for orlop; made by: orlop completion fish", "complete -c orlop -f"]
    verbs = " ".join((*registry.VERBS, "help"))
    lines += [
        f"complete -c orlop -n 'not __fish_seen_subcommand_from {verbs}' -a {name} -d {_quoted(text)}"
        for name, text in _top()
    ]
    for item in (*FACE, *EVERYWHERE):
        value = " -r" if item.metavar else ""
        lines.append(f"complete -c orlop -l {item.flag[2:]}{value} -d {_quoted(item.help)}")
    for noun in _nouns():
        seen = f"__fish_seen_subcommand_from {noun}; and not __fish_seen_subcommand_from {' '.join(_inner(noun))}"
        lines += [f"complete -c orlop -n '{seen}' -a {name} -d {_quoted(text)}" for name, text in _helped(noun)]
    for command in registry.COMMANDS.values():
        seen = "; and ".join(f"__fish_seen_subcommand_from {part}" for part in command.name.split())
        for arg in command.args:
            lines += _fish_argument(seen, arg)
    return "\n".join(lines) + "\n"


def _fish_argument(seen: str, arg: Arg) -> list[str]:
    how = _lookup(arg)
    source = {"f": " -F", "k": f" -a '(orlop __complete {how[5:]} (commandline -ct) 2>/dev/null)'"}.get(how[:1], "")
    if how.startswith("words:"):
        source = f" -a {_quoted(how[6:])}"
    head = f"complete -c orlop -n '{seen}'"
    if arg.option:
        value = "" if arg.kind is Kind.FLAG else " -r"
        return [f"{head} -l {spelled(arg)[2:]}{value}{source} -d {_quoted(arg.help)}"]
    return [f"{head}{source}"] if source else []


def _nouns() -> list[str]:
    """The first words that a second one may follow."""
    return list(dict.fromkeys(name.split()[0] for name in registry.COMMANDS if " " in name))


def _inner(noun: str) -> list[str]:
    return [name.split()[1] for name in registry.COMMANDS if name.startswith(f"{noun} ")]


def _helped(noun: str) -> list[tuple[str, str]]:
    return [(name.split()[1], item.help) for name, item in registry.COMMANDS.items() if name.startswith(f"{noun} ")]


def _top() -> list[tuple[str, str]]:
    nouns = list(registry.GROUPS.items())
    return [*nouns, *((name, item.help) for name, item in registry.COMMANDS.items() if " " not in name)]


def _valued() -> list[str]:
    """Every option that is followed by a value."""
    own = [
        spelled(arg)
        for command in registry.COMMANDS.values()
        for arg in command.args
        if arg.option and arg.kind is not Kind.FLAG
    ]
    return sorted({*own, *(item.flag for item in (*FACE, *EVERYWHERE) if item.metavar)})


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _filled(template: str, **parts: str) -> str:
    for name, text in parts.items():
        template = template.replace(f"@{name}@", text)
    return template
