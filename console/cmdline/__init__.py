"""The parts of the command line: options, parsing, help, files, running a command and leaving by the right code."""
