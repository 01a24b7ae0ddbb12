"""PHP and Node as our tests start them: with our libraries loaded, and every warning an error."""

import subprocess
import sys
from pathlib import Path

__all__ = ["ROOT", "SDK", "node", "php"]

ROOT = Path(__file__).resolve().parents[2]
SDK = ROOT / "assets/sdk"

_PHP = f"""declare(strict_types=1);
namespace Orlop;
set_error_handler(static function (int $level, string $message): never {{ throw new \\ErrorException($message); }});
require '{SDK}/php/autoload.php';
"""
_NODE = f"""import * as verifier from '{SDK}/js/orlop-verify.mjs';
import * as client from '{SDK}/js/orlop-client.mjs';
import {{ readFileSync }} from 'node:fs';
const {{ Client, Job, Result }} = client;
const orlop = '{Path(sys.executable).parent / "orlop"}';
const words = (error) => `${{error.name}}: ${{error.message}}`;
const caught = async (work) => {{ try {{ return await work(); }} catch (error) {{ return words(error); }} }};
"""


def php(code: str, *args: str) -> str:
    """What a piece of PHP prints; in `$argv` from 1 on, its arguments; `$orlop` is the program."""
    helper = (
        f"$orlop = '{Path(sys.executable).parent / 'orlop'}';\n"
        "$caught = static function (callable $work) {"
        " try { return $work(); } catch (\\Throwable $e) {"
        " return (new \\ReflectionClass($e))->getShortName() . ': ' . $e->getMessage(); } };\n"
    )
    return _run(["php", "-d", "display_errors=stderr", "-r", _PHP + helper + code, "--", *args])


def node(code: str, *args: str) -> str:
    """What a piece of JavaScript prints; in `process.argv` from 1 on, its arguments."""
    return _run(["node", "--input-type=module", "--throw-deprecation", "-e", _NODE + code, "--", *args])


def _run(command: list[str]) -> str:
    run = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout
