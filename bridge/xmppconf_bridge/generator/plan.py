"""What the participants of a load send and watch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from xmppconf.errors import UsageError

MAX_PARTICIPANTS = 500
MAX_SECONDS = 3600.0
#: Of everything the participants send together.
MAX_RATE = 100_000  # packets a second

#: RFC 6464 with the voice bit: clearly audible.
SPEAKING = 0x80 | 20
#: Open, and quieter than who speaks.
OPEN = 0x80 | 60

SMALL = (320, 180)
LARGE = (1280, 720)


#: A bridge takes nobody's line for much wider, and holds back what is more.
MAX_REPORTED = 25e6  # bit/s


@dataclass(frozen=True, slots=True)
class Layer:
    """One encoding of a picture, or a voice."""

    size: int
    """Octets of the RTP payload."""
    rate: int
    """Packets a second."""
    picture: tuple[int, int] = SMALL


@dataclass(frozen=True, slots=True)
class Person:
    """One participant."""

    audio: Layer | None = None
    level: int = OPEN
    video: tuple[Layer, ...] = ()
    """Encodings, lowest first."""
    watches: int = -1
    """Pictures of others; -1: all."""
    large: int | None = None
    """Which participant it has on stage."""
    audios_expected: int = 0
    videos_expected: int = 0
    reports: bool = True
    """It says when what came by transport-wide numbers, as browsers do."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named load."""

    name: str
    people: tuple[Person, ...]

    def __post_init__(self) -> None:
        if not 2 <= len(self.people) <= MAX_PARTICIPANTS:
            raise UsageError(f"a load has 2 to {MAX_PARTICIPANTS} participants")
        if self.packets_sent > MAX_RATE:
            raise UsageError(f"a load sends at most {MAX_RATE} packets a second")

    @property
    def packets_sent(self) -> int:
        """Of all participants, a second."""
        layers = [layer for one in self.people for layer in one.video]
        layers += [one.audio for one in self.people if one.audio is not None]
        return sum(layer.rate for layer in layers)


def fan_out(receivers: int, rate: int, size: int = 1100) -> Scenario:
    """One picture to all: `rate` packets of `size` octets a second.

    Of one larger than any line is taken for (25 Mbit/s) nobody reports the arrival: it
    shall be sent all the same.
    """
    reports = 8 * size * rate <= MAX_REPORTED
    sender = Person(video=(Layer(size, rate),), reports=reports)
    others = (Person(videos_expected=1, reports=reports),) * receivers
    return Scenario(f"1 to {receivers}, {size} B, {rate}/s", (sender, *others))


def meeting(senders: int = 30, listeners: int = 0, size: int = 1100) -> Scenario:
    """Everybody watches nine, one of them large, and hears three.

    The first is large for all but itself, who has the second; all send a small picture, and
    those two a large one too.
    """
    if senders < 10:
        raise UsageError("a meeting has ten cameras or more")
    small, large = Layer(size, 30), Layer(size, 150, LARGE)
    voice = Layer(160, 50)
    people = []
    for number in range(senders + listeners):
        speaks = number < 3
        person = Person(
            watches=9,
            large=1 if number == 0 else 0,
            videos_expected=9,
            audios_expected=2 if speaks else 3,
        )
        if number < senders:
            both = (small, large) if number < 2 else (small,)
            person = replace(person, video=both)
        if speaks:
            person = replace(person, audio=voice, level=SPEAKING)
        people.append(person)
    who = f"{senders} people" + (f" and {listeners} listeners" if listeners else "")
    return Scenario(f"{who}, 8 small and 1 large, 3 voices, {size} B", tuple(people))


def speakers(senders: int = 30, listeners: int = 70, shown: int = 8) -> Scenario:
    """All senders have camera and microphone; everybody sees those who spoke last.

    The first speaks; who speaks when is up to whoever runs it.
    """
    if senders < shown + 3:
        raise UsageError("whoever speaks next has been shown before")
    camera = Person(
        audio=Layer(160, 50), video=(Layer(1100, 30),), watches=shown, videos_expected=shown
    )
    listener = Person(watches=shown, videos_expected=shown)
    first = replace(camera, level=SPEAKING)
    people = (first, *[camera] * (senders - 1), *[listener] * listeners)
    return Scenario(f"{senders} speakers, {listeners} listeners, {shown} shown", people)


def microphones(people: int = 100, loudest: int = 5) -> Scenario:
    """All microphones open, nobody has a camera; a few are louder than the others."""
    voice = Layer(160, 50)
    return Scenario(
        f"{people} open microphones",
        tuple(
            Person(
                audio=voice,
                level=SPEAKING + number if number < loudest else OPEN + number % 40,
                audios_expected=loudest - 1 if number < loudest else loudest,
            )
            for number in range(people)
        ),
    )
