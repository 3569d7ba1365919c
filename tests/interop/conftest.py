"""Checks against programs that are not to be had from a package registry.

They are collected when the environment says where those programs are; README.md has how.
"""

from __future__ import annotations

import os

from tests.browser.conftest import (
    all_browsers,
    browsers,
    people,
    stock_page,
)

__all__ = ["all_browsers", "browsers", "people", "stock_page"]

collect_ignore = [
    *([] if "XMPPCONF_JICOFO" in os.environ else ["test_stock_focus.py"]),
    *([] if "XMPPCONF_JVB" in os.environ else ["test_stock_bridge.py"]),
]
