"""A page in a browser that a test drives, whichever protocol the browser speaks."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]", "::1", ""}
START_TIMEOUT = 30.0  # seconds
COMMAND_TIMEOUT = 30.0  # seconds


@dataclass(slots=True)
class Observed:
    """What a page did that a test must not pass over in silence."""

    errors: list[str] = field(default_factory=list)
    """Uncaught exceptions and console errors."""
    outside: list[str] = field(default_factory=list)
    """Requests to any other host than this machine."""
    forgiven: list[str] = field(default_factory=list)
    """What an error may contain when the page is not ours."""
    console: list[str] = field(default_factory=list)
    """Everything on the console, for reading after a failure; the last thousand lines."""

    def request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https", "ws", "wss"} and (
            (parts.hostname or "") not in LOCAL_HOSTS
        ):
            self.outside.append(url)

    def log(self, level: str, text: str) -> None:
        self.console.append(f"{level}: {text}")
        del self.console[:-1000]
        if level == "error" and not any(words in text for words in self.forgiven):
            self.errors.append(text)


class Page(ABC):
    """One tab.  `evaluate` takes a JavaScript expression, which may be a promise."""

    def __init__(self) -> None:
        self.observed = Observed()

    @abstractmethod
    async def go(self, url: str) -> None:
        """Open a URL and wait until it is loaded."""

    @abstractmethod
    async def evaluate(self, expression: str) -> Any:
        """The expression's value, which must be JSON; raises `PageError` if it throws."""

    @abstractmethod
    async def screenshot(self) -> bytes:
        """A PNG of the viewport."""

    @abstractmethod
    async def set_viewport(self, width: int, height: int) -> None:
        """CSS pixels."""

    @abstractmethod
    async def close(self) -> None:
        """Close the tab, as a person would."""

    async def call(self, function: str, *arguments: object) -> Any:
        """Call a JavaScript function expression with JSON arguments."""
        return await self.evaluate(f"({function})(...{json.dumps(arguments)})")

    async def violations(self) -> list[str]:
        """What the page wanted to do against its Content-Security-Policy, and dialogs."""
        seen = await self.evaluate("window.testViolations ?? []")
        return [f"forbidden: {one}" for one in seen]

    async def wait_for(
        self, condition: str, *, seconds: float = 15.0, every: float = 0.1, what: str = ""
    ) -> Any:
        """Poll until the expression is truthy; returns its value."""
        deadline = time.monotonic() + seconds
        while True:
            value = await self.evaluate(condition)
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"not within {seconds} s: {what or condition}; console ends with "
                    + " | ".join(self.observed.console[-15:])
                )
            await asyncio.sleep(every)

    async def click(self, selector: str) -> None:
        """Click the element that the CSS selector finds, once it is there and enabled."""
        found = f"document.querySelector({json.dumps(selector)})"
        await self.wait_for(f"{found} && !{found}.disabled", what=f"{selector} to click")
        await self.evaluate(f"{found}.click()")

    async def fill(self, selector: str, text: str) -> None:
        """Put text into an input as if it were typed."""
        await self.wait_for(f"!!document.querySelector({json.dumps(selector)})")
        await self.call(
            """(selector, text) => {
                const input = document.querySelector(selector);
                const kind = input instanceof HTMLTextAreaElement
                    ? HTMLTextAreaElement : HTMLInputElement;
                const value = Object.getOwnPropertyDescriptor(kind.prototype, "value");
                value.set.call(input, text);
                input.dispatchEvent(new Event("input", { bubbles: true }));
                input.dispatchEvent(new Event("change", { bubbles: true }));
            }""",
            selector,
            text,
        )

    async def select(self, selector: str, value: str) -> None:
        """Choose an option of a list as if it were clicked."""
        await self.wait_for(f"!!document.querySelector({json.dumps(selector)})")
        await self.call(
            """(selector, value) => {
                const select = document.querySelector(selector);
                select.value = value;
                select.dispatchEvent(new Event("change", { bubbles: true }));
            }""",
            selector,
            value,
        )

    async def saved(self, selector: str) -> tuple[str, str]:
        """Click what saves a text file: its name, and what is in it."""
        await self.evaluate(
            """(() => {
                const make = URL.createObjectURL;
                URL.createObjectURL = (blob) => {
                    window.testSaved = blob.text();
                    return make(blob);
                };
                HTMLAnchorElement.prototype.click = function () {
                    window.testName = this.download;
                };
            })()"""
        )
        await self.click(selector)
        name, text = await self.evaluate("Promise.all([testName, testSaved])")
        return name, text

    async def text(self, selector: str) -> str:
        """What stands in an element, once it is there."""
        found = f"document.querySelector({json.dumps(selector)})"
        return str(await self.wait_for(f"{found}?.textContent", what=selector))


