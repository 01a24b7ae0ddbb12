"""The table of what the network takes and gives: the figures that the documentation promises."""

from dataclasses import FrozenInstanceError, asdict

import pytest

from net.limits import NetLimits

KIB, MIB = 1024, 1024 * 1024

PROMISED = {
    "connections": 256, "inbound": 192, "per_prefix": 8, "per_peer": 4, "half_open": 64, "half_open_per_prefix": 4,
    "accepts_per_minute": 10, "accepts_burst": 20, "handshakes_rate": 50, "handshakes_burst": 100,
    "connect_s": 5, "upgrade_s": 10, "close_s": 2, "spare_loopback": True,
    "multistream_message": KIB, "multistream_proposals": 32, "protocol_name": 140,
    "noise_before": 1250, "noise_after": 65_535,
    "streams": 256, "unacknowledged": 64, "opened_rate": 100, "reset_counts_s": 10,
    "window": 256 * KIB, "window_bulk": MIB, "credit": 16 * MIB,
    "unread_stranger": 512 * KIB, "unread_listed": 8 * MIB, "unread_process": 256 * MIB, "unread_s": 10,
    "window_updates_rate": 2000, "window_updates_burst": 10_000, "pings_rate": 10, "resets_rate": 50,
    "ping_s": 15, "pings_missed": 3, "idle_s": 600, "write_s": 60,
    "receive_buffer": 512 * KIB, "send_buffer": 128 * KIB,
    "identify": 16 * KIB, "identify_s": 10, "identify_addresses": 32, "identify_protocols": 128,
    "capabilities": 8 * KIB, "capabilities_s": 5,
    "offer": 64 * KIB, "request_head": 256 * KIB, "module": 16 * MIB, "stdin": 64 * MIB, "result_head": 256 * KIB,
    "output": 8 * MIB, "offer_life_s": 60, "lease_start_s": 10, "heartbeat_s": 10, "heartbeats_missed": 3,
    "clock_skew_s": 120,
    "multiaddr_text": KIB, "multiaddr_binary": 256, "addresses_kept": 16, "dialled_at_once": 8, "dial_apart_s": 0.25,
    "peers_remembered": 1000,
    "dht_datagram": 1200, "dht_record": 1000, "dht_records": 10_000, "dht_store": 16 * MIB, "dht_per_signer": 16,
    "dht_k": 20, "dht_alpha": 4, "dht_wait_least_s": 0.2, "dht_wait_most_s": 1, "dht_lookup_s": 10,
    "dht_lookup_queries": 60, "dht_address_rate": 20, "dht_address_burst": 60, "dht_rate": 500,
    "dht_record_skew_s": 300,
    "mdns_instances": 64, "mdns_txt": 400, "quic_idle_s": 30, "quic_keep_alive_s": 10, "quic_packet": 1200,
    "score_ban": 100, "score_half_life_s": 600, "ban_s": 3600, "prefixes_of_ban": 4,
}  # fmt: skip


def test_the_defaults_are_what_the_documentation_says() -> None:
    assert asdict(NetLimits()) == PROMISED


def test_nobody_changes_the_table() -> None:
    with pytest.raises(FrozenInstanceError):
        NetLimits().connections = 1  # type: ignore[misc]
