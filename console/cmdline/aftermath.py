"""What a command leaves in files after it ended: receipts, exit files, exports. Each whole or not at all."""

import base64
import json
from collections.abc import Mapping

from console.client import Json, Result
from console.cmdline import streams
from console.cmdline.files import write_out
from console.cmdline.verbline import Line
from console.commands import Command
from console.exit_codes import ExitCode
from runtime.canonical import encode
from runtime.errors import OrlopError

__all__ = ["write_exit_file", "write_outputs"]


def write_exit_file(line: Line, value: Json) -> None:
    """Writes the file of `jobs run --exit-file`: how it ended, also when orlop did not run it.

    Args:
        line: the command line.
        value: the command's document, or None when it never came to one.

    Raises:
        FailedError: the file cannot be written.
    """
    path = line.paths.get("exit_file")
    if path is None:
        return
    found = value if isinstance(value, Mapping) else {}
    document: Json = {
        "v": 1,
        "job": found.get("job"),
        "outcome": found.get("outcome", "refused"),
        "exit_code": found.get("exit_code", int(ExitCode.NOT_RUN)),
    }
    try:
        write_out(path, json.dumps(document).encode() + b"\n")
    except OrlopError:
        if found:
            raise


def write_outputs(command: Command, line: Line, result: Result) -> Json:
    """Writes the files that the command line names.

    Args:
        command: the registry's entry.
        line: its paths.
        result: how the command ended.

    Returns:
        The document to print.

    Raises:
        FailedError: a file cannot be written.
    """
    if command.name == "jobs run":
        write_exit_file(line, result.value)
        found = result.value if isinstance(result.value, Mapping) else {}
        receipt = found.get("receipt")
        if "receipt" in line.paths and isinstance(receipt, Mapping):
            write_out(line.paths["receipt"], encode(receipt) + b"\n")
    elif command.name == "agents sign" and result.ok and isinstance(result.value, Mapping):
        return _signed_manifest(line, result.value)
    elif command.name == "components sign" and result.ok and isinstance(result.value, Mapping):
        return _signed_component(line, result.value)
    elif command.name == "receipts export" and result.ok and isinstance(result.value, Mapping):
        return _export(line, result.value)
    return result.value


def _signed_manifest(line: Line, manifest: Mapping[str, Json]) -> Json:
    """The manifest itself, unless it goes to a file: it is what others read, with `--json` in one line."""
    from console.verbs.signing import manifest_text

    out = line.paths.get("out", "-")
    if out == "-":
        return manifest
    write_out(out, manifest_text(manifest).encode())
    return {"v": 1, "out": line.args["out"], "signer": manifest["signer"]}


def _signed_component(line: Line, value: Mapping[str, Json]) -> Json:
    out = line.paths.get("out", "-")
    if out == "-":
        return value
    write_out(out, str(value["manifest"]).encode())
    return {"v": 1, "component": value["component"], "out": line.args["out"], "signer": value["signer"]}


def _export(line: Line, value: Mapping[str, Json]) -> Json:
    items = value.get("items")
    documents = items if isinstance(items, list) else []
    # The older form has an order of fields of its own; its documents come in it.
    legacy = line.args.get("format") == "legacy"
    lines = [json.dumps(document).encode() if legacy else encode(document) for document in documents]
    data = b"".join(text + b"\n" for text in lines)
    signed = base64.b64decode(str(value.get("signed_message_b64", "")))
    beside = line.paths.get("signed_message")
    out = line.paths.get("out", "-")
    if beside is not None and "out" not in line.paths:
        return _signed_message(line, beside, signed)
    if beside is not None:
        write_out(beside, signed)
    if out == "-":
        if not line.options.json:
            streams.print_bytes(data)
            return None
        return value
    write_out(out, data)
    return {"v": 1, "out": line.args["out"], "receipts": len(documents)}


def _signed_message(line: Line, path: str, message: bytes) -> Json:
    """The bytes that a receipt's signature covers, by themselves."""
    if path == "-":
        streams.print_bytes(message)
        return None
    write_out(path, message)
    return {"v": 1, "out": line.args["signed_message"], "bytes": len(message)}
