"""Somebody else's client library, as published to npm, fetched for the tests only.

None of its code is in this repository.  The package is taken by name and version, and
refused unless it is byte for byte the one that the tests were written against.  The
tests run with another build of it as well, if `XMPPCONF_STOCK_LIBRARY` names its script.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import tarfile
from pathlib import Path

PACKAGE = "@solyd/lib-jitsi-meet@2.7001.1"
SHA512 = (
    "4fobgOgvRF+CxlWuatYewp2SxImAcKr0syzJIimnL39Thw/M1SAlmhyQk9xQf++S"
    "sXLGuwm03m2u4p+nlzfGVg=="
)
SCRIPT = "package/dist/umd/lib-jitsi-meet.min.js"
CACHE = Path(__file__).parent.parent.parent / ".cache" / "stock-client"
FETCH_TIMEOUT = 120.0  # seconds


def other_build() -> str:
    """Where another build's script is; empty: the one on npm is tested."""
    return os.environ.get("XMPPCONF_STOCK_LIBRARY", "")


async def library() -> str:
    """The library's script, from the cache or from npm, or another build of it."""
    if another := other_build():
        return await asyncio.to_thread(Path(another).read_text)
    CACHE.mkdir(parents=True, exist_ok=True)
    archive = next(iter(CACHE.glob("*.tgz")), None)
    if archive is None:
        npm = await asyncio.create_subprocess_exec(
            *("npm", "pack", "--silent", "--pack-destination", str(CACHE), PACKAGE),
            stdout=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(FETCH_TIMEOUT):
            code = await npm.wait()
        assert code == 0, f"npm could not fetch {PACKAGE}"
        archive = next(iter(CACHE.glob("*.tgz")))
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    assert digest == SHA512, f"{archive} is not {PACKAGE}"
    with tarfile.open(archive) as package:
        script = package.extractfile(SCRIPT)
        assert script is not None
        return script.read().decode()


#: A client of seventy lines on that library: joins, sends, shows and plays what comes.
PAGE = """<!doctype html><meta charset=utf-8><title>stock</title>
<link rel=icon href="data:,">
<script src="library.js"></script>
<script>
const seen = window.stock = { state: "new", id: "", names: [], error: "", speaker: "",
    muted: {}, messages: [], gone: [], payloads: [], direct: false };
async function start({ websocket, domain, room, name, codec, focus, direct }) {
    const stock = window.JitsiMeetJS;
    stock.setLogLevel(stock.logLevels.WARN);
    stock.init({ disableAudioLevels: true, disableThirdPartyRequests: true });
    const tracks = await stock.createLocalTracks({ devices: ["audio", "video"] });
    const connection = new stock.JitsiConnection(null, null, {
        hosts: {
            // As our /config.js has it: components are asked for at the focus.  A stock
            // focus is none, and its own answer to what it does not know ends its stream.
            domain: focus ? domain : `focus.${domain}`,
            anonymousdomain: `guest.${domain}`, muc: `muc.${domain}`,
            focus: focus ?? `focus.${domain}`,
        },
        serviceUrl: websocket,
    });
    window.leave = () => conference.leave().then(() => connection.disconnect());
    window.mute = (kind, on) => {
        const track = conference.getLocalTracks().find((one) => one.getType() === kind);
        return on ? track.mute() : track.unmute();
    };
    await new Promise((resolve, reject) => {
        connection.addEventListener(
            stock.events.connection.CONNECTION_ESTABLISHED, resolve);
        connection.addEventListener(
            stock.events.connection.CONNECTION_FAILED, (error) => reject(new Error(error)));
        connection.connect();
    });
    seen.state = "connected";
    const { conference: events } = stock.events;
    const conference = connection.initJitsiConference(room, {
        p2p: { enabled: direct },
        videoQuality: codec ? { preferredCodec: codec } : {},
        enableNoisyMicDetection: false, enableNoAudioDetection: false,
        statisticsId: name, deploymentInfo: {},
    });
    window.conference = conference;
    const elements = new Map();
    conference.on(events.TRACK_ADDED, (track) => {
        if (track.isLocal()) return;
        const element = document.createElement(track.getType());
        element.autoplay = true;
        element.dataset.id = track.getParticipantId();
        track.attach(element);
        document.body.append(element);
        elements.set(track, element);
    });
    conference.on(events.TRACK_REMOVED, (track) => elements.get(track)?.remove());
    conference.on(events.USER_JOINED, (id, user) => seen.names.push(user.getDisplayName()));
    conference.on(events.USER_LEFT, (id) => seen.gone.push(id));
    conference.on(events.MESSAGE_RECEIVED, (id, text) => seen.messages.push([id, text]));
    conference.on(events.ENDPOINT_MESSAGE_RECEIVED, (user, payload) =>
        seen.payloads.push([user.getId(), payload.text]));
    conference.on(events.TRACK_MUTE_CHANGED, (track) => {
        if (!track.isLocal()) {
            seen.muted[`${track.getParticipantId()} ${track.getType()}`] = track.isMuted();
        }
    });
    conference.on(events.DOMINANT_SPEAKER_CHANGED, (id) => { seen.speaker = id; });
    conference.on(events.P2P_STATUS, (_, direct) => { seen.direct = direct; });
    conference.on(events.CONFERENCE_FAILED, (error) => { seen.error = String(error); });
    conference.on(events.CONFERENCE_JOINED, () => {
        seen.state = "joined";
        seen.id = conference.myUserId();
        conference.setReceiverVideoConstraint(720);
    });
    conference.setDisplayName(name);
    for (const track of tracks) await conference.addTrack(track);
    conference.join();
}
</script>"""
