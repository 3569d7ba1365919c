"""`python -m xmppconf`, the same as the `xmppconf` command."""

from __future__ import annotations

import sys

from xmppconf.cli import main

if __name__ == "__main__":
    sys.exit(main())
