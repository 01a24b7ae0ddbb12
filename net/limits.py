"""What the network takes and gives at most: one frozen table, defaults in place. Sizes in bytes, times in seconds.

Jobs have terms of their own, one side's and the other's: `net.jobs.terms`.
"""

from dataclasses import dataclass

__all__ = ["NetLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetLimits:
    """The table. Every field is a maximum unless what is said of it is otherwise; a rate is per second.

    A connection of a stranger may hold 512 KiB of what we have not read, one of a listed peer 8 MiB.
    """

    # Connections. A prefix is an IPv4 address or an IPv6 /64.
    connections: int = 256
    inbound: int = 192
    per_prefix: int = 8
    per_peer: int = 4
    half_open: int = 64
    half_open_per_prefix: int = 4
    accepts_per_minute: float = 10.0
    accepts_burst: int = 20
    handshakes_rate: float = 50.0
    handshakes_burst: int = 100
    connect_s: float = 5.0
    upgrade_s: float = 10.0
    close_s: float = 2.0
    spare_loopback: bool = True
    """This machine's own addresses are not counted by prefix: all its users share them."""

    # The handshake's messages.
    multistream_message: int = 1024
    multistream_proposals: int = 32
    protocol_name: int = 140
    noise_before: int = 1250
    noise_after: int = 65_535

    # Streams; windows are per direction of one stream.
    streams: int = 256
    unacknowledged: int = 64
    opened_rate: int = 100
    reset_counts_s: float = 10.0
    window: int = 262_144
    window_bulk: int = 1_048_576
    credit: int = 16_777_216
    unread_stranger: int = 524_288
    unread_listed: int = 8_388_608
    unread_process: int = 268_435_456
    unread_s: float = 10.0
    """How long a connection may stand still because it has too much unread; then its fullest stream is reset."""
    window_updates_rate: int = 2000
    window_updates_burst: int = 10_000
    """py-libp2p sends one for each small read: what only gives us credit may come in bursts."""
    pings_rate: int = 10
    resets_rate: int = 50
    ping_s: float = 15.0
    pings_missed: int = 3
    idle_s: float = 600.0
    write_s: float = 60.0
    receive_buffer: int = 524_288
    """One for all connections of a loop."""
    send_buffer: int = 131_072
    """What a socket did not take yet; beyond it the writer waits."""

    # What is asked and told on streams.
    identify: int = 16_384
    identify_s: float = 10.0
    identify_addresses: int = 32
    identify_protocols: int = 128
    push_settle_s: float = 0.1
    push_apart_s: float = 10.0
    pushes_rate: float = 0.2
    pushes_burst: int = 10
    """What a peer pushes of itself: twice as often as we do, and a burst."""
    capabilities: int = 8192
    capabilities_s: float = 5.0

    # Addresses and dialling.
    multiaddr_text: int = 1024
    multiaddr_binary: int = 256
    addresses_kept: int = 16
    dialled_at_once: int = 8
    dial_apart_s: float = 0.25
    peers_remembered: int = 1000

    # The DHT.
    dht_datagram: int = 1200
    dht_record: int = 1000
    dht_records: int = 10_000
    dht_store: int = 16_777_216
    dht_per_signer: int = 16
    dht_k: int = 20
    dht_alpha: int = 4
    dht_wait_least_s: float = 0.2
    dht_wait_most_s: float = 1.0
    dht_lookup_s: float = 10.0
    dht_lookup_queries: int = 60
    dht_address_rate: float = 20.0
    dht_address_burst: int = 60
    dht_rate: float = 500.0
    dht_record_skew_s: float = 300.0

    # The LAN and QUIC.
    mdns_instances: int = 64
    mdns_txt: int = 400
    quic_idle_s: float = 30.0
    quic_keep_alive_s: float = 10.0
    quic_packet: int = 1200

    # Scores of misbehaviour.
    score_ban: int = 100
    score_half_life_s: float = 600.0
    ban_s: float = 3600.0
    prefixes_of_ban: int = 4
