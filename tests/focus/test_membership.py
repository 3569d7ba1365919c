"""Who somebody is to the focus, and who may open rooms."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from xmppconf_focus.domains import Domains
from xmppconf_focus.effects import AnswerRequest, SetAffiliation, Ticket
from xmppconf_focus.membership import (
    GUEST,
    MAX_KNOWN,
    Asked,
    Identity,
    IdentityChanged,
    Member,
    Membership,
    NotAuthorized,
    SessionInvalid,
    SignedIn,
)
from xmppconf_focus.occupant import Occupant
from xmppconf_focus.room_access import Requester
from xmppconf_focus.sessions import Sealer

from tests.focus.support import ROOM, Stage
from xmppconf.config import MembersSettings, Settings
from xmppconf.errors import PeerError
from xmppconf.jid import Jid, split
from xmppconf.names import Names

MACHINE = "5f2c" * 8
OTHER_MACHINE = "aaaa" * 8
GUEST_JID = split("x1@guest.localhost/web")
NOBODY = Jid("", "", "")
ANN = Member("list", "ann", "Ann", features=frozenset({"recording"}))
NOW = 1_790_000_000.0


def make(key: str = "k" * 32, **settings: object) -> Membership:
    ids = iter(range(100_000))
    members = replace(MembersSettings(open=False), **settings)  # type: ignore[arg-type]
    domains = Domains.of(members, Names.of(Settings())).members
    return Membership(
        members, domains, Sealer(key, os.urandom), lambda: f"session-{next(ids)}"
    )


def asked(
    session: SignedIn | str | None = None,
    *,
    sender: Jid = GUEST_JID,
    machine: str | None = MACHINE,
    token: Member | None = None,
) -> Asked:
    id = session.session_id if isinstance(session, SignedIn) else session
    return Asked(sender, machine, id, token)


def test_somebody_without_anything_is_a_guest() -> None:
    membership = make()
    admission = membership.admit(asked(), NOW)
    assert (admission.identity, admission.session_id, admission.shown) == (
        GUEST,
        None,
        None,
    )
    assert not membership.may_open(GUEST)
    assert make(open=True).may_open(GUEST)


def test_a_session_makes_the_address_that_asks_a_member() -> None:
    membership = make()
    admission = membership.admit(asked(membership.sign_in(ANN, MACHINE, NOW)), NOW)
    assert admission.identity == Identity("list:ann", True, "Ann", ANN.features)
    assert admission.shown == "ann"
    assert membership.identity_of(GUEST_JID.bare) == admission.identity
    assert list(membership.effects()) == [IdentityChanged(GUEST_JID.bare)]
    assert membership.identity_of("x2@guest.localhost") is GUEST


@pytest.mark.parametrize("machine", [OTHER_MACHINE, None, ""])
def test_a_session_is_good_for_its_browser_only(machine: str | None) -> None:
    membership = make()
    signed_in = membership.sign_in(ANN, MACHINE, NOW)
    with pytest.raises(SessionInvalid):
        membership.admit(asked(signed_in, machine=machine), NOW)
    assert membership.identity_of(GUEST_JID.bare) is GUEST


@pytest.mark.parametrize("id", ["", "x", "a" * 5000, "é", "=", "A" * 200])
def test_what_is_no_session_is_refused(id: str) -> None:
    with pytest.raises(SessionInvalid):
        make().admit(asked(id), NOW)


def test_a_session_of_another_key_or_changed_in_one_place_is_refused() -> None:
    signed_in = make().sign_in(ANN, MACHINE, NOW)
    with pytest.raises(SessionInvalid):
        make("other" * 8).admit(asked(signed_in), NOW)
    id = signed_in.session_id
    for place in range(0, len(id) - 1, 7):
        changed = id[:place] + ("A" if id[place] != "A" else "B") + id[place + 1 :]
        with pytest.raises(SessionInvalid):
            make().admit(asked(changed), NOW)


def test_a_session_outlives_a_restart_that_keeps_the_key() -> None:
    signed_in = make().sign_in(ANN, MACHINE, NOW)
    assert make().admit(asked(signed_in), NOW).identity.user == "list:ann"


def test_a_session_ends_with_its_lifetime_and_the_address_becomes_a_guest() -> None:
    membership = make(session_lifetime=100.0)
    signed_in = membership.sign_in(ANN, MACHINE, NOW)
    membership.admit(asked(signed_in), NOW)
    list(membership.effects())
    membership.timeout(NOW + 99)
    assert membership.identity_of(GUEST_JID.bare).is_member
    membership.timeout(NOW + 100)
    assert list(membership.effects()) == [IdentityChanged(GUEST_JID.bare)]
    assert membership.identity_of(GUEST_JID.bare) is GUEST
    with pytest.raises(SessionInvalid):
        membership.admit(asked(signed_in), NOW + 100)


def test_a_session_in_use_is_renewed_but_not_beyond_the_membership() -> None:
    membership = make(session_lifetime=100.0)
    member = replace(ANN, expires=NOW + 150)
    first = membership.sign_in(member, MACHINE, NOW)
    assert first.expires == NOW + 100
    early = membership.admit(asked(first), NOW + 40)
    assert early.session_id == first.session_id
    late = membership.admit(asked(first), NOW + 60)
    assert late.session_id not in (None, first.session_id)
    membership.admit(asked(late.session_id), NOW + 149)
    with pytest.raises(SessionInvalid):
        membership.admit(asked(late.session_id), NOW + 150)


def test_signing_out_ends_one_session_at_once() -> None:
    membership = make()
    here, there = (membership.sign_in(ANN, m, NOW) for m in (MACHINE, OTHER_MACHINE))
    membership.admit(asked(here), NOW)
    list(membership.effects())
    membership.sign_out(here.session_id, NOW)
    assert list(membership.effects()) == [IdentityChanged(GUEST_JID.bare)]
    with pytest.raises(SessionInvalid):
        membership.admit(asked(here), NOW)
    membership.admit(asked(there, machine=OTHER_MACHINE), NOW)
    with pytest.raises(SessionInvalid):
        membership.sign_out("nonsense", NOW)


def test_a_member_who_is_gone_loses_every_session_made_before() -> None:
    membership = make()
    before = membership.sign_in(ANN, MACHINE, NOW)
    membership.admit(asked(before), NOW)
    assert membership.watched() == {("list", "ann")}
    membership.gone("list", "ann", NOW + 10)
    assert membership.identity_of(GUEST_JID.bare) is GUEST
    with pytest.raises(SessionInvalid):
        membership.admit(asked(before), NOW + 11)
    again = membership.sign_in(ANN, MACHINE, NOW + 20)
    assert membership.admit(asked(again), NOW + 21).identity.is_member


def test_a_refused_request_leaves_who_asked_before_as_they_were() -> None:
    membership = make()
    membership.admit(asked(membership.sign_in(ANN, MACHINE, NOW)), NOW)
    before = membership.identity_of(GUEST_JID.bare)
    for sender in (GUEST_JID, split("x2@guest.localhost/web")):
        with pytest.raises(SessionInvalid):
            membership.admit(asked("wrong", sender=sender), NOW)
    assert membership.identity_of(GUEST_JID.bare) == before


def test_a_token_counts_until_it_expires() -> None:
    membership = make()
    token = Member("jwt", "mia", expires=NOW + 30)
    assert membership.admit(asked(token=token), NOW).identity.user == "jwt:mia"
    membership.timeout(NOW + 30)
    assert membership.identity_of(GUEST_JID.bare) is GUEST


@pytest.mark.parametrize(
    ("sender", "user"),
    [
        ("mia@localhost/web", "xmpp:mia@localhost"),
        ("bob@b.test/phone", "xmpp:bob@b.test"),
        ("bob@evil.b.test/phone", ""),
        ("localhost", ""),
        ("x1@guest.localhost/web", ""),
    ],
)
def test_accounts_of_member_domains_are_members(sender: str, user: str) -> None:
    membership = make(domains=("b.test",))
    jid = split(sender)
    assert membership.admit(asked(sender=jid, machine=None), NOW).identity.user == user
    assert membership.identity_of(jid.bare).user == user


def test_a_stock_host_signs_in_over_a_second_connection() -> None:
    """The session made on the main domain is used on the guest connection."""
    membership = make()
    host = membership.admit(asked(sender=split("mia@localhost/x")), NOW)
    assert host.shown == "mia@localhost"
    admission = membership.admit(asked(host.session_id), NOW)
    assert admission.identity.user == "xmpp:mia@localhost"
    assert membership.identity_of(GUEST_JID.bare).moderator


def test_over_http_nobody_is_remembered() -> None:
    membership = make()
    signed_in = membership.sign_in(ANN, MACHINE, NOW)
    assert membership.admit(asked(signed_in, sender=NOBODY), NOW).identity.is_member
    assert membership.identity_of("") is GUEST


@pytest.mark.parametrize("machine", ["", "short", "x" * 300])
def test_a_session_needs_a_browser_to_be_bound_to(machine: str) -> None:
    with pytest.raises(PeerError):
        make().sign_in(ANN, machine, NOW)


def test_what_a_source_says_is_bounded() -> None:
    with pytest.raises(PeerError):
        Member("jwt", "")
    for user in ("x" * 201, "two\nlines", "\ud800", "\u202egnp.exe"):
        with pytest.raises(PeerError):
            Member("jwt", user)
    assert Member("jwt", "a", "Ann\x1b[31m\n\u202e").name == "Ann[31m"
    member = Member("jwt", "a", "n" * 1000, features=frozenset(map(str, range(100))))
    assert len(member.name or "") == 100
    assert len(member.features) == 16
    # The longest of all still fits into what clients send back.
    wide = Member("jwt", "\U0001f600" * 200, "\U0001f600" * 100)
    signed_in = make().sign_in(wide, MACHINE, NOW)
    assert make().admit(asked(signed_in), NOW).identity.name == wide.name


def test_addresses_are_remembered_up_to_a_limit() -> None:
    membership = make()
    for number in range(MAX_KNOWN + 1):
        sender = split(f"g{number}@guest.localhost/w")
        membership.admit(asked(sender=sender, token=ANN), NOW)
    assert membership.identity_of("g0@guest.localhost") is GUEST
    assert membership.identity_of("g1@guest.localhost").is_member


# -- in the focus ----------------------------------------------------------------------
def members_only() -> Stage:
    return Stage(members=MembersSettings(open=False))


def test_a_guest_waits_for_the_host_and_a_member_opens() -> None:
    stage = members_only()
    with pytest.raises(NotAuthorized) as refused:
        stage.request()
    assert refused.value.condition == "not-authorized"
    assert stage.focus.conferences == {}
    member = Identity("list:ann", moderator=True)
    stage.focus.request(Ticket(1), ROOM, Requester(""), stage.now, identity=member)
    stage.focus.joined(ROOM, "owner", stage.now)
    stage.focus.room_configured(ROOM, {}, stage.now)
    stage.request(ticket=2)
    answers = stage.take(AnswerRequest)
    assert [(a.ticket, a.ready) for a in answers] == [(1, True), (2, True)]


def sign_in(stage: Stage, nick: str, member: Member) -> None:
    jid = split(f"{nick}@guest.localhost/web")
    stage.membership.admit(Asked(jid, MACHINE, None, member), NOW)
    for effect in stage.membership.effects():
        stage.focus.identity_changed(effect.jid, stage.now)


def test_members_are_owners_and_guests_are_not() -> None:
    stage = members_only()
    member = Identity("list:ann", moderator=True)
    stage.focus.request(Ticket(1), ROOM, Requester(""), stage.now, identity=member)
    stage.focus.joined(ROOM, "owner", stage.now)
    stage.focus.room_configured(ROOM, {}, stage.now)
    stage.join("bob")
    assert stage.made_owner() == []
    sign_in(stage, "ann", ANN)
    sign_in(stage, "pat", Member("jwt", "pat", moderator=False))
    stage.join("ann")
    stage.join("pat")
    assert stage.made_owner() == ["ann@guest.localhost"]


def test_who_signs_in_during_the_call_becomes_owner_and_loses_it_on_expiry() -> None:
    stage = Stage()
    stage.open_room()
    stage.join("bob")
    stage.join("ann")
    stage.take(object)
    sign_in(stage, "ann", replace(ANN, expires=NOW + 60))
    assert stage.made_owner() == ["ann@guest.localhost"]
    stage.membership.timeout(NOW + 61)
    for effect in stage.membership.effects():
        stage.focus.identity_changed(effect.jid, stage.now)
    assert stage.take(SetAffiliation) == [
        SetAffiliation(ROOM, "ann@guest.localhost", "member")
    ]


def test_domains_come_as_members_as_guests_or_not_at_all() -> None:
    names = Names.of(Settings())
    some = MembersSettings(
        domains=("b.test",), guest_domains=("c.test",), denied_domains=("d.test",)
    )
    domains = Domains.of(some, names)
    assert [domains.may_come(f"{x}.test") for x in "bcde"] == [True, True, False, False]
    everybody = Domains.of(replace(some, guest_domains=("*",)), names)
    assert [everybody.may_come(f"{x}.test") for x in "bcde"] == [True, True, False, True]
    assert domains.may_come(names.guests)
    closed = Domains.of(replace(some, accounts=False), names)
    assert names.members not in closed.members
    assert closed.may_come(names.members)


def test_who_comes_past_us_from_a_domain_that_may_not_is_put_out() -> None:
    members = MembersSettings(domains=("b.test",), denied_domains=("d.test",))
    stage = Stage(members=members)
    stage.open_room()
    stage.take(object)
    seen = {}
    for domain in ("b.test", "c.test", "d.test", "guest.localhost", "auth.localhost"):
        occupant = Occupant(domain[0], f"x@{domain}/r", "participant", "none")
        stage.focus.occupant_seen(ROOM, occupant, stage.now)
        put_out = SetAffiliation(ROOM, f"x@{domain}", "outcast")
        seen[domain] = put_out in stage.take(SetAffiliation)
    assert [domain for domain, out in seen.items() if out] == ["c.test", "d.test"]
    assert set(stage.focus.conferences[ROOM].occupants) == {"b", "g", "a"}


def test_a_focus_after_a_crash_knows_who_is_a_member_and_until_when() -> None:
    before, after, other = make(), make(), make("other" * 8)
    signed_in = before.sign_in(replace(ANN, expires=NOW + 60), MACHINE, NOW)
    before.admit(asked(signed_in), NOW)
    sealed = before.sealed(GUEST_JID.bare)
    assert sealed is not None
    assert before.sealed("x2@guest.localhost") is None
    for membership in (after, other):
        membership.restore(GUEST_JID.bare, sealed)
        # What is kept of one address is no session, nor good for another address.
        membership.restore("x2@guest.localhost", sealed)
        membership.restore("x3@guest.localhost", signed_in.session_id)
        membership.restore("x4@guest.localhost", "nonsense")
        assert not membership.identity_of("x2@guest.localhost").is_member
        assert not membership.identity_of("x3@guest.localhost").is_member
        for machine in (MACHINE, GUEST_JID.bare, f"address:{GUEST_JID.bare}"):
            with pytest.raises(SessionInvalid):
                membership.admit(asked(sealed, machine=machine), NOW)
    assert after.identity_of(GUEST_JID.bare) == before.identity_of(GUEST_JID.bare)
    assert after.watched() == {("list", "ann")}
    assert not other.identity_of(GUEST_JID.bare).is_member
    after.timeout(NOW + 61)
    assert list(after.effects()) == [IdentityChanged(GUEST_JID.bare)]
    # Who signs out is signed out there too.
    after.restore(GUEST_JID.bare, sealed)
    after.sign_out(signed_in.session_id, NOW)
    assert not after.identity_of(GUEST_JID.bare).is_member


def test_a_conference_takes_its_members_along() -> None:
    stage = Stage()
    stage.open_room()
    stage.join("ann")
    sign_in(stage, "ann", ANN)
    [record] = [c.record() for c in stage.focus.conferences.values()]
    assert record is not None
    assert list(record.members) == ["ann@guest.localhost"]
    assert "Ann" not in str(record.members)
