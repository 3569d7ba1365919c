"""The media bridge: transports, forwarding, bridge channel, Colibri2."""
