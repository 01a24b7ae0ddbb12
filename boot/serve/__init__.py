"""Serving a release to machines that boot: files as they were signed, over HTTP, to anybody who asks, within limits."""
