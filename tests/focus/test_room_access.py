"""One room's access and moderators: the failures that such machines are known for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from xmppconf_focus.admission import Entry, Refusal
from xmppconf_focus.effects import (
    Effect,
    LobbyPresence,
    RoomJid,
    SetAffiliation,
    StoreRoom,
    SubmitForm,
)
from xmppconf_focus.election import ELECTION_GRACE
from xmppconf_focus.invitations import Invitation, InvitationInvalid
from xmppconf_focus.lobby import MAX_WAITING, Knock
from xmppconf_focus.occupant import Occupant
from xmppconf_focus.room_access import (
    MAX_PEOPLE,
    NoLobby,
    Requester,
    Rights,
    RoomAccess,
    WrongPassword,
)
from xmppconf_focus.room_settings import (
    DEFAULT,
    MAX_PASSWORD,
    MAX_USED,
    Access,
    RoomRecord,
    RoomSettings,
)

from xmppconf.errors import LimitExceeded, NotAllowed, NotFound, PeerError

ROOM = RoomJid("tea@muc.localhost")
LOBBY = RoomSettings(Access.LOBBY)


class Room:
    """A room's access, and a server that does what it is told."""

    def __init__(self, record: RoomRecord | None = None, *, elects: bool = True) -> None:
        self.occupants: dict[str, Occupant] = {}
        self.rights: dict[str, Rights] = {}
        self.effects: list[Effect] = []
        self.access = RoomAccess(
            ROOM,
            self.occupants,
            record or RoomRecord(),
            lambda jid: self.rights.get(jid, Rights()),
            lambda text: text,
            elects=elects,
        )

    def take(self, kind: type[Effect]) -> list[Effect]:
        self.effects += self.access.effects()
        taken = [e for e in self.effects if isinstance(e, kind)]
        self.effects = [e for e in self.effects if not isinstance(e, kind)]
        return taken

    def given(self) -> dict[str, str]:
        """Affiliations given since the last look, by bare address."""
        found: dict[str, str] = {}
        for effect in self.take(SetAffiliation):
            assert isinstance(effect, SetAffiliation)
            found[effect.jid] = effect.affiliation
        return found

    def stored(self) -> list[RoomRecord | None]:
        return [e.record for e in self.take(StoreRoom) if isinstance(e, StoreRoom)]

    def ask(
        self, jid: str, *keys: str, full: bool = False, by: Invitation | None = None
    ) -> Entry:
        return self.access.request(Requester(jid, frozenset(keys), by), full=full)

    def enter(self, nick: str, jid: str, affiliation: str = "member") -> None:
        role = "moderator" if affiliation == "owner" else "participant"
        occupant = Occupant(nick, f"{jid}/web", role, affiliation)
        before = self.occupants.get(nick)
        self.occupants[nick] = occupant
        self.access.seen(occupant, before)

    def leave(self, nick: str, *, kicked: bool = False, banned: bool = False) -> None:
        occupant = self.occupants.pop(nick)
        self.access.left(occupant, kicked=kicked, banned=banned)

    def elect(self, now: float) -> None:
        self.access.elect(list(self.occupants.values()), now)


def hosted(settings: RoomSettings = LOBBY) -> Room:
    """Ann is moderator, known by her browser; the room is set to `settings`."""
    room = Room()
    room.ask("a1@guest", "ann")
    room.enter("ann", "a1@guest", "owner")
    room.access.change(settings)
    room.take(SubmitForm)
    room.given()
    return room


def test_hosts_are_not_locked_out_by_their_own_lobby() -> None:
    room = hosted()
    room.leave("ann")
    assert room.ask("a2@guest", "ann") == Entry(None, "owner", True)
    assert room.given() == {"a2@guest": "owner"}


def test_hosts_are_known_again_after_the_room_was_empty() -> None:
    room = hosted()
    [*_, record] = room.stored()
    assert record is not None
    assert record.settings == LOBBY
    later = Room(record)
    assert later.ask("e@guest", "eve") == Entry()
    later.elect(0.0)
    assert later.ask("a9@guest", "ann").affiliation == "owner"


