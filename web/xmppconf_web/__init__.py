"""The web gateway: pages, settings for clients, proxies to XMPP and bridges."""
