"""Firefox, driven over WebDriver BiDi, which it speaks itself."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Mapping
from typing import Any

from tests.browser.page import Browser, Page, PageError, Wire

PREFERENCES: dict[str, bool | int | str] = {
    "app.update.enabled": False,
    "app.normandy.enabled": False,
    "browser.aboutConfig.showWarning": False,
    "browser.newtabpage.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.safebrowsing.downloads.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "browser.startup.page": 0,
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.push.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "extensions.update.enabled": False,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "media.gmp-manager.updateEnabled": False,
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.dns.disablePrefetch": True,
    "network.prefetch-next": False,
    "network.trr.mode": 5,
    # Whatever is not this machine goes to a port where nobody is.
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.allow_hijacking_localhost": False,
    "network.proxy.no_proxies_on": "localhost, 127.0.0.1",
    "remote.prefs.recommended": True,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.enabled": False,
    "toolkit.telemetry.server": "",
}

_LISTENING = re.compile(r"WebDriver BiDi listening on (ws://127\.0\.0\.1:\d+)")


class Firefox(Browser):
    def __init__(self) -> None:
        super().__init__()
        self._pages: dict[str, FirefoxPage] = {}

    @classmethod
    async def start(
        cls,
        *,
        tone: int = 1000,
        more: Mapping[str, bool | int | str] | None = None,
        user: int | None = None,
    ) -> Firefox:
        """Start it with a fake microphone that hums at so many hertz; `user` owns it."""
        self = cls()
        hum = {"media.navigator.audio.fake_frequency": tone}
        preferences = PREFERENCES | hum | dict(more or {})
        lines = [
            f"user_pref({json.dumps(key)}, {json.dumps(value)});"
            for key, value in preferences.items()
        ]
        (self.profile / "user.js").write_text("\n".join(lines))
        output = self.profile / "output.log"

        def listening() -> str | None:
            match = _LISTENING.search(output.read_text(errors="replace"))
            return match and match.group(1)

        try:
            await self._spawn(
                shutil.which("firefox-esr") or shutil.which("firefox") or "firefox",
                "--headless",
                "--no-remote",
                "--remote-debugging-port=0",
                f"--profile={self.profile}",
                "--window-size=1280,720",
                user=user,
            )
            url = await self._wait_for_output(listening)
            self.wire = await Wire.connect(f"{url}/session")
            await self.wire.command("session.new", capabilities={})
            await self.wire.command(
                "session.subscribe", events=["log.entryAdded", "network.beforeRequestSent"]
            )
        except BaseException:
            await self.close()
            raise
        self.wire.on_event = self._on_event
        return self

    async def new_page(self, *, preload: str = "") -> FirefoxPage:
        assert self.wire is not None
        context = (await self.wire.command("browsingContext.create", type="tab"))["context"]
        page = FirefoxPage(self.wire, context)
        self._pages[context] = page
        if preload:
            await self.wire.command(
                "script.addPreloadScript",
                functionDeclaration=f"() => {{ {preload} }}",
                contexts=[context],
            )
        return page

    def _on_event(self, event: dict[str, Any]) -> None:
        params = event["params"]
        context = params.get("context") or params.get("source", {}).get("context")
        page = self._pages.get(context or "")
        if page is not None:
            page.take_event(event["method"], params)


class FirefoxPage(Page):
    def __init__(self, wire: Wire, context: str) -> None:
        super().__init__()
        self._wire, self._context = wire, context

    async def go(self, url: str) -> None:
        await self._wire.command(
            "browsingContext.navigate", context=self._context, url=url, wait="complete"
        )

    async def evaluate(self, expression: str) -> Any:
        # BiDi has its own way to write values; JSON is the shorter one.
        answer = await self._wire.command(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({expression})))()",
            target={"context": self._context},
            awaitPromise=True,
            userActivation=True,
        )
        if answer["type"] == "exception":
            raise PageError(answer["exceptionDetails"]["text"])
        result = answer["result"]
        return json.loads(result["value"]) if result["type"] == "string" else None

    async def screenshot(self) -> bytes:
        answer = await self._wire.command(
            "browsingContext.captureScreenshot", context=self._context
        )
        return base64.b64decode(answer["data"])

    async def set_viewport(self, width: int, height: int) -> None:
        await self._wire.command(
            "browsingContext.setViewport",
            context=self._context,
            viewport={"width": width, "height": height},
        )

    async def close(self) -> None:
        await self._wire.command("browsingContext.close", context=self._context)

    def take_event(self, method: str, params: dict[str, Any]) -> None:
        if method == "log.entryAdded":
            level = "warning" if params["level"] == "warn" else params["level"]
            self.observed.log(level, str(params.get("text")))
        elif method == "network.beforeRequestSent":
            self.observed.request(params["request"]["url"])