def test_early_arrival_does_not_go_round_the_lobby() -> None:
    later = Room(RoomRecord(LOBBY, frozenset({"ann"})))
    assert later.ask("e@guest", "eve") == Entry()
    later.access.knock(Knock("e@guest/web", "eve"), "", full=False)
    assert later.given() == {}
    [shown] = later.take(LobbyPresence)
    assert isinstance(shown, LobbyPresence)
    assert (shown.to, shown.status) == ("e@guest/web", (110,))


@pytest.mark.parametrize("access", Access)
@pytest.mark.parametrize("banned", [False, True])
def test_kicked_people_do_not_come_back(access: Access, banned: bool) -> None:
    room = hosted(RoomSettings(access))
    room.ask("e1@guest", "eve")
    room.enter("eve", "e1@guest", "member")
    room.given()
    room.leave("eve", kicked=not banned, banned=banned)
    through_lobby = access is Access.LOBBY and not banned
    assert room.given() == {"e1@guest": "none" if through_lobby else "outcast"}
    entry = room.ask("e2@guest", "eve")  # another login of the same browser
    assert entry.refusal is (None if through_lobby else Refusal.REMOVED)
    assert entry.affiliation == ("none" if through_lobby else "outcast")


def test_who_was_kicked_and_is_let_in_again_is_as_others() -> None:
    room = hosted()
    room.ask("e1@guest", "eve")
    room.enter("eve", "e1@guest", "member")
    room.leave("eve", kicked=True)
    room.enter("eve", "e1@guest", "member")  # a moderator's invitation
    room.leave("eve")
    assert room.ask("e2@guest", "eve").affiliation == "member"


def test_roles_survive_a_reconnect() -> None:
    room = hosted(DEFAULT)
    room.ask("b1@guest", "bob")
    room.enter("bob", "b1@guest")
    room.enter("bob", "b1@guest", "owner")  # Ann's grant
    room.leave("bob")
    assert room.ask("b2@guest", "bob").affiliation == "owner"


def test_revoking_lasts_also_for_moderators_by_account() -> None:
    room = hosted(DEFAULT)
    room.rights["mia@host"] = Rights(moderator=True, member=True)
    assert room.ask("mia@host").affiliation == "owner"
    room.enter("mia", "mia@host", "owner")
    room.enter("mia", "mia@host", "none")
    room.given()
    room.enter("mia", "mia@host", "none")
    assert room.given() == {}
    assert room.ask("mia@host").affiliation == "member"


def test_not_everybody_becomes_moderator() -> None:
    room = Room()
    for name in ("ann", "bob", "eve"):
        room.enter(name, f"{name}@guest")
        room.elect(0.0)
    assert room.given() == {"ann@guest": "owner"}
    room.enter("ann", "ann@guest", "owner")
    room.elect(1.0)
    assert room.given() == {}


def test_a_lost_connection_does_not_make_another_moderator() -> None:
    room = hosted(DEFAULT)
    room.enter("bob", "b@guest")
    room.leave("ann")
    room.elect(10.0)
    assert room.access.next_timeout() == 10.0 + ELECTION_GRACE
    room.ask("a2@guest", "ann")
    room.enter("ann", "a2@guest", "owner")
    room.elect(10.0 + ELECTION_GRACE)
    assert "b@guest" not in room.given()


@pytest.mark.parametrize("waits", [False, True])
def test_nobody_is_elected_where_members_or_the_host_are_to_lead(waits: bool) -> None:
    room = Room(RoomRecord(RoomSettings(wait_for_host=waits)), elects=waits)
    room.enter("bob", "b@guest")
    room.elect(0.0)
    assert room.given() == {}
    assert room.access.next_timeout() is None


@pytest.mark.parametrize("stock", [False, True])
def test_asking_early_does_not_go_round_a_lobby_that_comes_later(stock: bool) -> None:
    room = hosted(DEFAULT)
    assert room.ask("e@guest", "eve").affiliation == "member"
    room.ask("b@guest", "bob")
    room.enter("bob", "b@guest", "member")
    assert room.given() == {"e@guest": "member", "b@guest": "member"}
    if stock:
        room.access.form_seen({"muc#roomconfig_membersonly": "1"})
    else:
        room.access.change(LOBBY)
    assert room.given() == {"e@guest": "none"}
    assert room.ask("e2@guest", "eve") == Entry()


