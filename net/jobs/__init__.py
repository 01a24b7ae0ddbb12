"""Remote jobs: a job is offered to a peer, leased, carried there and followed; its receipt is checked."""
