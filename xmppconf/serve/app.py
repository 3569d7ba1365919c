"""`xmppconf serve`: the whole service on one machine."""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

from xmppconf.config import FOCUS_RECORDS, Settings
from xmppconf.config_file import check, to_toml
from xmppconf.errors import SettingsError
from xmppconf.host_port import join_address
from xmppconf.names import public_url
from xmppconf.serve import prosody
from xmppconf.serve.ports import check_tcp, check_udp, free_ports
from xmppconf.serve.probe import is_healthy, ports_answer
from xmppconf.serve.process import Part, say
from xmppconf.serve.prosody_log import discreet
from xmppconf.serve.state import StateFolder, random_secret, write_private
from xmppconf.serve.supervisor import Supervisor

#: Seconds in which a second signal is the first one's echo: a terminal and a wrapper
#: such as timeout(1) both pass it on.  After that it means "now".
SAME_WISH = 0.5


def main(settings: Settings, state: Path) -> int:
    """Run until SIGINT or SIGTERM; returns the exit code."""
    check_machine(settings)
    folder = StateFolder(state)
    try:
        settings = complete(settings)
        list_file = settings.members.file or str(folder.path.absolute() / "members.json")
        settings = replace(settings, members=replace(settings.members, file=list_file))
        rooms = settings.rooms
        kept = rooms.folder or str(folder.path.absolute() / "rooms")
        settings = replace(settings, rooms=replace(rooms, folder=kept))
        check(settings)
        write_private(folder.run_file, to_toml(settings, secrets=True))
        files = prosody.Files(folder.path / "prosody")
        if settings.xmpp.private:
            prosody.write(settings, files)
        return asyncio.run(_run(settings, folder.run_file, files))
    finally:
        folder.close()


def check_machine(settings: Settings) -> None:
    """Refuse before anything is written or started."""
    xmpp, web = settings.xmpp, settings.web
    if xmpp.private and shutil.which("prosody") is None:
        raise SettingsError("Prosody is not installed; run: apt install prosody")
    for setting, port in (
        ("web.port", web.port),
        ("bridge.udp_port", settings.bridge.udp_port),
    ):
        if not port:
            raise SettingsError(f"{setting}: must be between 1 and 65535")
    if web.tls_certificate:
        _check_certificate(web.tls_certificate, web.tls_key)
    check_tcp(listen_host(settings), web.port, "web.port")
    for address in settings.bridge.udp_addresses or ("",):
        check_udp(address, settings.bridge.udp_port, "bridge.udp_port")
    for setting, host, port in (
        ("focus.http_port", settings.focus.http_host, settings.focus.http_port),
        ("bridge.http_port", settings.bridge.http_host, settings.bridge.http_port),
    ):
        if port:
            check_tcp(host, port, setting)
    if not xmpp.private:
        needed: tuple[tuple[str, int | str], ...] = (
            ("xmpp.component_port", xmpp.component_port),
            ("focus.component_secret", settings.focus.component_secret),
        )
        if settings.focus.account:
            needed = (("focus.password", settings.focus.password),)
        for setting, given in (
            ("xmpp.client_port", xmpp.client_port),
            ("xmpp.http_port", xmpp.http_port),
            *needed,
            ("bridge.password", settings.bridge.password),
        ):
            if not given:
                raise SettingsError(f"{setting}: needed with your own XMPP server")
        return
    for name in ("client_port", "component_port", "http_port"):
        if port := getattr(xmpp, name):
            check_tcp(xmpp.host, port, f"xmpp.{name}")
    if xmpp.server_port:
        if not web.tls_certificate:
            raise SettingsError("xmpp.server_port: federation needs web.tls_certificate")
        check_tcp("", xmpp.server_port, "xmpp.server_port")


def _check_certificate(certificate: str, key: str) -> None:
    import ssl  # several megabytes, and a first try needs none of it

    for setting, file in (("tls_certificate", certificate), ("tls_key", key)):
        try:
            Path(file).read_bytes()
        except OSError as exc:
            raise SettingsError(f"web.{setting}: {file}: {exc.strerror}") from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except ssl.SSLError:
        raise SettingsError(
            f"web.tls_certificate: {certificate} is no PEM chain that fits the key {key}"
        ) from None


