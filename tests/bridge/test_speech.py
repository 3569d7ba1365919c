from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from xmppconf_bridge.speech import (
    DECISION_INTERVAL,
    IDLE_TIMEOUT,
    MIN_LEVEL_WINDOW,
    MIN_SCORE,
    RECENT_SPEAKERS,
    DominantSpeakerChanged,
    DominantSpeakerIdentification,
    _Speaker,
    score,
)

from xmppconf.ids import EndpointId

ANN, BOB, EVE = EndpointId("ann"), EndpointId("bob"), EndpointId("eve")
LOUD, QUIET, SILENT = 10, 90, 127  # RFC 6464: smaller is louder
ROOM = 80  # the level between two syllables


class Meeting:
    """Feeds a level every 20 ms for each of several speakers, and collects changes.

    Speech falls back to the noise of the room between syllables; a steady level is noise.
    """

    def __init__(self) -> None:
        self.speech = DominantSpeakerIdentification()
        self.now = 1000.0
        self.step = 0
        self.changes: list[DominantSpeakerChanged] = []

    def run(self, seconds: float, **levels: int) -> None:
        for _ in range(round(seconds / 0.02)):
            self.now += 0.02
            self.step += 1
            for name, steady in levels.items():
                pause = steady == LOUD and self.step % 10 == 0
                level = ROOM if pause else steady
                self.speech.level(EndpointId(name), level, self.now)
            due = self.speech.next_timeout()
            if due is not None and due <= self.now:
                self.speech.timeout(self.now)
            self.changes += self.speech.effects()


def test_the_first_speaker_is_dominant_at_the_first_decision() -> None:
    meeting = Meeting()
    meeting.run(DECISION_INTERVAL - 0.02, ann=LOUD)
    assert meeting.changes == []
    meeting.run(0.06, ann=LOUD)
    assert meeting.changes == [DominantSpeakerChanged(ANN, ())]


def test_it_follows_the_one_who_makes_sound() -> None:
    meeting = Meeting()
    meeting.run(3, ann=LOUD, bob=SILENT)
    assert meeting.speech.dominant == ANN
    meeting.run(3, ann=SILENT, bob=LOUD)
    assert meeting.speech.dominant == BOB
    assert meeting.changes[-1] == DominantSpeakerChanged(BOB, (ANN,))
    meeting.run(3, ann=LOUD, bob=SILENT)
    assert meeting.speech.recent == (ANN, BOB)


def test_a_cough_does_not_take_over() -> None:
    meeting = Meeting()
    meeting.run(3, ann=LOUD, bob=SILENT)
    meeting.run(0.1, ann=LOUD, bob=0)
    meeting.run(1, ann=LOUD, bob=SILENT)
    assert [change.speaker for change in meeting.changes] == [ANN]


def test_steady_noise_does_not_beat_speech() -> None:
    meeting = Meeting()
    meeting.run(20, ann=LOUD, bob=QUIET)
    assert meeting.speech.dominant == ANN


def test_the_incumbent_does_not_lose_by_silence_alone() -> None:
    meeting = Meeting()
    meeting.run(3, ann=LOUD, bob=SILENT)
    meeting.run(10, ann=SILENT, bob=SILENT)
    assert meeting.speech.dominant == ANN


def test_no_levels_stop_the_decisions_and_one_starts_them_again() -> None:
    meeting = Meeting()
    meeting.run(1, ann=LOUD)
    meeting.run(IDLE_TIMEOUT + 1)
    assert meeting.speech.next_timeout() is None
    meeting.run(0.02, ann=LOUD)
    assert meeting.speech.next_timeout() is not None


def test_a_late_level_is_ignored() -> None:
    speech = DominantSpeakerIdentification()
    speech.level(ANN, LOUD, 10.0)
    speech.level(ANN, LOUD, 9.0)
    assert speech.next_timeout() == pytest.approx(10.04)


def test_who_leaves_is_forgotten_and_somebody_else_follows() -> None:
    meeting = Meeting()
    meeting.run(3, ann=LOUD, bob=SILENT)
    meeting.speech.endpoint_gone(ANN)
    meeting.run(1, bob=SILENT)
    assert meeting.speech.dominant == BOB
    assert meeting.changes[-1] == DominantSpeakerChanged(BOB, ())


def test_the_list_of_previous_speakers_is_bounded() -> None:
    meeting = Meeting()
    names = [f"e{number}" for number in range(RECENT_SPEAKERS + 4)]
    for name in names:
        meeting.run(3, **{other: LOUD if other == name else SILENT for other in names})
    assert len(meeting.changes[-1].previous) == RECENT_SPEAKERS


