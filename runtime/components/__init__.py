"""WebAssembly components: typed interfaces to files, network and processes, lent as far as permissions go."""
