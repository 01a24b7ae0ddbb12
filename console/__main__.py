"""The program `orlop`. The version and nothing else is answered before anything is imported."""

import sys

__all__ = ["main"]


def main() -> int:
    """Runs the command line of this process and returns its exit status."""
    if sys.argv[1:] == ["--version"]:
        from console._version import __version__

        print(f"orlop {__version__}")
        return 0
    from console.cli import run
    from runtime.process import keep_memory_private

    keep_memory_private()  # before anything secret is read
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
