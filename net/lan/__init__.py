"""Peers and boot servers on the LAN, by multicast DNS. Anyone on the link may announce anything: all is a hint."""
