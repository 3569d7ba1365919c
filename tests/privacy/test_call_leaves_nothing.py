"""P1, P2, P4, P5: what people are called, say and use to connect is in no byte we write.

The service runs at its most talkative.  The call has everything that passes through us:
presence, chat, bridge channel, connection attempts right and wrong, by XMPP, HTTP,
WebSocket and the media port, from an address that nobody else has.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
from pathlib import Path

import aiohttp
import pytest

from tests.privacy.canary import Searcher, canary
from tests.privacy.everywhere import everywhere
from tests.privacy.processes import is_memory
from tests.support import figures, hostile
from tests.support.figures import Figure
from tests.support.peer import Peer, peers
from tests.support.rtc_peer import use_loopback
from tests.support.service import Service, running_service

pytestmark = [pytest.mark.stack, pytest.mark.timeout(150)]

RED, BLUE = (200, 30, 30), (30, 60, 210)
PATIENCE = 20.0  # seconds
AFTERWARDS = 5.0  # seconds in which late lines would be written
#: Where the bridge says that it is; the test puts the gateway's address there.
NOWHERE = "ws://127.0.0.1:1"
MAX_SERIES = 200  # of metrics, of each part


@pytest.fixture
def words() -> dict[str, str]:
    """Canaries by what they are used as."""
    kinds = ("room", "nick", "name", "said", "sent", "agent", "query", "path", "field")
    return {kind: canary(kind) for kind in kinds}


@pytest.fixture
def address() -> str:
    """An address of this machine that nobody else uses."""
    return f"127.83.{secrets.randbelow(255)}.{secrets.randbelow(253) + 1}"


async def visit(service: Service, words: dict[str, str], address: str, ann: Peer) -> None:
    """Everything that HTTP offers, from the address, rightly and wrongly."""
    room, base = words["room"], service.url.replace("localhost", "127.0.0.1")
    headers = {"User-Agent": words["agent"], "Referer": f"http://x/{words['path']}"}
    connector = aiohttp.TCPConnector(
        local_addr=(address, 0), resolver=aiohttp.ThreadedResolver()
    )
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        for path in (
            room,
            f"config.js?room={words['query']}",
            f"static/{words['path']}/../../x",
            f"http-bind?{words['query']}",
            f"colibri-ws/bridge-1/{words['path']}/{words['nick']}?pwd={words['query']}",
        ):
            async with session.get(f"{base}{path}") as answer:
                body = await answer.text()
                assert words["path"] not in body, f"echoed by /{path.partition('/')[0]}"
        bodies = (
            json.dumps({"room": f"{room}@muc.localhost", words["field"]: 1}),
            f'{{"room": "{room}',
            json.dumps({"room": room, "properties": {words["field"]: words["query"]}}),
        )
        for body in bodies:
            await session.post(f"{base}conference-request/v1", data=body)
        for text in (
            f"<open to='guest.localhost' from='{words['nick']}@x'/>",
            f"<{words['field']}",
        ):
            socket_url = f"{base}xmpp-websocket?room={room}"
            async with session.ws_connect(socket_url, protocols=("xmpp",)) as one:
                await one.send_str(text)
                with contextlib.suppress(TimeoutError):
                    await one.receive(timeout=1)
        assert ann.web_sockets
        for url in ann.web_sockets:
            through_us = url.replace(NOWHERE + "/", base.replace("http", "ws"))
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(through_us + "x")
            async with session.ws_connect(through_us) as channel:
                await channel.send_str(json.dumps({"colibriClass": words["field"]}))
                await channel.send_str(words["field"] + "{")
                with contextlib.suppress(TimeoutError):
                    await channel.receive(timeout=1)


async def hostile_xml(service: Service, words: dict[str, str], address: str) -> None:
    """Stanzas that break or are refused, with canaries in them, at the server itself."""
    settings = service.settings
    domain, room = settings.domain, f"{words['room']}@muc.{settings.domain}"
    async with hostile.logged_in(
        settings.xmpp.host,
        settings.xmpp.client_port,
        f"guest.{domain}",
        local_address=address,
    ) as eve:
        for to in (f"focus.{domain}", f"{room}/focus", f"{room}/{words['nick']}"):
            for payload in (
                f"<conference xmlns='http://jitsi.org/protocol/focus' room='{room}'>"
                f"<property name='{words['field']}' value='{words['query']}'/>"
                "</conference>",
                f"<jingle xmlns='urn:xmpp:jingle:1' sid='{words['query']}' action='x'/>",
                f"<{words['field']} xmlns='urn:{words['path']}'>{words['said']}"
                f"</{words['field']}>",
            ):
                await eve.send(
                    f"<iq type='set' id='{words['query']}' to='{to}'>{payload}</iq>"
                )
            await eve.send(f"<message to='{to}'><body>{words['said']}</body></message>")
        await eve.send(f"<{words['field']}>&{words['said']};</broken>")
        await asyncio.sleep(0.5)


def media_port(service: Service, words: dict[str, str], address: str, ann: Peer) -> None:
    """Checks of a stranger who knows a user, from the address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((address, 0))
        for user in (ann.user, f"{words['nick']}:{words['room']}"):
            for message in hostile.wrong_checks(user):
                sock.sendto(message, ("127.0.0.1", service.settings.bridge.udp_port))


