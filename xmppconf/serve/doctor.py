"""`xmppconf doctor`: one line a check, and for each fault the way to mend it."""

from __future__ import annotations

import enum
import functools
import os
import re
import resource
import shutil
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from xmppconf.config import Settings
from xmppconf.config_file import load
from xmppconf.errors import SettingsError
from xmppconf.names import public_url
from xmppconf.serve.app import listen_host, server_ports
from xmppconf.serve.ports import check_tcp, check_udp, is_own_address

WANTED_FILES = 4096
WANTED_BUFFER = 2 * 1024 * 1024  # bytes, a tenth of a second at 160 Mbit/s
WANTED_SPACE = 100 * 1024 * 1024  # bytes
EXPIRY_WARNING = 14 * 86400.0  # seconds before a certificate ends
TIMEOUT = 5.0  # seconds for one answer; a busy machine takes its time
OLDEST_PROSODY = (0, 12)

_STUN_COOKIE = 0x2112A442


class Verdict(enum.Enum):
    GOOD = "ok"
    WARNING = "warning"
    FAULT = "FAULT"


@dataclass(frozen=True, slots=True)
class Finding:
    verdict: Verdict
    what: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.verdict.value:8}{self.what}" + (f": {self.fix}" if self.fix else "")


def main(settings: Settings, state: Path) -> int:
    """Print every finding; the exit code is 1 if there is a fault."""
    found = list(examine(settings, state))
    for finding in found:
        print(finding)
    return 1 if any(finding.verdict is Verdict.FAULT for finding in found) else 0


def examine(settings: Settings, state: Path) -> Iterator[Finding]:
    """All checks, one after the other; those of a running service if there is one."""
    running = _running(state, settings)
    effective = running or settings
    yield Finding(Verdict.GOOD, f"service {'running' if running else 'not running'} here")
    if settings.xmpp.private:
        yield prosody_version()
    if running is None:
        yield port_free(
            lambda: check_tcp(listen_host(settings), settings.web.port, "web.port"),
            f"TCP port {settings.web.port} free",
        )
        yield port_free(
            lambda: check_udp("", settings.bridge.udp_port, "bridge.udp_port"),
            f"UDP port {settings.bridge.udp_port} free",
        )
    else:
        yield media_arrives(
            effective.bridge.udp_port, functools.partial(received_packets, effective)
        )
    if running is not None or not settings.xmpp.private:
        yield server_reachable(effective)
    yield advertised_address(effective)
    yield from certificate(effective)
    yield who_opens_rooms(effective)
    yield open_files()
    yield receive_buffer()
    yield state_folder(state)


