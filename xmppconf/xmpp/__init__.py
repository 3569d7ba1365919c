"""Stanzas: the only place besides `*/io` that may import slixmpp."""