def test_scores_are_those_of_the_paper() -> None:
    # n = 13, lambda = 0.78, nothing active: 13 ln 0.5 - ln 0.78 is negative, so the floor.
    assert score(0, 13, 0.78) == MIN_SCORE
    expected = math.log(math.comb(5, 3)) + 5 * math.log(0.5) - math.log(24) + 72
    assert score(3, 5, 24.0) == pytest.approx(expected)


def test_silence_is_noted_at_every_tick_and_is_no_news() -> None:
    """Of who sends nothing each tick of 40 ms counts, not every other one."""
    speech = DominantSpeakerIdentification()
    speaker = ANN
    speech.level(speaker, LOUD, 10.0)
    ticks = 0
    while (due := speech.next_timeout()) is not None and due < 10.3:
        speech.timeout(due)
        ticks += 1
    history = list(speech._speakers[speaker]._levels)
    assert history[: ticks - 1] == [0] * (ticks - 1)
    assert history[ticks - 1] == 127 - LOUD
    assert ticks == 7
    speech.level(speaker, LOUD, 10.05)  # not late: what came in between was nothing
    assert speech._speakers[speaker]._levels[0] == 127 - LOUD


def test_a_speaker_who_got_louder_is_judged_by_the_quietest_of_the_last_window() -> None:
    """sqrt(40 * 90), not of 40 and 40: the first quiet level is in no window."""
    speaker = _Speaker(0.0)
    speaker.level(40, 0.0)
    for index in range(MIN_LEVEL_WINDOW):
        assert speaker._min_level == 40
        speaker.level(90, 0.02 * (index + 1))
    assert speaker._min_level == 60


# -- the loop of decisions, in every state ------------------------------------------------
def fresh() -> Meeting:
    return Meeting()


def deciding() -> Meeting:
    """Somebody is heard, and nothing has been decided."""
    meeting = Meeting()
    meeting.run(0.02, ann=LOUD)
    return meeting


def decided() -> Meeting:
    meeting = Meeting()
    meeting.run(2, ann=LOUD, bob=SILENT)
    return meeting


def stopped() -> Meeting:
    """Nobody was heard for so long that it waits for the next level."""
    meeting = decided()
    meeting.run(IDLE_TIMEOUT + 1)
    meeting.changes.clear()
    return meeting


def vacant() -> Meeting:
    """The dominant speaker has left, and Bob is here."""
    meeting = decided()
    meeting.speech.endpoint_gone(ANN)
    return meeting


def alone() -> Meeting:
    """All have left."""
    meeting = vacant()
    meeting.speech.endpoint_gone(BOB)
    return meeting


LOOP_EVENTS: dict[str, Callable[[Meeting], None]] = {
    "a level": lambda meeting: meeting.run(0.02, bob=LOUD),
    "a late level": lambda meeting: meeting.speech.level(ANN, LOUD, 0.0),
    "a decision": lambda meeting: meeting.run(DECISION_INTERVAL + 0.02),
    "silence": lambda meeting: meeting.run(IDLE_TIMEOUT + 1),
    "ann goes": lambda meeting: meeting.speech.endpoint_gone(ANN),
    "bob speaks": lambda meeting: meeting.run(3, bob=LOUD),
    "nobody's end": lambda meeting: meeting.speech.endpoint_gone(EVE),
}
#: Who is dominant afterwards, and `+` if decisions go on; `-` is nobody.
LOOP = {
    "fresh": ("- +", "- +", "-", "-", "-", "bob +", "-"),
    "deciding": ("- +", "- +", "ann +", "ann", "- +", "bob +", "- +"),
    "decided": ("ann +", "ann +", "ann +", "ann", "- +", "bob +", "ann +"),
    "stopped": ("ann +", "ann", "ann", "ann", "-", "bob +", "ann"),
    "vacant": ("- +", "- +", "bob +", "bob", "- +", "bob +", "- +"),
    "alone": ("- +", "- +", "- +", "-", "- +", "bob +", "- +"),
}


@pytest.mark.parametrize("state", [fresh, deciding, decided, stopped, vacant, alone])
@pytest.mark.parametrize("event", LOOP_EVENTS)
def test_every_event_in_every_state(state: Callable[[], Meeting], event: str) -> None:
    meeting = state()
    before = meeting.speech.dominant
    meeting.changes.clear()
    LOOP_EVENTS[event](meeting)
    speech = meeting.speech
    found = f"{speech.dominant or '-'}{' +' if speech.next_timeout() else ''}"
    assert found == dict(zip(LOOP_EVENTS, LOOP[state.__name__], strict=True))[event]
    told = [change.speaker for change in meeting.changes]
    # Who goes is told by other means.
    is_news = speech.dominant not in (before, None)
    assert told[-1:] == ([speech.dominant] if is_news else [])