async def test_nothing_of_a_call_is_written_or_shown(
    tmp_path: Path,
    words: dict[str, str],
    address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_loopback(monkeypatch)
    settings = f"[log]\nlevel = 'debug'\n[bridge]\nwebsocket_base = '{NOWHERE}'\n"
    with running_service(tmp_path, settings=settings) as service:
        people = (words["nick"], RED, 440.0), (secrets.token_hex(4), BLUE, 880.0)
        async with peers(
            service.settings, words["room"], *people, display_names=(words["name"],)
        ) as (ann, ben):
            ann.say(words["said"])
            async with asyncio.timeout(PATIENCE):
                assert await ben.messages.get() == (ann.id, words["said"])
                await ann.media.opened.wait()
                await ben.media.opened.wait()
                payload = {"text": words["sent"]}
                ann.media.say(colibriClass="EndpointMessage", to="", msgPayload=payload)
                heard = await ben.media.hear("EndpointMessage")
                assert heard["msgPayload"] == payload
                await visit(service, words, address, ann)
                await hostile_xml(service, words, address)
                media_port(service, words, address, ann)
            searcher = Searcher([*words.values(), address, *connecting(ann, ben)])
            # What a focus that is killed leaves to the next is in memory while the call
            # lasts, like the call itself; afterwards it must not be there either.
            during = [
                sighting
                for sighting in everywhere(service, tmp_path, searcher)
                if not is_memory(sighting.place)
            ]
        await asyncio.sleep(AFTERWARDS)
        after = everywhere(service, tmp_path, searcher)
        lines = service.log_text().count("\n")
    ended = searcher.search_tree(tmp_path)
    what = "{} words and addresses of a call at debug level, found {}"
    count = len(words) + 1 + len(connecting(ann, ben))
    for row, when, sightings in (
        ("P1/P2", "during it", during),
        ("P1/P2 afterwards", "5 s after it and after the end", after + ended),
    ):
        figures.record(
            Figure("privacy", row, what.format(count, when), len(sightings), "", "0")
        )
    assert during == after == ended == []
    assert lines > 10, "a silent log proves nothing"


def connecting(*people: Peer) -> list[str]:
    """Credentials, identities and passwords that only the two ends may know.

    The four letters that a peer chooses as its fragment are anywhere by chance.
    """
    words = []
    for peer in people:
        words += [peer.user.partition(":")[0], peer.password]
        words += [peer.jid, peer.jid.partition("@")[0]]
        words += [url.partition("pwd=")[2] for url in peer.web_sockets]
    assert min(map(len, words)) >= 8, "too short to be found for a reason"
    return words


async def test_secrets_are_in_two_private_files_only(tmp_path: Path) -> None:
    """P5: no secret in arguments, environments, logs or pages; files for the owner only."""
    with running_service(tmp_path, settings='[log]\nlevel = "debug"\n') as service:
        settings = service.settings
        kept = {settings.focus.component_secret, settings.bridge.password}
        assert min(map(len, kept)) >= 24
        seen = everywhere(service, tmp_path, Searcher(kept))
        files = {Path(sighting.place) for sighting in seen}
        assert files <= {
            service.state / "run.toml",
            *service.state.rglob("prosody.cfg.lua"),
        }
        assert service.state / "run.toml" in files, "the search finds what is there"
        modes = {oct(path.stat().st_mode & 0o777) for path in files}
        assert modes == {"0o600"}
        assert service.state.stat().st_mode & 0o077 == 0


async def test_metrics_have_few_series_and_closed_labels(tmp_path: Path) -> None:
    """P4: dashboards cannot be flooded, and no label could hold a name."""
    with running_service(tmp_path) as service:
        for part in ("bridge", "focus", "web"):
            lines = [
                line
                for line in service.page(part, "/metrics").splitlines()
                if line and not line.startswith("#")
            ]
            labels = {line.partition("{")[2].partition("}")[0] for line in lines}
            series = f"series of the metrics of {part}, {len(labels)} sets of labels"
            figures.record(
                Figure("privacy", f"P4 {part}", series, len(lines), "", f"≤ {MAX_SERIES}")
            )
            assert 5 < len(lines) <= MAX_SERIES
            for label in labels - {""}:
                assert all(mark not in label for mark in ("@", "127.", "room="))
