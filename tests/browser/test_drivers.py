"""The drivers themselves, against pages of our own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from tests.browser import people as folk
from tests.browser.conftest import Browsers
from tests.browser.page import PageError
from tests.browser.people import ANN, KIM

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(90),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN,)
FIREFOX = KIM

#: A page that calls itself: what it sends comes back on other elements.
MIRROR = """<!doctype html><title>mirror</title><link rel=icon href="data:,"><input id=i>
<script>
async function start() {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
    const [a, b] = [new RTCPeerConnection(), new RTCPeerConnection()];
    a.onicecandidate = (event) => b.addIceCandidate(event.candidate);
    b.onicecandidate = (event) => a.addIceCandidate(event.candidate);
    b.ontrack = ({ track }) => {
        const element = document.createElement(track.kind);
        element.autoplay = true;
        element.srcObject = new MediaStream([track]);
        document.body.append(element);
    };
    const direction = "sendonly";
    stream.getTracks().forEach((track) => a.addTransceiver(track, { direction }));
    await a.setLocalDescription();
    await b.setRemoteDescription(a.localDescription);
    await b.setLocalDescription();
    await a.setRemoteDescription(b.localDescription);
}
</script>"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def url() -> AsyncIterator[str]:
    async def mirror(request: web.Request) -> web.Response:
        response = web.Response(text=MIRROR, content_type="text/html")
        response.force_close()
        return response

    app = web.Application()
    app.router.add_get("/", mirror)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://localhost:{runner.addresses[0][1]}/"
    await runner.cleanup()


@pytest.mark.parametrize("firefox", [False, True], ids=["chromium", "firefox"])
async def test_a_person_is_seen_and_heard(
    people: Browsers, url: str, firefox: bool
) -> None:
    person = KIM if firefox else ANN
    page = await people.page(person, firefox=firefox)
    await page.go(url)
    await page.evaluate("start()")
    await page.wait_for("testSeen().length === 1", what="a picture")
    [sight] = await folk.seen(page)
    assert sight["number"] == person.number
    assert sight["colour"] == pytest.approx(person.colour, abs=40)
    assert await folk.heard(page) == [[]]
    await folk.speak(page, True)
    tones = f"testHeard([{person.tone}])"
    await page.wait_for(f"{tones}.then(([heard]) => heard.length)", what="the tone")
    assert await folk.heard(page) == [[person.tone]]
    [before] = (await folk.decoded(page)).values()
    more = f"testDecoded().then((now) => Object.values(now)[0] > {before + 10})"
    await page.wait_for(more, what="more frames")


@pytest.mark.parametrize("firefox", [False, True], ids=["chromium", "firefox"])
async def test_what_a_page_does_wrong_is_noticed(
    browsers: Browsers, url: str, firefox: bool
) -> None:
    page = await browsers.page(ANN, firefox=firefox)
    await page.go(url)
    await page.fill("#i", "typed")
    assert await page.evaluate("document.querySelector('#i').value") == "typed"
    with pytest.raises(PageError):
        await page.evaluate("nothing.here")
    assert page.observed.errors == []
    await page.evaluate("void setTimeout(() => { throw new Error('thrown') })")
    await page.evaluate("console.error('complained')")
    await page.evaluate("fetch('http://outside.invalid/').catch(() => null)")
    await page.wait_for("true")
    assert any("thrown" in error for error in page.observed.errors)
    assert any("complained" in error for error in page.observed.errors)
    assert page.observed.outside == ["http://outside.invalid/"]
    assert (await page.screenshot()).startswith(b"\x89PNG")
    await page.close()
