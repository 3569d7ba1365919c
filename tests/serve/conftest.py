from __future__ import annotations

from tests.support.prosody import prosody as prosody
