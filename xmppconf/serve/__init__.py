"""`xmppconf serve`: a whole conference service as child processes."""