def prosody_version() -> Finding:
    if shutil.which("prosodyctl") is None:
        return Finding(Verdict.FAULT, "no Prosody", "run: apt install prosody")
    answer = subprocess.run(
        ["prosodyctl", "about"],  # noqa: S607
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    found = re.search(r"^Prosody (\d+)\.(\d+)\S*", answer.stdout, re.MULTILINE)
    if found is None:
        return Finding(Verdict.WARNING, "Prosody's version unknown")
    version = (int(found[1]), int(found[2]))
    if version < OLDEST_PROSODY:
        return Finding(Verdict.FAULT, found[0], "install Prosody 0.12 or later")
    return Finding(Verdict.GOOD, found[0])


def port_free(check: Callable[[], None], what: str) -> Finding:
    try:
        check()
    except SettingsError as exc:
        return Finding(Verdict.FAULT, f"not so: {what}", str(exc))
    return Finding(Verdict.GOOD, what)


def media_arrives(port: int, received: Callable[[], float | None]) -> Finding:
    """Send datagrams to the bridge's own UDP port and watch its count of received ones.

    The bridge answers no stranger, not even a STUN Binding request (RFC 8489) like this
    one, so an echo is not to be had; the count shows the same.
    """
    what = f"UDP port {port} of the bridge"
    before = received()
    if before is None:
        return Finding(Verdict.FAULT, f"{what}: no figures", "see whether the bridge runs")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            request = struct.pack("!HHI", 1, 0, _STUN_COOKIE) + os.urandom(12)
            sock.sendto(request, ("127.0.0.1", port))
            time.sleep(0.1)
            if (received() or 0) > before:
                return Finding(Verdict.GOOD, f"{what} receives")
    return Finding(
        Verdict.FAULT,
        f"{what} receives nothing",
        "see the firewall and bridge.udp_addresses",
    )


def received_packets(settings: Settings) -> float | None:
    """The bridge's count of received datagrams; None if it does not tell."""
    bridge = settings.bridge
    connection = HTTPConnection(bridge.http_host, bridge.http_port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read(1024 * 1024).decode()
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
    found = re.search(r"^jitsi_jvb_engine_packets_received (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


def server_reachable(settings: Settings) -> Finding:
    xmpp = settings.xmpp
    used = server_ports(settings)
    for setting, port in (
        ("component_port", xmpp.component_port),
        ("client_port", xmpp.client_port),
        ("http_port", xmpp.http_port),
    ):
        if port not in used:
            continue
        try:
            socket.create_connection((xmpp.host, port), TIMEOUT).close()
        except OSError as exc:
            return Finding(
                Verdict.FAULT,
                f"the XMPP server does not accept on {xmpp.host} port {port}",
                f"{exc.strerror or 'no answer'}; see xmpp.host, xmpp.{setting}",
            )
    kinds = "clients" if settings.focus.account else "components, clients"
    return Finding(Verdict.GOOD, f"XMPP server accepts {kinds} and HTTP")


def advertised_address(settings: Settings) -> Finding:
    """Can others reach the addresses that the bridge will advertise?"""
    if settings.domain == "localhost":
        return Finding(
            Verdict.WARNING,
            "domain is localhost",
            "others cannot connect; set domain and TLS",
        )
    try:
        entries = socket.getaddrinfo(settings.domain, None, type=socket.SOCK_DGRAM)
    except OSError:
        return Finding(
            Verdict.FAULT, f"{settings.domain} has no address", "add it to the DNS"
        )
    named = {str(entry[4][0]) for entry in entries}
    known = set(settings.bridge.public_addresses)
    if named & known or any(is_own_address(address) for address in named):
        return Finding(Verdict.GOOD, f"{settings.domain} leads to an address of the bridge")
    return Finding(
        Verdict.WARNING,
        f"{settings.domain} leads to {', '.join(sorted(named))}, not to this machine",
        "if this is a NAT, set bridge.public_addresses",
    )


def certificate(settings: Settings) -> Iterator[Finding]:
    web = settings.web
    if not web.tls_certificate:
        if settings.domain != "localhost" and public_url(settings).startswith("http:"):
            yield Finding(
                Verdict.FAULT,
                "no TLS",
                "browsers open cameras only on https; set web.tls_certificate",
            )
        return
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            web.tls_certificate, web.tls_key
        )
    except (OSError, ssl.SSLError):
        yield Finding(
            Verdict.FAULT,
            "certificate and key cannot be loaded",
            "see web.tls_certificate and web.tls_key: readable PEM files that fit",
        )
        return
    yield _certificate_facts(Path(web.tls_certificate).read_bytes(), settings.domain)


def who_opens_rooms(settings: Settings) -> Finding:
    """A public service on which anybody opens rooms is soon everybody's."""
    members = settings.members
    if members.open and settings.domain != "localhost":
        return Finding(
            Verdict.WARNING,
            "anybody opens rooms",
            "set members.open = false and name members: docs/operating/members.md",
        )
    return Finding(
        Verdict.GOOD, f"{'anybody opens' if members.open else 'members open'} rooms"
    )


def open_files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= WANTED_FILES:
        return Finding(Verdict.GOOD, f"{soft} open files allowed")
    return Finding(
        Verdict.WARNING,
        f"only {soft} open files allowed (at most {hard})",
        f"ulimit -n {WANTED_FILES}, or LimitNOFILE= in the service's unit",
    )


def receive_buffer() -> Finding:
    try:
        size = int(Path("/proc/sys/net/core/rmem_max").read_text())
    except (OSError, ValueError):
        return Finding(Verdict.WARNING, "net.core.rmem_max unknown")
    if size >= WANTED_BUFFER:
        return Finding(Verdict.GOOD, f"UDP receive buffer up to {size} bytes")
    return Finding(
        Verdict.WARNING,
        f"UDP receive buffer only up to {size} bytes",
        f"sysctl -w net.core.rmem_max={WANTED_BUFFER}",
    )


def state_folder(state: Path) -> Finding:
    existing = next(path for path in (state, *state.parents) if path.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        return Finding(Verdict.FAULT, f"{existing} is not writable", "choose with --state")
    if existing == state and state.stat().st_mode & 0o077:
        return Finding(Verdict.FAULT, f"others may enter {state}", f"chmod 700 {state}")
    if shutil.disk_usage(existing).free < WANTED_SPACE:
        return Finding(Verdict.WARNING, f"little space left on {existing}", "make room")
    return Finding(Verdict.GOOD, f"state folder {state}")


def _running(state: Path, settings: Settings) -> Settings | None:
    """The settings of what runs here: of `serve` on this folder, or of parts by hand."""
    run_file = state / "run.toml"
    try:
        served = load(run_file) if run_file.is_file() else None
    except (OSError, SettingsError):
        served = None
    for candidate in (served, settings):
        if candidate is None or not candidate.focus.http_port:
            continue
        address = (candidate.focus.http_host, candidate.focus.http_port)
        try:
            socket.create_connection(address, 1).close()
        except OSError:
            continue
        return candidate
    return None


def _certificate_facts(pem: bytes, domain: str) -> Finding:
    from datetime import UTC, datetime

    from cryptography import x509

    leaf = x509.load_pem_x509_certificates(pem)[0]
    left = (leaf.not_valid_after_utc - datetime.now(UTC)).total_seconds()
    if left <= 0:
        return Finding(Verdict.FAULT, "the certificate has expired", "renew it")
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        hosts = names.value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        hosts = []
    parent = "*." + domain.partition(".")[2]
    if domain not in hosts and parent not in hosts:
        return Finding(
            Verdict.FAULT, f"the certificate is not for {domain}", "use one that names it"
        )
    if left < EXPIRY_WARNING:
        return Finding(
            Verdict.WARNING, f"the certificate ends in {left / 86400:.0f} days", "renew it"
        )
    return Finding(Verdict.GOOD, f"certificate good for {left / 86400:.0f} days")
