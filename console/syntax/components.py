"""`orlop components …`."""

from console.commands import Arg, Command, Confirm, Kind
from console.syntax.parts import flag, option
from runtime.components.bindings.operations import WORLDS

__all__ = ["COMMANDS"]

_FOLDER = Arg(name="folder", kind=Kind.FOLDER, help="the component's folder, with its Component.toml", required=True)
_WORLDS = tuple(sorted(name for name in WORLDS if not name.endswith("/imports")))
_NAME = Arg(name="component", kind=Kind.COMPONENT, help="its name, with or without namespace", required=True)

COMMANDS: tuple[Command, ...] = (
    Command(
        name="components check",
        help="Check a component's folder: Component.toml and the component; needs no state directory.",
        handler="console.verbs.components:check",
        args=(
            _FOLDER,
            flag("migrate", "print the Component.toml of an older schema as one of today's"),
        ),
        state=False,
        detail=(
            "Every fault is one line, file:line: key: reason, and ends with exit code 2. Nothing is compiled, and"
            " nothing is changed."
        ),
        examples=("orlop components check word-count/", "orlop components check old/ --migrate > Component.toml"),
    ),
    Command(
        name="components inspect",
        help="Show what a component's folder holds, what it asks for and what is risky in it.",
        handler="console.verbs.components:inspect",
        args=(_FOLDER,),
        state=False,
        examples=("orlop components inspect word-count/", "orlop components inspect word-count/ --json"),
    ),
    Command(
        name="components sign",
        help="Sign a component's folder, on any machine; needs no state directory.",
        handler="console.verbs.component_signing:sign",
        args=(
            _FOLDER,
            option("key", Kind.PATH, "the key: a file of agents keygen", metavar="FILE", required=True),
            option("out", Kind.OUT, "write the signed Component.toml here; else it is printed", metavar="OUT"),
        ),
        state=False,
        detail=(
            "The signature covers Component.toml and every other file of the folder: sign it last. A signature that is"
            " there already is replaced."
        ),
        examples=("orlop components sign word-count/ --key mara.key --out word-count/Component.toml",),
    ),
    Command(
        name="components install",
        help="Install a component, or another version of one, with what it may do.",
        handler="console.verbs.components:install",
        args=(
            _FOLDER,
            option("grant", Kind.NAME, "agree to this rule only, or none; may be repeated", metavar="RULE", many=True),
            option(
                "dir",
                Kind.DIRECTORY,
                "a folder of yours for a mount of its; may be repeated",
                metavar="HOST:GUEST",
                many=True,
                most=16,
            ),
            option(
                "folder_hash", Kind.NAME, "refuse the folder unless it is the one that inspect showed", metavar="HASH"
            ),
            flag("upgrade", "it may take the place of another version"),
            flag("unsigned", "take it although somebody else signed the version before, or nobody signs this one"),
        ),
        changes=True,
        confirm=Confirm.CONSENT,
        grows=True,
        detail=(
            "On a terminal it shows what the component asks for, and asks; --yes agrees to all of it. --grant agrees to"
            " a part: rules as inspect names them. A running component goes on until its new version runs, and does so"
            " if that fails. It is not started: components run."
        ),
        examples=(
            "orlop components install word-count/ --dir ./texts:/data",
            "orlop components install word-count/ --yes --upgrade",
        ),
    ),
    Command(
        name="components list",
        help="List the components that are installed.",
        handler="console.verbs.components:list_components",
        examples=("orlop components list", "orlop components list --json"),
    ),
    Command(
        name="components show",
        help="Show all that is known of a component, with what it asked for and what was denied.",
        handler="console.verbs.component_show:show",
        args=(_NAME,),
        needs="component",
        examples=("orlop components show word-count", "orlop components show word-count --json"),
    ),
    Command(
        name="components run",
        help="Start a component, or run one of its operations and print what it returns.",
        handler="console.verbs.components:run",
        args=(
            _NAME,
            Arg(name="operation", kind=Kind.NAME, help="the operation; without one the component is started"),
            Arg(name="input", kind=Kind.TEXT, help="its input; - reads standard input"),
            option("timeout", Kind.DURATION, "for the operation; its own limit holds too", metavar="TIME"),
        ),
        changes=True,
        needs="component",
        detail=(
            "stdout is what the operation returned, byte for byte. Exit codes: 0 it returned, 1 it returned an error,"
            " 124 its time was over, 125 orlop could not run it."
        ),
        examples=(
            "orlop components run word-count",
            "orlop components run word-count count /data/report.txt",
        ),
    ),
    Command(
        name="components stop",
        help="Stop a component; it does not start again by itself.",
        handler="console.verbs.components:stop",
        args=(_NAME,),
        changes=True,
        needs="component",
        examples=("orlop components stop word-count",),
    ),
    Command(
        name="components suspend",
        help="Let a component rest: its messages wait, its state stays.",
        handler="console.verbs.components:suspend",
        args=(_NAME,),
        changes=True,
        needs="component",
        examples=("orlop components suspend word-count",),
    ),
    Command(
        name="components resume",
        help="Let a suspended component go on.",
        handler="console.verbs.components:resume",
        args=(_NAME,),
        changes=True,
        needs="component",
        examples=("orlop components resume word-count",),
    ),
    Command(
        name="components logs",
        help="Show the newest lines of a component's log.",
        handler="console.verbs.components:logs",
        args=(
            _NAME,
            option("limit", Kind.INTEGER, "at most this many", metavar="N", default="200", low=1, high=1000),
        ),
        needs="component",
        examples=("orlop components logs word-count --limit 20",),
    ),
    Command(
        name="components permissions",
        help="Show what a component may do, or change it at once.",
        handler="console.verbs.components:permissions",
        args=(
            _NAME,
            option("grant", Kind.NAME, "put a rule in force, or add one", metavar="RULE|GROUP=VALUE", many=True),
            option("revoke", Kind.NAME, "take a rule out of force", metavar="RULE", many=True),
            option("deny", Kind.NAME, "add a rule that denies", metavar="GROUP=VALUE", many=True),
        ),
        changes=True,
        needs="component",
        detail=(
            "A change holds from the next request on; what was opened under a rule that is revoked is closed. A denial"
            " names the option that would allow it: components logs and the Log pane show it."
        ),
        examples=(
            "orlop components permissions word-count",
            "orlop components permissions word-count --revoke 'filesystem.read[0]'",
            "orlop components permissions word-count --grant filesystem.read=/data/more/**",
        ),
    ),
    Command(
        name="components uninstall",
        help="Take a component away, with what it stored, logged and kept in its folders.",
        handler="console.verbs.components:uninstall",
        args=(_NAME,),
        changes=True,
        confirm=Confirm.TYPE_NAME,
        needs="component",
        detail="It has to be stopped. Folders of yours that it was given stay as they are.",
        examples=("orlop components uninstall word-count --yes",),
    ),
    Command(
        name="components bindings",
        help="Write what a component of a world needs in its language, such as a C header.",
        handler="console.verbs.bindings:bindings",
        args=(
            Arg(
                name="world",
                kind=Kind.CHOICE,
                help="what it may import and has to export",
                required=True,
                choices=_WORLDS,
            ),
            option(
                "lang",
                Kind.CHOICE,
                "what it is written in",
                metavar="c|python|js",
                default="c",
                choices=("c", "python", "js"),
            ),
            option(
                "into",
                Kind.NAME,
                "the folder for it, which must be new or empty; a C header is printed without one",
                metavar="FOLDER",
            ),
        ),
        state=False,
        detail=(
            "The C header is made by orlop. For Python componentize-py is asked and for JavaScript jco, which their"
            " authors have. The worlds are described in docs/reference/components-wit.md."
        ),
        examples=(
            "orlop components bindings orlop:worlds/with-filesystem > orlop.h",
            "orlop components bindings orlop:worlds/full --lang python --into bindings",
        ),
    ),
)
