"""What a component's worker does for it: host operations on files and processes, allowed, bounded and recorded."""
