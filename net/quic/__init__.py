"""libp2p's QUIC: mutual TLS by keys in certificates, streams without another layer, one socket per family."""