class PageError(Exception):
    """The page's JavaScript threw."""


class Wire:
    """JSON commands with ids over one WebSocket, as CDP and WebDriver BiDi both have."""

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse, session: aiohttp.ClientSession
    ) -> None:
        self._socket, self._session = socket, session
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._last_id = 0
        self.on_event: Callable[[dict[str, Any]], None] = lambda event: None
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def connect(cls, url: str) -> Wire:
        # By address only; the other resolver would start a thread that outlives the test.
        connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver())
        session = aiohttp.ClientSession(connector=connector)
        try:
            socket = await session.ws_connect(url, max_msg_size=64 * 1024 * 1024)
        except BaseException:
            await session.close()
            raise
        return cls(socket, session)

    async def command(self, method: str, /, *, session: str = "", **params: Any) -> Any:
        """Send a command and wait for its result; raises `PageError` on an error answer."""
        self._last_id += 1
        message: dict[str, Any] = {"id": self._last_id, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        answer = asyncio.get_running_loop().create_future()
        self._waiting[self._last_id] = answer
        await self._socket.send_json(message)
        async with asyncio.timeout(COMMAND_TIMEOUT):
            reply = await answer
        if "error" in reply:
            raise PageError(f"{method}: {reply['error']} {reply.get('message', '')}")
        return reply["result"]

    async def close(self) -> None:
        await self._socket.close()
        await self._session.close()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            reply = json.loads(message.data)
            answer = self._waiting.pop(reply.get("id"), None)
            if answer is not None and not answer.done():
                answer.set_result(reply)
            elif "method" in reply:
                self.on_event(reply)
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(PageError("the browser is gone"))


class Browser(ABC):
    """A browser process with a profile of its own in a temporary folder."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(
            prefix="xmppconf-browser-", ignore_cleanup_errors=True
        )
        self.profile = Path(self._folder.name)
        self._process: asyncio.subprocess.Process | None = None
        self.wire: Wire | None = None

    @abstractmethod
    async def new_page(self, *, preload: str = "") -> Page:
        """A new tab that runs `preload` (JavaScript) before each page's own scripts."""

    async def _spawn(self, *command: str, user: int | None = None) -> None:
        if user is not None:
            for path in (self.profile, *self.profile.rglob("*")):
                os.chown(path, user, user)
        log = (self.profile / "output.log").open("wb")
        with log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=user,
                group=user,
                env={
                    **os.environ,
                    "HOME": str(self.profile),
                    # Chromium leaves folders there when it is killed.
                    "TMPDIR": str(self.profile),
                    "MOZ_CRASHREPORTER_DISABLE": "1",
                },
            )

    async def _wait_for_output(self, find: Callable[[], str | None]) -> str:
        assert self._process is not None
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if found := find():
                return found
            if self._process.returncode is not None:
                break
            await asyncio.sleep(0.05)
        output = (self.profile / "output.log").read_text(errors="replace")
        raise AssertionError(f"the browser did not start: {output[-2000:]}")

    def signal(self, number: signal.Signals) -> None:
        """Send every process of this browser a signal."""
        assert self._process is not None
        # Its own session, hence its own group: nobody else is in it.
        os.killpg(self._process.pid, number)

    async def kill(self) -> None:
        """End every process of this browser at once, as a crash would."""
        if self._process is not None and self._process.returncode is None:
            self.signal(signal.SIGKILL)
            await self._process.wait()

    async def close(self) -> None:
        if self.wire is not None:
            await self.wire.close()
        await self.kill()
        self._folder.cleanup()
