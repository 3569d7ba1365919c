"""Response headers that keep pages to this server and other sites out of them."""

from __future__ import annotations


def security_headers(host: str, bridge_url: str, *, secure: bool) -> dict[str, str]:
    """Headers for every answer; `host` is a checked `Host`, `bridge_url` may be empty."""
    sockets = f"{'wss' if secure else 'ws'}://{host}" if host else ""
    connect = " ".join(
        dict.fromkeys(part for part in ("'self'", sockets, bridge_url) if part)
    )
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data: blob:",
        "media-src": "'self' data: blob: mediastream:",
        "font-src": "'self'",
        "connect-src": connect,
        "worker-src": "'self' blob:",
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        # Nothing but the client's one policy (src/ui/trusted.ts) makes markup or scripts.
        "require-trusted-types-for": "'script'",
        "trusted-types": "default",
    }
    headers = {
        "Content-Security-Policy": "; ".join(
            f"{key} {value}" for key, value in policy.items()
        ),
        "Permissions-Policy": (
            "camera=(self), microphone=(self), display-capture=(self), "
            "geolocation=(), payment=(), usb=()"
        ),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    if secure:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers
