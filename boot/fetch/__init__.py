"""Fetching releases from servers that nobody trusts: HTTP as a pure state machine, deadlines, several servers.

Runs in an initramfs too: the standard library, `boot.trust` and what that needs; TLS is loaded only for https.
"""
