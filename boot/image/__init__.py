"""Images that machines start from: built on the operator's machine, without root, the same bytes every time."""
