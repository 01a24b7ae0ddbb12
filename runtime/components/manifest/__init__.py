"""Component.toml: one strict schema, whose every fault names file, line, key and what is wrong. Pure."""
