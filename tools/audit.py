"""Asks the advisory service about every locked package: a finding fails, an unreachable service is a warning."""

import json
import subprocess
import sys

SECONDS = 90


def main(lock: str) -> int:
    """Audits one lock file."""
    command = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip", "-r", lock]
    try:
        run = subprocess.run(
            [*command, "--format", "json", "--progress-spinner", "off"],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        report = json.loads(run.stdout)
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        print("orlop: audit: the advisory service did not answer: could not check", file=sys.stderr)
        return 0
    skipped = [package["name"] for package in report["dependencies"] if "skip_reason" in package]
    if skipped:
        print(f"orlop: audit: could not check {len(skipped)} packages: {', '.join(skipped[:8])}", file=sys.stderr)
    bad = [(package["name"], bug["id"]) for package in report["dependencies"] for bug in package.get("vulns", ())]
    for name, advisory in bad:
        print(f"orlop: audit: {name}: {advisory}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
