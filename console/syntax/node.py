"""The verbs without a noun: the node itself, its settings, and what helps to use it."""

from console.commands import Arg, Command, Kind

__all__ = ["COMMANDS"]

_SHELLS = ("bash", "fish", "zsh")

COMMANDS: tuple[Command, ...] = (
    Command(
        name="init",
        help="Make the state directory and this node's three secrets.",
        handler="console.verbs.node:init",
        args=(
            Arg(
                name="yes",
                kind=Kind.FLAG,
                help="ask nothing; the vault's key is kept without a passphrase",
                option=True,
            ),
        ),
        detail="Every command that needs the directory makes it too; init asks whether to protect it by a passphrase.",
        examples=("orlop init", "orlop init --yes --state-dir /srv/orlop"),
    ),
    Command(
        name="status",
        help="Say what this node is and whether it runs.",
        handler="console.verbs.node:status",
        state=False,
        detail="It reads an existing directory, makes none, and exits with 0 also when nothing runs.",
        examples=("orlop status", "orlop status --json"),
    ),
    Command(
        name="config",
        help="Print every setting with its value and where it comes from.",
        handler="console.verbs.node:config",
        state=False,
        detail="orlop config set KEY VALUE changes one.",
        examples=("orlop config", "orlop config --json"),
    ),
    Command(
        name="config set",
        help="Set a value in config.d/50-set.toml; your own config.toml is left alone.",
        handler="console.verbs.node:config_set",
        args=(
            Arg(name="key", kind=Kind.NAME, help="the setting, such as jobs.memory", required=True),
            Arg(name="value", kind=Kind.NAME, help="its new value", required=True),
        ),
        changes=True,
        examples=("orlop config set node.name ship-7",),
    ),
    Command(
        name="doctor",
        help="Check this machine: Python, sandbox, directory, keys, terminal, limits.",
        handler="console.verbs.node:doctor",
        state=False,
        detail="Exit 0 when nothing is broken, else 1.",
        examples=("orlop doctor", "orlop doctor --json"),
    ),
    Command(
        name="schema",
        help="Print the JSON Schema of all events.",
        handler="console.verbs.node:schema",
        state=False,
        examples=("orlop schema > events.schema.json",),
    ),
    Command(
        name="completion",
        help="Print a completion script for a shell.",
        handler="console.verbs.node:completion",
        args=(Arg(name="shell", kind=Kind.CHOICE, help="the shell", required=True, choices=_SHELLS),),
        state=False,
        examples=("orlop completion bash > ~/.local/share/bash-completion/completions/orlop", "orlop completion zsh"),
    ),
)
