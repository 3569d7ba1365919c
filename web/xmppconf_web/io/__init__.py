"""HTTP and WebSocket handlers of the gateway."""