def complete(settings: Settings) -> Settings:
    """Fill in ports, secrets and addresses that were left to us."""
    client, component, http, focus_http, bridge_http = free_ports(5)
    xmpp, focus, bridge = settings.xmpp, settings.focus, settings.bridge
    xmpp = replace(
        xmpp,
        client_port=xmpp.client_port or client,
        component_port=xmpp.component_port or component,
        http_port=xmpp.http_port or http,
    )
    focus = replace(
        focus,
        component_secret=focus.component_secret or random_secret(),
        password=focus.password or random_secret(),
        admin_token=focus.admin_token or random_secret(),
        http_port=focus.http_port or focus_http,
    )
    # http becomes ws and https wss.
    sockets = "ws" + public_url(settings).removeprefix("http")
    bridge = replace(
        bridge,
        password=bridge.password or random_secret(),
        http_port=bridge.http_port or bridge_http,
        websocket_base=bridge.websocket_base or sockets,
    )
    own_bridge = {bridge.id: f"http://{join_address(bridge.http_host, bridge.http_port)}"}
    web = replace(
        settings.web,
        focus_url=settings.web.focus_url
        or f"http://{join_address(focus.http_host, focus.http_port)}",
        bridges=own_bridge | settings.web.bridges,
    )
    # The focus may die and come back: who signed in stays so until the service ends.
    members = replace(
        settings.members, session_key=settings.members.session_key or random_secret()
    )
    turn = replace(settings.turn, secret=settings.turn.secret or random_secret())
    return replace(
        settings,
        xmpp=xmpp,
        focus=focus,
        bridge=bridge,
        web=web,
        turn=turn,
        members=members,
    )


def listen_host(settings: Settings) -> str:
    """The address to try the gateway's port on."""
    if settings.web.host:
        return settings.web.host
    return "127.0.0.1" if settings.domain == "localhost" else ""


def server_ports(settings: Settings) -> tuple[int, ...]:
    """The XMPP server's ports that our parts connect to."""
    xmpp = settings.xmpp
    component = () if settings.focus.account else (xmpp.component_port,)
    return (xmpp.client_port, *component, xmpp.http_port)


def parts(
    settings: Settings, run_file: Path, files: prosody.Files, records: tuple[int, ...]
) -> tuple[list[Part], list[Part]]:
    """The XMPP server (or nothing, if it is not ours), and the parts that need it."""
    xmpp = settings.xmpp
    server = Part(
        "prosody",
        files.command,
        functools.partial(ports_answer, xmpp.host, server_ports(settings)),
        rewrite=discreet,
    )
    focus, bridge, web = settings.focus, settings.bridge, settings.web
    listen = listen_host(settings) or "127.0.0.1"
    tls = bool(web.tls_certificate)
    questions = {
        # Not its plain /health: the service is ready when the focus sees a bridge.
        "focus": functools.partial(
            is_healthy, focus.http_host, focus.http_port, "/about/health"
        ),
        "bridge": functools.partial(
            is_healthy, bridge.http_host, bridge.http_port, "/health"
        ),
        "web": functools.partial(is_healthy, listen, web.port, "/health", tls=tls),
    }
    others = [
        Part(
            name,
            [sys.executable, "-m", "xmppconf", name, "--config", str(run_file)],
            answers,
            # What a focus that is killed leaves to the next; gone with us.
            inherited=records if name == "focus" else (),
            environment={FOCUS_RECORDS: ",".join(map(str, records))}
            if name == "focus"
            else {},
            # With SIGTERM it would leave its conferences to the next.
            end_signal=signal.SIGINT if name == "focus" else signal.SIGTERM,
        )
        for name, answers in questions.items()
    ]
    return ([server] if xmpp.private else []), others


async def _run(settings: Settings, run_file: Path, files: prosody.Files) -> int:
    records = tuple(os.memfd_create(f"xmppconf-records-{n}") for n in (1, 2))
    first, others = parts(settings, run_file, files, records)
    url = public_url(settings) + "/"
    supervisor = Supervisor(first, others, lambda: print(f"Ready: {url}", flush=True))

    loop = asyncio.get_running_loop()
    asked_at = -SAME_WISH

    def stop() -> None:
        nonlocal asked_at
        before, asked_at = asked_at, loop.time()
        if asked_at - before < SAME_WISH:
            return
        say("stopping" if before < 0 else "killing what is left")
        supervisor.stop()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    return await supervisor.run()
