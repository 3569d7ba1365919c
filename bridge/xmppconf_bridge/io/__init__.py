"""Where the bridge meets the event loop, the XMPP stream and HTTP."""
