"""`orlop agents new` and `agents build`: the kit for authors."""

from console.commands import Arg, Command, Kind
from console.syntax.parts import option
from runtime.agents.languages import LANGUAGES

__all__ = ["COMMANDS"]

COMMANDS: tuple[Command, ...] = (
    Command(
        name="agents new",
        help="Make a folder with an agent that builds; nothing is overwritten.",
        handler="console.verbs.kit:new",
        args=(
            Arg(name="name", kind=Kind.NAME, help="the agent's name, and the folder's", required=True),
            option("lang", Kind.CHOICE, "what it is written in", metavar="c|zig", default="c", choices=LANGUAGES),
        ),
        changes=True,
        state=False,
        detail="The folder is made where the command is given.",
        examples=("orlop agents new night-watch", "orlop agents new night-watch --lang zig"),
    ),
    Command(
        name="agents build",
        help="Compile an agent's folder to a checked module with its manifest.",
        handler="console.verbs.kit:build",
        args=(Arg(name="folder", kind=Kind.NAME, help="the folder with agent.toml and the source", required=True),),
        changes=True,
        state=False,
        detail="The compiler is the package ziglang. A finished NAME.wasm of another compiler is taken as it is. "
        "The manifest asks for what the module's imports need, no more.",
        examples=("orlop agents build night-watch",),
    ),
)
