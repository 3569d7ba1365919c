"""Chromium, driven over its DevTools protocol."""

from __future__ import annotations

import base64
import json
import shutil
from typing import Any

from tests.browser.page import Browser, Page, PageError, Wire

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-features=Translate,MediaRouter,OptimizationHints,AutofillServerCommunication",
    "--disable-sync",
    "--metrics-recording-only",
    "--mute-audio",
    "--password-store=basic",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--allow-loopback-in-peer-connection",
    # Nothing but this machine can be reached, whatever a page or the browser tries.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    "--window-size=1280,720",
    "--remote-debugging-port=0",
)


class Chromium(Browser):
    """One Chromium; all its tabs share the fake camera and microphone."""

    def __init__(self) -> None:
        super().__init__()
        self._pages: dict[str, ChromiumPage] = {}

    @classmethod
    async def start(
        cls, *, video: str = "", flags: tuple[str, ...] = (), user: int | None = None
    ) -> Chromium:
        """Start it with a file (y4m, mjpeg) for the fake camera; `user` owns it."""
        self = cls()
        files = [f"--use-file-for-fake-video-capture={video}"] if video else []
        command = shutil.which("chromium") or "chromium"
        port_file = self.profile / "DevToolsActivePort"
        try:
            await self._spawn(
                *(command, *FLAGS, *files, *flags, f"--user-data-dir={self.profile}"),
                "about:blank",
                user=user,
            )
            lines = await self._wait_for_output(
                lambda: port_file.read_text() if port_file.exists() else None
            )
            port, path = lines.split()
            self.wire = await Wire.connect(f"ws://127.0.0.1:{port}{path}")
        except BaseException:
            await self.close()
            raise
        self.wire.on_event = self._on_event
        return self

    async def new_page(self, *, preload: str = "") -> ChromiumPage:
        assert self.wire is not None
        target = await self.wire.command("Target.createTarget", url="about:blank")
        attached = await self.wire.command(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        page = ChromiumPage(self.wire, attached["sessionId"], target["targetId"])
        self._pages[attached["sessionId"]] = page
        for domain in ("Page", "Runtime", "Network", "Log"):
            await page.command(f"{domain}.enable")
        if preload:
            await page.command("Page.addScriptToEvaluateOnNewDocument", source=preload)
        return page

    def _on_event(self, event: dict[str, Any]) -> None:
        page = self._pages.get(event.get("sessionId", ""))
        if page is not None:
            page.take_event(event["method"], event["params"])


class ChromiumPage(Page):
    def __init__(self, wire: Wire, session: str, target: str) -> None:
        super().__init__()
        self._wire, self._session, self._target = wire, session, target

    async def command(self, method: str, /, **params: Any) -> Any:
        return await self._wire.command(method, session=self._session, **params)

    async def go(self, url: str) -> None:
        answer = await self.command("Page.navigate", url=url)
        if "errorText" in answer:
            raise PageError(f"{url}: {answer['errorText']}")
        await self.wait_for("document.readyState === 'complete'")

    async def evaluate(self, expression: str) -> Any:
        answer = await self.command(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if "exceptionDetails" in answer:
            raise PageError(_exception_text(answer["exceptionDetails"]))
        return answer["result"].get("value")

    async def screenshot(self) -> bytes:
        answer = await self.command("Page.captureScreenshot", format="png")
        return base64.b64decode(answer["data"])

    async def set_viewport(self, width: int, height: int) -> None:
        await self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    async def key(self, code: str, key: str, *, down: bool) -> None:
        """Press a key of the keyboard, or let it go."""
        kind = "keyDown" if down else "keyUp"
        await self.command("Input.dispatchKeyEvent", type=kind, code=code, key=key)

    async def finger(self, selector: str, *, down: bool) -> None:
        """Touch the middle of an element, or take the finger off."""
        await self.wait_for(f"!!document.querySelector({json.dumps(selector)})")
        x, y = await self.call(
            """(selector) => {
                const box = document.querySelector(selector).getBoundingClientRect();
                return [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
            }""",
            selector,
        )
        kind, points = ("touchStart", [{"x": x, "y": y}]) if down else ("touchEnd", [])
        await self.command("Input.dispatchTouchEvent", type=kind, touchPoints=points)

    async def close(self) -> None:
        await self._wire.command("Target.closeTarget", targetId=self._target)

    def take_event(self, method: str, params: dict[str, Any]) -> None:
        match method:
            case "Runtime.exceptionThrown":
                self.observed.log("error", _exception_text(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled":
                words = [_argument_text(argument) for argument in params["args"]]
                self.observed.log(params["type"], " ".join(words))
            case "Log.entryAdded":
                entry = params["entry"]
                text = f"{entry['text']} {entry.get('url', '')}"
                self.observed.log(entry["level"], text)
            case "Network.requestWillBeSent":
                self.observed.request(params["request"]["url"])
            case "Network.webSocketCreated":
                self.observed.request(params["url"])


def _exception_text(details: dict[str, Any]) -> str:
    exception = details.get("exception", {})
    return str(exception.get("description") or exception.get("value") or details["text"])


def _argument_text(argument: dict[str, Any]) -> str:
    return str(argument.get("value", argument.get("description", argument["type"])))
