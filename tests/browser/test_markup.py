"""B6: what people write stays text, wherever it is shown.

Each string is a name, a message and, as far as a URL carries it, a room.  A script that
ran would leave a mark on the page; so would a report of the Content-Security-Policy, a
dialog, a console error or a request to another host, which every test looks for.
"""

from __future__ import annotations

import itertools
import re
import urllib.parse

import pytest

from tests.browser.call import Caller, by_testid, enter, new_room
from tests.browser.conftest import Browsers
from tests.browser.people import ANN, BEN
from tests.support.figures import count
from tests.support.service import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(count(180, 1500)),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN, BEN)
FIREFOX = None

WRITTEN = (
    "<script>window.ran=1</script>",
    "<img src=x onerror=window.ran=2>",
    '"><svg/onload=window.ran=3>',
    "'-alert(4)-'",
    "javascript:window.ran=5",
    "</textarea></title><iframe src=javascript:alert(6)>",
    "{{constructor.constructor('window.ran=7')()}}${window.ran=7}",
    "&lt;b&gt;&#60;b&#62;<b>8</b>",
    "<a href=//evil.invalid/>9</a>",
    "\u202e\u2066gpj.exe\u200b\ufeff10",
    "<math><mtext><style><img src=//evil.invalid/x onerror=alert(11)>",
    "__proto__",
    "]]></body><x xmlns='urn:x'>13",
    "<link rel=stylesheet href=//evil.invalid/><base href=//evil.invalid/>",
)
#: What is put before an element to get out of where it stands.
_BEFORE = ("", '">', "'>", "</p>", "<!--", "]]>", "\\x3c", "%3E", "</style></script>", "` ")
_ELEMENTS = (
    "<img src=x onerror={}>",
    "<svg onload={}>",
    "<body onload={}>",
    "<details open ontoggle={}>",
    "<input autofocus onfocus={}>",
    "<video><source onerror={}></video>",
    "<marquee onstart={}>",
    "<iframe srcdoc='<script>parent.{}</script>'>",
    "<object data=javascript:{}>",
    "<form action=javascript:{}><button autofocus>x</button></form>",
    "<style onload={}>@import'//evil.invalid/'</style>",
    "<audio src=x onerror={}>",
    "<embed src=javascript:{}>",
    "<select onfocus={} autofocus>",
    "<a href=javascript:{} style=display:block>x</a>",
    "<xss id=x tabindex=1 onfocus={}></xss>",
    "<script src=data:,{}></script>",
    "<img src=x:x onerror={}//",
    "<svg><animate onbegin={} attributeName=x>",
)
GENERATED = [
    before + element.format(f"window.ran={14 + number}")
    for number, (element, before) in enumerate(itertools.product(_ELEMENTS, _BEFORE), 1)
][:186]
#: Two hundred, or every fortieth of those that are made of parts.
NASTY = (*WRITTEN, *GENERATED[:: count(40, 1)])
#: What a page may drop of a name: white space, control and format characters.
_UNSEEN = re.compile(r"[\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


async def nothing_ran(caller: Caller) -> None:
    assert await caller.page.evaluate("window.ran ?? null") is None
    assert await caller.page.violations() == []
    inside = "script:not([src]), iframe, base, .stage svg[onload], img[onerror], b b, i i"
    assert (
        await caller.page.evaluate(
            f"[...document.body.querySelectorAll({inside!r})].map((one) => one.outerHTML)"
        )
        == []
    )


async def test_names_and_messages_stay_text(people: Browsers, service: Service) -> None:
    room = new_room()
    ann, ben = Caller(ANN, await people.page(ANN)), Caller(BEN, await people.page(BEN))
    for caller in (ann, ben):
        await caller.open(service.url, room)
        await caller.join()
    await ben.page.click(by_testid("toggle-chat"))
    texts = f"[...document.querySelectorAll('{by_testid('chat-message')}')]"
    for number, text in enumerate(NASTY, 1):
        await ann.say(text)
        await ben.page.wait_for(f"{texts}.length >= {number}", what=text)
    shown = await ben.page.evaluate(f"{texts}.map((one) => one.textContent)")
    for text in NASTY:
        assert any(text in one for one in shown), text
    for text in NASTY:
        await ann.page.click(by_testid("more"))
        await ann.page.click(by_testid("open-settings"))
        await ann.page.fill(by_testid("settings-name"), text)
        await ann.page.click(by_testid("close-dialog"))
        wanted = _UNSEEN.sub("", text)[:20]
        await ben.page.wait_for(
            f"[...document.querySelectorAll('{by_testid('tile-name')}')].some((one) =>"
            f" one.textContent.replace(/{_UNSEEN.pattern}/gu, '').includes({wanted!r}))",
            what=f"{text} as a name",
        )
    for caller in (ann, ben):
        await nothing_ran(caller)
        await caller.leave()
        await nothing_ran(caller)


async def test_topics_and_questions_stay_text(people: Browsers, service: Service) -> None:
    room = new_room()
    ann, ben = [await enter(people, service, room, person) for person in (ANN, BEN)]
    await ann.page.click(by_testid("more"))
    await ann.page.click(by_testid("open-security-menu"))
    line = f"document.querySelector('{by_testid('meeting-line')} .topic')"
    for text in NASTY:
        await ann.page.fill(by_testid("set-topic"), text)
        await ann.page.click(by_testid("save-topic"))
        wanted = _UNSEEN.sub("", text)[:20]
        await ben.page.wait_for(
            f"{line}?.textContent.replace(/{_UNSEEN.pattern}/gu, '').includes({wanted!r})",
            what=f"{text} as a topic",
        )
    await ann.page.click(by_testid("close-dialog"))
    await ann.page.click(by_testid("more"))
    await ann.page.click(by_testid("toggle-polls"))
    await ben.page.click(by_testid("more"))
    await ben.page.click(by_testid("toggle-polls"))
    questions = f"[...document.querySelectorAll('{by_testid('poll')} h3')]"
    for number, text in enumerate(NASTY[:5], 1):
        await ann.page.click(by_testid("poll-new"))
        await ann.page.fill(by_testid("poll-question"), text)
        await ann.page.call(
            """(selector, text) => [...document.querySelectorAll(selector)].forEach(
                (input, index) => {
                    input.value = text + index;
                    input.dispatchEvent(new Event("input", { bubbles: true }));
                }
            )""",
            by_testid("poll-option"),
            text,
        )
        await ann.page.click(by_testid("poll-ask"))
        await ben.page.wait_for(f"{questions}.length === {number}", what=text)
    for caller in (ann, ben):
        await nothing_ran(caller)


async def test_room_names_stay_text(people: Browsers, service: Service) -> None:
    ann = Caller(ANN, await people.page(ANN))
    # What cannot be a room is no page.
    ann.page.observed.forgiven.append("404 (Not Found)")
    ours = ", ".join(map(by_testid, ("prejoin-page", "start-page", "left-page")))
    for text in NASTY:
        await ann.page.go(f"{service.url}{urllib.parse.quote(text, safe='')}")
        if await ann.page.evaluate("!!document.querySelector('#app')"):
            await ann.page.wait_for(f"!!document.querySelector({ours!r})", what=text)
            await nothing_ran(ann)
        else:
            assert await ann.page.evaluate("document.contentType") == "text/plain"
        await ann.page.go(service.url)
        await ann.page.fill(by_testid("room-name"), text)
        await ann.page.click(by_testid("go"))
        answer = f"document.querySelector('{by_testid('prejoin-page')}, #room-error')"
        await ann.page.wait_for(f"!!{answer}", what=text)
        await nothing_ran(ann)
