"""The verbs without a noun: the node itself, its settings, and what helps to use it."""

from console.commands import Arg, Command, Kind
from console.syntax.parts import LIMIT, flag, option

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
            Arg(
                name="rotate_identity",
                kind=Kind.FLAG,
                help="give the node a new key and PeerId, signed by the old one; not while orlop runs",
                option=True,
            ),
        ),
        detail="Every command that needs the directory makes it too; init asks whether to protect it by a passphrase.",
        examples=("orlop init", "orlop init --yes --state-dir /srv/orlop", "orlop init --rotate-identity"),
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
        name="backup",
        help="Write store, keys and modules to one encrypted file, also while orlop runs.",
        handler="console.verbs.backup:backup",
        args=(Arg(name="out", kind=Kind.OUT, help="the file to be; it must not exist yet", required=True),),
        changes=True,
        grows=True,
        detail=(
            "It asks twice for the passphrase that the backup is encrypted under, or takes it from --passphrase-file."
            " Whoever has both has this node's keys, so --read-only refuses it. Your own config.toml and keys.toml"
            " are not in it."
        ),
        examples=("orlop backup /mnt/usb/harbor.backup", "orlop backup harbor.backup --passphrase-file ~/.secret"),
    ),
    Command(
        name="restore",
        help="Make a state directory from a backup, all of it or nothing.",
        handler="console.verbs.backup:restore",
        args=(
            Arg(name="backup", kind=Kind.PATH, help="the file that orlop backup wrote", required=True),
            flag("replace", "move the directory that is there aside; else it must be new or empty"),
        ),
        changes=True,
        state=False,
        detail=(
            "Not while orlop runs on the directory. What happened after the backup is gone; jobs that had not ended"
            " then are lost. The chain of receipts and the journal say that a restore happened."
        ),
        examples=(
            "orlop restore harbor.backup --state-dir /srv/orlop",
            "orlop restore harbor.backup --replace --passphrase-file ~/.secret",
        ),
    ),
    Command(
        name="audit",
        help="List the commands that changed something: when, who, through what, and how it ended.",
        handler="console.verbs.audit:audit",
        args=(
            option("since", Kind.NAME, "only after this seq, or in this last time, such as 7d", metavar="SEQ|TIME"),
            option("command", Kind.NAME, "only commands that match, such as 'agents *'", metavar="GLOB"),
            option("uid", Kind.INTEGER, "only of this user", metavar="UID", low=0, high=(1 << 32) - 1),
            option(
                "outcome",
                Kind.CHOICE,
                "only those that ended so: ok or failed",
                metavar="OUTCOME",
                choices=("ok", "failed"),
            ),
            LIMIT,
        ),
        detail="Newest first. These entries of the journal last longest; a restored directory has those of its backup.",
        examples=("orlop audit --since 7d", "orlop audit --command 'agents *' --outcome failed --json"),
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
