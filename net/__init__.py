"""The network: what carries bytes between nodes. It is trusted with none of them."""