def test_people_who_only_ask_are_forgotten_together_with_their_membership() -> None:
    room = hosted(DEFAULT)
    for number in range(MAX_PEOPLE + 1):
        room.ask(f"g{number}@guest", f"g{number}")
    given = room.given()
    assert given["g0@guest"] == "none"
    assert given["g1@guest"] == "none"  # Ann, who is there, is remembered too
    assert given["g2@guest"] == "member"
    room.leave("ann")
    assert room.ask("a2@guest", "ann").affiliation == "owner"


def test_who_knew_the_password_is_a_member_from_then_on() -> None:
    room = hosted(RoomSettings(password="tea"))
    room.ask("e@guest", "eve")
    room.enter("eve", "e@guest", "none")
    assert room.given() == {"e@guest": "member"}
    assert room.ask("e2@guest", "eve") == Entry(None, "member", True)


def test_those_who_are_in_are_not_put_out_by_the_lobby() -> None:
    room = hosted(DEFAULT)
    room.enter("bob", "b@guest", "none")
    room.given()
    room.access.change(LOBBY)
    room.effects += room.access.effects()
    kinds = [type(e) for e in room.effects if not isinstance(e, StoreRoom)]
    assert kinds[-2:] == [SetAffiliation, SubmitForm]
    assert room.given() == {"b@guest": "member"}


def test_stock_clients_change_the_form_and_it_is_kept() -> None:
    room = hosted(DEFAULT)
    form = {"muc#roomconfig_membersonly": "1", "muc#roomconfig_roomsecret": "s"}
    room.access.form_seen(form)
    assert room.access.settings == RoomSettings(Access.LOBBY, "s")
    room.access.form_seen(form)
    room.access.change(replace(room.access.settings, access=Access.LOCKED))
    room.access.form_seen(form)
    assert room.access.settings.access is Access.LOCKED
    room.access.form_seen({"muc#roomconfig_membersonly": "0"})
    assert room.access.settings == DEFAULT
    assert room.stored()[-1] is None  # nothing worth keeping is kept
    room.access.form_seen({"muc#roomconfig_roomsecret": "x" * (MAX_PASSWORD + 1)})
    assert room.access.settings == DEFAULT


def test_the_password_lets_past_the_lobby_and_a_wrong_one_does_not() -> None:
    room = hosted(RoomSettings(Access.LOBBY, "tea"))
    knock = Knock("e@guest/web", "eve")
    with pytest.raises(WrongPassword):
        room.access.knock(knock, "coffee", full=False)
    assert room.given() == {}
    room.access.knock(knock, "tea", full=False)
    assert room.given() == {"e@guest": "member"}
    assert len(room.access.lobby) == 0


@pytest.mark.parametrize("full", [False, True])
def test_the_password_does_not_open_a_room_that_is_full_or_without_its_host(
    full: bool,
) -> None:
    room = hosted(RoomSettings(Access.LOBBY, "tea", wait_for_host=not full))
    if not full:
        room.leave("ann")
    room.access.knock(Knock("e@guest/web", "eve"), "tea", full=full)
    assert room.given() == {}
    assert len(room.access.lobby) == 1


@pytest.mark.parametrize("access", [Access.OPEN, Access.MEMBERS, Access.LOCKED])
def test_there_is_no_lobby_where_none_is_on(access: Access) -> None:
    room = hosted(RoomSettings(access))
    with pytest.raises(NoLobby):
        room.access.knock(Knock("e@guest/web", "eve"), "", full=False)


def test_who_may_turn_away() -> None:
    room = hosted()
    room.enter("bob", "b@guest", "member")
    with pytest.raises(NotFound):
        room.access.deny("a1@guest/web", "eve")
    room.access.knock(Knock("e@guest/web", "eve"), "", full=False)
    for other in ("b@guest/web", "e@guest/web", "a1@guest/other"):
        with pytest.raises(NotAllowed):
            room.access.deny(other, "eve")
    room.access.deny("a1@guest/web", "eve")
    assert len(room.access.lobby) == 0


