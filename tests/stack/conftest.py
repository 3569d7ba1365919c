"""Real servers, each for the tests of one module."""

from tests.stack.servers import server as server
from tests.support.oidc_provider import provider as provider
from tests.support.prosody import prosody as prosody
