"""A page with other people's client library that does what a room's features need."""

from __future__ import annotations

import json
from typing import Any

from tests.browser.page import Page

#: Every event of the conference is written down; participants become their ids.
PAGE = """<!doctype html><meta charset=utf-8><title>stock rooms</title>
<link rel=icon href="data:,">
<script src="config.js"></script>
<script src="library.js"></script>
<script>
const seen = window.seen = [];
const kept = new Map();
const plain = (value, depth = 0) => {
    if (value === undefined || value === null || depth > 4) return null;
    if (typeof value !== "object" && typeof value !== "function") return value;
    if (typeof value.getId === "function" && typeof value.getRole === "function") {
        return value.getId();
    }
    if (typeof value.getType === "function") return value.getType();
    if (Array.isArray(value)) return value.map((one) => plain(one, depth + 1));
    if (Object.getPrototypeOf(value) !== Object.prototype) return String(value);
    return Object.fromEntries(Object.entries(value).map(
        ([key, one]) => [key, plain(one, depth + 1)]));
};
/** Whether a value is what is wanted; of an object, as far as it is wanted. */
const fits = (value, wanted) => wanted !== null && typeof wanted === "object"
    ? value !== null && typeof value === "object"
        && Object.entries(wanted).every(([key, one]) => fits(value[key], one))
    : value === wanted;
async function enter({ room, name, uid, media, password }) {
    const stock = window.JitsiMeetJS;
    kept.set("jitsiMeetId", uid);
    stock.setLogLevel(stock.logLevels.ERROR);
    // Several people sit in one browser, whose storage they would share.
    stock.init({ disableAudioLevels: true, disableThirdPartyRequests: true,
        externalStorage: {
            getItem: (key) => kept.get(key) ?? null,
            setItem: (key, value) => kept.set(key, value),
            removeItem: (key) => kept.delete(key),
            clear: () => kept.clear(), on() {}, off() {}, addListener() {},
        } });
    const connection = window.connection = new stock.JitsiConnection(null, null, config);
    await new Promise((resolve, reject) => {
        const { connection: events } = stock.events;
        connection.addEventListener(events.CONNECTION_ESTABLISHED, resolve);
        connection.addEventListener(events.CONNECTION_FAILED, (error) => {
            seen.push(["CONNECTION_FAILED", String(error)]);
            reject(new Error(error));
        });
        connection.connect();
    });
    join(room, name, media, password);
}
function join(room, name, media, password) {
    const stock = window.JitsiMeetJS;
    const conference = window.conference = window.connection.initJitsiConference(room, {
        p2p: { enabled: false }, enableNoisyMicDetection: false,
        enableNoAudioDetection: false, statisticsId: name, deploymentInfo: {},
    });
    for (const [key, event] of Object.entries(stock.events.conference)) {
        conference.on(event, (...args) => seen.push([key, ...args.map(plain)]));
    }
    conference.setDisplayName(name);
    const tracks = media
        ? stock.createLocalTracks({ devices: ["audio"] }) : Promise.resolve([]);
    tracks.then(async (made) => {
        for (const track of made) await conference.addTrack(track);
        conference.join(password);
    });
}
const xml = document.implementation.createDocument(null, null);
/** What newer builds of the library send; this one does not know how. */
function tell(name, attributes, text) {
    // The library writes attributes as they are, and no namespace by itself.
    const element = xml.createElement(name);
    element.setAttribute("xmlns", "http://jitsi.org/jitmeet");
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text) element.textContent = text;
    const message = xml.createElement("message");
    message.setAttribute("xmlns", "jabber:client");
    message.setAttribute("to", config.hosts.focus);
    message.append(element);
    window.connection.xmpp.connection.send(message);
}
/** JSON messages from the focus, of all types. */
const told = window.told = [];
function hearFocus() {
    window.connection.xmpp.connection.addHandler((message) => {
        const json = message.getElementsByTagName("json-message")[0];
        if (json && message.getAttribute("from") === config.hosts.focus) {
            told.push(JSON.parse(json.textContent));
        }
        return true;
    }, null, "message", null, null);
}
</script>"""


class Stock:
    """Somebody before such a page; events are taken in the order they come."""

    def __init__(self, page: Page, name: str, uid: str) -> None:
        self.page, self.name, self.uid = page, name, uid
        # Its own words; it calls a refusal an error, and refusals are what is tested.
        page.observed.forgiven.append("")

    async def open(self, url: str) -> None:
        await self.page.go(url)
        ready = await self.page.evaluate("window.told !== undefined")
        assert ready, self.page.observed.console

    async def enter(
        self, room: str, *, media: bool = False, password: str | None = None
    ) -> None:
        await self.page.call(
            "(wish) => enter(wish).then(hearFocus)",
            {
                "room": room,
                "name": self.name,
                "uid": self.uid,
                "media": media,
                "password": password,
            },
        )

    async def do(self, method: str, *arguments: object) -> Any:
        """A method of the conference, such as `lock`."""
        return await self.page.call(
            f"(...args) => Promise.resolve(conference.{method}(...args)).then(() => null)",
            *arguments,
        )

    async def ask(self, method: str, *arguments: object) -> Any:
        return await self.page.call(
            f"(...args) => plain(conference.{method}(...args))", *arguments
        )

    @property
    async def id(self) -> str:
        return str(await self.page.evaluate("conference.myUserId()"))

    async def saw(self, event: str, *expected: object) -> list[Any]:
        """Wait for an event whose first arguments are these, and forget it."""
        wanted = json.dumps([event, *expected])
        # For a failing test: it shows what the console had last.
        await self.page.evaluate("console.info(JSON.stringify(seen.slice(-8)))")
        found = await self.page.wait_for(
            f"(() => {{ const wanted = {wanted};"
            " const index = seen.findIndex((one) => fits(one, wanted));"
            " return index < 0 ? null : seen.splice(index, 1)[0]; })()",
            seconds=20,
            what=f"{self.name}: {wanted}",
        )
        return list(found)

    async def was_told(self, **members: object) -> dict[str, Any]:
        """Wait for a JSON message of the focus with these members, and forget it."""
        wanted = json.dumps(members)
        found = await self.page.wait_for(
            f"(() => {{ const wanted = {wanted};"
            " const index = told.findIndex((one) => fits(one, wanted));"
            " return index < 0 ? null : told.splice(index, 1)[0]; })()",
            what=f"{self.name}: {wanted}",
        )
        return dict(found)

    async def holds(self, condition: str) -> None:
        await self.page.wait_for(condition, what=f"{self.name}: {condition}")

    async def tell(self, name: str, text: str = "", **attributes: str) -> None:
        await self.page.call("tell", name, attributes, text)
