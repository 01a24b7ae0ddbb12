"""The terminal UI: the only part of the house that imports Textual and Rich."""
