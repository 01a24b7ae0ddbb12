"""What each verb does: coroutines `(core, call) -> Result`, named by the registry, loaded when they are first run."""
