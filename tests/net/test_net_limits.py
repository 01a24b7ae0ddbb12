"""The table of what the network takes and gives: the figures that the documentation promises."""

from dataclasses import FrozenInstanceError

import pytest

from net.limits import NetLimits

KIB, MIB = 1024, 1024 * 1024
LIMITS = NetLimits()


def test_connections_and_handshakes() -> None:
    assert LIMITS.connections == 256
    assert LIMITS.inbound == 192
    assert LIMITS.per_prefix == 8
    assert LIMITS.per_peer == 4
    assert LIMITS.half_open == 64
    assert LIMITS.half_open_per_prefix == 4
    assert LIMITS.accepts_per_minute == 10
    assert LIMITS.accepts_burst == 20
    assert LIMITS.handshakes_rate == 50
    assert LIMITS.handshakes_burst == 100
    assert LIMITS.connect_s == 5
    assert LIMITS.upgrade_s == 10
    assert LIMITS.close_s == 2
    assert LIMITS.spare_loopback is True


def test_streams_and_what_they_hold() -> None:
    assert LIMITS.multistream_message == KIB
    assert LIMITS.multistream_proposals == 32
    assert LIMITS.protocol_name == 140
    assert LIMITS.noise_before == 1250
    assert LIMITS.noise_after == 65_535
    assert LIMITS.streams == 256
    assert LIMITS.unacknowledged == 64
    assert LIMITS.opened_rate == 100
    assert LIMITS.reset_counts_s == 10
    assert LIMITS.window == 256 * KIB
    assert LIMITS.window_bulk == MIB
    assert LIMITS.credit == 16 * MIB
    assert LIMITS.unread_stranger == 512 * KIB
    assert LIMITS.unread_listed == 8 * MIB
    assert LIMITS.unread_process == 256 * MIB
    assert LIMITS.unread_s == 10
    assert LIMITS.window_updates_rate == 2000
    assert LIMITS.window_updates_burst == 10_000
    assert LIMITS.pings_rate == 10
    assert LIMITS.resets_rate == 50
    assert LIMITS.ping_s == 15
    assert LIMITS.pings_missed == 3
    assert LIMITS.idle_s == 600
    assert LIMITS.write_s == 60
    assert LIMITS.receive_buffer == 512 * KIB
    assert LIMITS.send_buffer == 128 * KIB


def test_what_is_asked_and_told() -> None:
    assert LIMITS.identify == 16 * KIB
    assert LIMITS.identify_s == 10
    assert LIMITS.identify_addresses == 32
    assert LIMITS.identify_protocols == 128
    assert (LIMITS.push_settle_s, LIMITS.push_apart_s) == (0.1, 10)
    assert (LIMITS.pushes_rate, LIMITS.pushes_burst) == (0.2, 10)
    assert LIMITS.capabilities == 8 * KIB
    assert LIMITS.capabilities_s == 5


def test_addresses_and_dialling() -> None:
    assert LIMITS.multiaddr_text == KIB
    assert LIMITS.multiaddr_binary == 256
    assert LIMITS.addresses_kept == 16
    assert LIMITS.dialled_at_once == 8
    assert LIMITS.dial_apart_s == 0.25
    assert LIMITS.peers_remembered == 1000


def test_the_dht() -> None:
    assert LIMITS.dht_datagram == 1200
    assert LIMITS.dht_record == 1000
    assert LIMITS.dht_records == 10_000
    assert LIMITS.dht_store == 16 * MIB
    assert LIMITS.dht_per_signer == 16
    assert LIMITS.dht_k == 20
    assert LIMITS.dht_alpha == 4
    assert LIMITS.dht_wait_least_s == 0.2
    assert LIMITS.dht_wait_most_s == 1
    assert LIMITS.dht_lookup_s == 10
    assert LIMITS.dht_lookup_queries == 60
    assert LIMITS.dht_address_rate == 20
    assert LIMITS.dht_address_burst == 60
    assert LIMITS.dht_rate == 500
    assert LIMITS.dht_record_skew_s == 300


def test_the_lan_and_quic() -> None:
    assert LIMITS.mdns_instances == 64
    assert LIMITS.mdns_txt == 400
    assert LIMITS.quic_idle_s == 30
    assert LIMITS.quic_keep_alive_s == 10
    assert LIMITS.quic_packet == 1200


def test_scores_and_bans() -> None:
    assert LIMITS.score_ban == 100
    assert LIMITS.score_half_life_s == 600
    assert LIMITS.ban_s == 3600
    assert LIMITS.prefixes_of_ban == 4


def test_nobody_changes_the_table() -> None:
    with pytest.raises(FrozenInstanceError):
        LIMITS.connections = 1  # type: ignore[misc]
