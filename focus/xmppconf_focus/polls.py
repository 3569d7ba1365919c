"""Polls: asked by one, answered by all, shown to those who come later."""

from __future__ import annotations

from dataclasses import dataclass, field

from xmppconf.errors import LimitExceeded, NotFound, PeerError
from xmppconf_focus.notices import Notice

MAX_POLLS = 128  # in one meeting
MAX_ANSWERS = 32  # to choose from
MAX_TEXT = 500  # characters of a question or an answer
MAX_ID = 64
MAX_CHOICES = 1000  # all votes of one poll together: it has to fit into one stanza


class PollExists(PeerError):
    condition = "conflict"


@dataclass(slots=True)
class _Poll:
    id: str
    sender: str
    question: str
    answers: tuple[str, ...]
    votes: dict[str, tuple[bool, ...]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def shown(self) -> dict[str, object]:
        return {
            "pollId": self.id,
            "senderId": self.sender,
            "question": self.question,
            "answers": [
                {
                    "name": name,
                    "voters": [
                        {"id": nick, "name": self.names[nick]}
                        for nick, vote in self.votes.items()
                        if vote[index]
                    ],
                }
                for index, name in enumerate(self.answers)
            ],
        }


class Polls:
    def __init__(self) -> None:
        self._polls: dict[str, _Poll] = {}

    def ask(
        self, nick: str, poll_id: str, question: str, answers: tuple[str, ...]
    ) -> list[Notice]:
        """Raises `PeerError`."""
        if poll_id in self._polls:
            raise PollExists("poll")
        if len(self._polls) >= MAX_POLLS:
            raise LimitExceeded("polls", MAX_POLLS)
        self._polls[poll_id] = poll = _Poll(poll_id, nick, question, answers)
        return [Notice({"type": "polls", "command": "new-poll", **poll.shown()})]

    def answer(
        self, nick: str, name: str, poll_id: str, vote: tuple[bool, ...]
    ) -> list[Notice]:
        """Count a vote, which replaces an earlier one of the same; raises `PeerError`."""
        poll = self._polls.get(poll_id)
        if poll is None:
            raise NotFound("poll")
        if len(vote) != len(poll.answers):
            raise PeerError("vote has another number of answers than the poll")
        others = (v for voter, v in poll.votes.items() if voter != nick)
        if len(poll.votes) >= MAX_CHOICES or sum(map(sum, others), sum(vote)) > MAX_CHOICES:
            raise LimitExceeded("votes in one poll", MAX_CHOICES)
        poll.votes[nick] = vote
        poll.names[nick] = name
        value = {
            "type": "polls",
            "command": "answer-poll",
            "pollId": poll_id,
            "senderId": nick,
            "voterName": name,
            "answers": list(vote),
        }
        return [Notice(value)]

    def joined(self, nick: str) -> list[Notice]:
        # One in each message, which so has a bound.
        return [
            Notice({"type": "polls", "command": "old-polls", "polls": [poll.shown()]}, nick)
            for poll in self._polls.values()
        ]
