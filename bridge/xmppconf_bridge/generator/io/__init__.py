"""What of the load generator waits for sockets, servers and processes."""
