"""What focus, bridge and web share: values, errors, settings, stanzas, the command."""

from __future__ import annotations

__version__ = "0.1.0"
