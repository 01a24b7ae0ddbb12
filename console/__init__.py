"""The faces: terminal UI, command line, headless stream; and the composition of the core that they look at."""
