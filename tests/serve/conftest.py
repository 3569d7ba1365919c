from __future__ import annotations

from tests.support.oidc_provider import provider as provider
from tests.support.prosody import prosody as prosody
