"""Members known to a program of the operator's, asked by HTTP."""

from __future__ import annotations

from typing import Any

from xmppconf import clock
from xmppconf.config import HookSettings
from xmppconf.errors import PeerError
from xmppconf.strict_json import as_object, loads
from xmppconf_focus.io.members.fetch import MAX_ANSWER, Fetcher, SourceUnavailable
from xmppconf_focus.membership import Member


class HookMembers:
    """POST of `{"user": …, "password": …}`: 200 with a JSON object, or 403.

    The object may have `name`, `moderator`, `features` (list) and `expires`.  Without
    `password` the question is whether there still is such a member; 404 means no, and a
    program that cannot say it answers 400.
    """

    name = "hook"

    def __init__(self, settings: HookSettings, fetcher: Fetcher) -> None:
        self._settings = settings
        self._fetcher = fetcher

    def is_there(self) -> bool:
        return True

    async def check(self, user: str, password: str) -> Member | None:
        """Raises `SourceUnavailable`."""
        status, text = await self._ask({"user": user, "password": password})
        if status in (401, 403, 404):
            return None
        if status != 200:
            raise SourceUnavailable("hook: neither 200 nor 403")
        return _member(user, text)

    async def knows(self, user: str) -> bool | None:
        status, text = await self._ask({"user": user})
        if status in (403, 404):
            return False
        return _member(user, text) is not None if status == 200 else None

    async def _ask(self, question: dict[str, str]) -> tuple[int, str]:
        secret = self._settings.secret
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        return await self._fetcher.request(
            "POST", self._settings.url, headers=headers, json=question
        )


def _member(user: str, text: str) -> Member | None:
    try:
        answer: dict[str, Any] = as_object(loads(text, MAX_ANSWER), "answer")
        name, features = answer.get("name"), answer.get("features") or []
        expires = answer.get("expires")
        expires = None if expires is None else float(expires)
        if expires is not None and expires <= clock.wall():
            return None
        return Member(
            "hook",
            user,
            name if isinstance(name, str) else None,
            answer.get("moderator", True) is True,
            frozenset(item for item in features if isinstance(item, str)),
            expires,
        )
    except (PeerError, TypeError, ValueError):
        raise SourceUnavailable("hook: answer cannot be read") from None
