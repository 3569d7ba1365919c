"""Where the focus meets the event loop and the XMPP stream."""
