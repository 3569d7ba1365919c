"""People whose picture and voice can be told apart: a colour, a number, a tone each."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.browser.page import Page

WIDTH, HEIGHT, RATE = 320, 240, 15


@dataclass(frozen=True, slots=True)
class Person:
    """A picture of one colour with a three-bit number in white bars, and one tone."""

    name: str
    number: int
    colour: tuple[int, int, int]
    tone: int
    """Hertz."""


ANN = Person("Ann", 1, (200, 30, 30), 440)
BEN = Person("Ben", 2, (30, 160, 40), 740)
EVA = Person("Eva", 3, (30, 60, 210), 1080)
KIM = Person("Kim", 5, (190, 170, 30), 1560)
PEOPLE = (ANN, BEN, EVA, KIM)


def bars(number: int) -> list[bool]:
    """Which of the three bars, left to right, are white."""
    return [bool(number & 4), bool(number & 2), bool(number & 1)]


def picture(person: Person, frame: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """One frame as RGB rows: colour, bars in the middle, and a dot that wanders below."""
    image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    image[:] = person.colour
    for index, white in enumerate(bars(person.number)):
        left = WIDTH * (1 + 2 * index) // 7
        right = WIDTH * (2 + 2 * index) // 7
        image[HEIGHT // 3 : HEIGHT * 2 // 3, left:right] = 255 if white else 0
    x = (frame * 8) % (WIDTH - 16)
    image[HEIGHT - 24 : HEIGHT - 8, x : x + 16] = 255
    return image


def write_video(person: Person, path: Path, *, frames: int = 30) -> None:
    """A y4m file for Chromium's fake camera."""
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{RATE}:1 Ip A1:1 C420jpeg\n".encode())
        for frame in range(frames):
            rgb = picture(person, frame).astype(np.float32)
            red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
            luma = 0.299 * red + 0.587 * green + 0.114 * blue
            planes = [luma, 128 + (blue - luma) * 0.564, 128 + (red - luma) * 0.713]
            file.write(b"FRAME\n")
            for index, plane in enumerate(planes):
                part = plane if index == 0 else plane[::2, ::2]
                file.write(np.clip(part, 0, 255).astype(np.uint8).tobytes())


def preload(person: Person, *, firefox: bool) -> str:
    """Script that puts this person before the page, in silence until `speak`.

    Chromium's fake camera has the picture, and an oscillator takes the microphone's place.
    Firefox's fake microphone has the tone, and a canvas takes the camera's place.
    `testPeers` lists all peer connections of the page.
    """
    settings = {
        "tone": person.tone,
        "oscillator": not firefox,
        "bars": bars(person.number),
        "colour": "rgb({}, {}, {})".format(*person.colour),
        "camera": firefox,
        "width": WIDTH,
        "height": HEIGHT,
        "rate": RATE,
    }
    script = (Path(__file__).parent / "preload.js").read_text()
    return f"const PERSON = {json.dumps(settings)};\n{script}"


async def pause(seconds: float) -> None:
    """Let time pass between two looks."""
    await asyncio.sleep(seconds)


async def speak(page: Page, on: bool) -> None:
    """Let the person sound or be silent."""
    await page.evaluate(f"testSpeak({str(on).lower()})")


async def seen(page: Page) -> list[dict[str, Any]]:
    """What each playing video element shows: number, colour and how it is marked."""
    result: list[dict[str, Any]] = await page.evaluate("testSeen()")
    return result


async def heard(page: Page) -> list[list[int]]:
    """For each remote audio track, the tones (of PEOPLE) that stand out in it."""
    result: list[list[int]] = await page.evaluate(
        f"testHeard({[person.tone for person in PEOPLE]})"
    )
    return result


async def decoded(page: Page) -> dict[str, int]:
    """Frames decoded so far, by the SSRC of each incoming video stream."""
    result: dict[str, int] = await page.evaluate("testDecoded()")
    return result


async def codecs(page: Page) -> dict[str, list[str]]:
    """Names of the video codecs in use, under `out` and `in`."""
    result: dict[str, list[str]] = await page.evaluate("testCodecs()")
    return result
