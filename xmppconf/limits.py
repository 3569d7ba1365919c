"""Bounds on what one stanza or message may hold, for every reader in the shared code.

They are far above what clients send and far below what hurts; what a participant may
have in total is decided in focus and bridge, from their settings.
"""

from __future__ import annotations

PAYLOAD_TYPES = 64
PARAMETERS = 32
FEEDBACK = 16
HEADER_EXTENSIONS = 32
CANDIDATES = 64
FINGERPRINTS = 8
WEB_SOCKETS = 8
SOURCES = 256
GROUPS = 256
GROUP_SOURCES = 32
ENDPOINTS = 1000
RELAYS = 100
CAPABILITIES = 32
FEATURES = 256
PROPERTIES = 64
STATISTICS = 256
CHANNEL_MESSAGE = 64 * 1024
"""Characters of one bridge channel message."""
LISTED_SOURCES = 2000
"""Source or endpoint names in one bridge channel message."""
