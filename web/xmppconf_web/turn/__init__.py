"""TURN over the gateway's own port, for browsers that UDP does not reach (RFC 8656)."""
