"""The page's lines as its part about a focus with an account changes them."""

from __future__ import annotations

import functools
import re
from pathlib import Path

from tests.serve import existing
from tests.serve.existing import blocks

MODULES = Path(__file__).parent / "prosody_modules"

_COMPONENT = re.compile(r'^Component "focus\.[^"]*"\n( .*\n)+', re.MULTILINE)
_LISTENER = re.compile(r"^  -\n(    port: 5347\n)(    .*\n)+?(?=  -\n)", re.MULTILINE)


def server_lines(text: str, domain: str, *, proxy: bool) -> str:
    """What the server is told, in whichever language."""
    account = f"focus@auth.{domain}"
    text = text.replace(f"focus@focus.{domain}", account)
    text = text.replace("unlimited_jids = { ", f'unlimited_jids = {{ "{account}", ')
    through = next(block for block in blocks("lua", domain) if "client_proxy" in block)
    text = _COMPONENT.sub(through if proxy else "", text)
    if proxy:
        text = text.replace(
            "limits = {", f'plugin_paths = {{ "{MODULES}" }}\nlimits = {{', 1
        )
    text = _LISTENER.sub("", text)
    for block in blocks("sh", domain):
        if " register focus " in block and block.split()[0] == text.split()[0]:
            text = block + text
    return text


def settings_lines(text: str, domain: str = "localhost", *, proxy: bool) -> str:
    """What our parts are told."""
    begins = next(block for block in blocks("toml", domain) if "\naccount = " in block)
    if proxy:
        begins += f'client_proxy = "focus.{domain}"\n'
    return f"{begins}\n{text[text.index('[bridge]') :]}"


def prosody(
    folder: Path, ports: dict[str, int], domain: str, *, proxy: bool = False
) -> tuple[str, ...]:
    change = functools.partial(server_lines, domain=domain, proxy=proxy)
    return existing.prosody(folder, ports, domain, change)


def prosody_with_proxy(folder: Path, ports: dict[str, int], domain: str) -> tuple[str, ...]:
    return prosody(folder, ports, domain, proxy=True)


def ejabberd(folder: Path, ports: dict[str, int], domain: str) -> tuple[str, ...]:
    change = functools.partial(server_lines, domain=domain, proxy=False)
    return existing.ejabberd(folder, ports, domain, change)
