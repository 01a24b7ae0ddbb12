"""The panes: each one table or two with what there is to know about the row, and the keys that act on it."""