def test_a_lobby_has_a_limit() -> None:
    room = hosted()
    for number in range(MAX_WAITING):
        room.access.knock(Knock(f"g{number}@guest/w", f"g{number}"), "", full=False)
    with pytest.raises(LimitExceeded):
        room.access.knock(Knock("more@guest/w", "more"), "", full=False)
    # One session is one person, whatever it calls itself.
    room.access.knock(Knock("g0@guest/w", "other"), "", full=False)
    assert len(room.access.lobby) == MAX_WAITING


def test_nobody_takes_the_nickname_of_who_waits() -> None:
    room = hosted()
    room.access.knock(Knock("e@guest/web", "eve"), "", full=False)
    with pytest.raises(PeerError) as taken:
        room.access.knock(Knock("x@guest/web", "eve"), "", full=False)
    assert taken.value.condition == "conflict"


def test_a_single_use_invitation_has_one_user() -> None:
    room = hosted(RoomSettings(Access.LOCKED))
    once = Invitation("00" * 8, 0, single_use=True)
    assert room.ask("b1@guest", "bob", by=once).affiliation == "member"
    assert room.ask("b2@guest", "bob", by=once).affiliation == "member"
    with pytest.raises(InvitationInvalid):
        room.ask("e@guest", "eve", by=once)
    [*_, record] = room.stored()
    assert record is not None
    assert record.used_invitations == {once.id: "bob"}
    again = Room(record)
    with pytest.raises(InvitationInvalid):
        again.ask("e@guest", "eve", by=once)
    for number in range(1, MAX_USED):
        one = Invitation(f"{number:016x}", 0, single_use=True)
        room.ask(f"g{number}@guest", f"g{number}", by=one)
    with pytest.raises(InvitationInvalid):
        room.ask("more@guest", "more", by=Invitation("ff" * 8, 0, single_use=True))


@pytest.mark.parametrize("moderator", [False, True])
def test_one_invitation_does_not_make_the_room_remember_people_without_end(
    moderator: bool,
) -> None:
    room = hosted(RoomSettings(Access.LOCKED))
    link = Invitation("22" * 8, 0, moderator=moderator)
    for number in range(2 * MAX_PEOPLE + 10):
        room.ask("", f"made-up-{number}", by=link)
    record = room.access.record()
    assert len(record.moderators | record.admitted) <= 2 * MAX_PEOPLE


def test_an_invitation_does_not_bring_back_who_was_removed() -> None:
    room = hosted(DEFAULT)
    room.ask("e@guest", "eve")
    room.enter("eve", "e@guest")
    room.leave("eve", kicked=True)
    chair = Invitation("11" * 8, 0, moderator=True)
    assert room.ask("e2@guest", "eve", by=chair).refusal is Refusal.REMOVED


def test_rights_change_during_the_call() -> None:
    room = hosted(DEFAULT)
    room.enter("bob", "b@guest")
    room.rights["b@guest"] = Rights(moderator=True, member=True)
    room.access.rights_changed("b@guest")
    assert room.given() == {"b@guest": "owner"}
    room.enter("bob", "b@guest", "owner")
    room.rights.clear()
    room.access.rights_changed("b@guest")
    assert room.given() == {"b@guest": "member"}


def test_a_breakout_room_knows_people_from_the_main_room() -> None:
    main = hosted(DEFAULT)
    main.enter("bob", "b@guest")
    side = Room(RoomRecord(RoomSettings(Access.LOCKED)))
    side.access = RoomAccess(
        *(ROOM, side.occupants, RoomRecord(RoomSettings(Access.LOCKED))),
        lambda jid: Rights(),
        lambda text: text,
        elects=True,
        parent=main.access,
    )
    assert side.ask("a1@guest").affiliation == "owner"
    assert side.ask("b@guest").affiliation == "member"
    assert side.ask("x@guest") == Entry()
    side.enter("bob", "b@guest", "member")
    side.elect(0.0)
    side.leave("bob", kicked=True)
    assert side.stored() == []
    assert main.ask("b@guest").refusal is Refusal.REMOVED
