"""A focus that spreads one conference over several bridges as a stock focus does.

It only knows the wire (`jitsi:colibri2`): requests are written and answers read as XML,
whatever carries them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from xml.etree.ElementTree import Element, fromstring, tostring

from tests.support.rtc_peer import MEDIA, RtcPeer
from xmppconf.colibri2 import (
    ConferenceModified,
    ConferenceModify,
    EndpointRequest,
    RelayRequest,
    Sctp,
    Transport,
)
from xmppconf.ids import EndpointId, MeetingId, RelayId
from xmppconf.sources import MediaSource
from xmppconf.transport import IceTransport, Setup
from xmppconf.xmpp.colibri2 import modified_from_xml, modify_to_xml

#: Carries a `<conference-modify/>` to one bridge and brings its answer.
Ask = Callable[[Element], Awaitable[Element | None]]


class CascadingFocus:
    def __init__(self, bridges: Mapping[str, Ask], *, sctp: bool = True) -> None:
        """`bridges` by relay id; without `sctp` the links have WebSockets."""
        self.meeting = MeetingId("8a5e1f0c-0000-4000-8000-000000000001")
        self._bridges = bridges
        self._sctp = sctp
        self._members: dict[str, dict[EndpointId, tuple[MediaSource, ...]]] = {}

    async def ask(self, bridge: str, request: ConferenceModify) -> ConferenceModified:
        written = fromstring(tostring(modify_to_xml(request)))
        return modified_from_xml(await self._bridges[bridge](written))

    async def join(self, bridge: str, peer: RtcPeer, *capabilities: str) -> None:
        """Invite a participant onto a bridge and tell the others."""
        is_new = bridge not in self._members
        answer = await self.ask(
            bridge,
            ConferenceModify(
                self.meeting,
                "tea@muc.localhost" if is_new else None,
                create=is_new,
                endpoints=(peer.creation(*capabilities),),
            ),
        )
        before = tuple(self._members)
        members = self._members.setdefault(bridge, {})
        if is_new:
            for other in before:
                await self._link(other, bridge)
        transport = answer.endpoints[0].transport
        assert transport is not None
        assert transport.ice is not None
        accepted = await peer.accept(transport.ice)
        await self.ask(bridge, ConferenceModify(self.meeting, endpoints=(accepted,)))
        members[peer.id] = accepted.sources or ()
        for other in self._members:
            if other != bridge:
                await self._tell(other, bridge, (_behind(peer.id, members[peer.id]),))

    async def leave(self, bridge: str, peer: RtcPeer) -> None:
        gone = EndpointRequest(peer.id, expire=True)
        await self.ask(bridge, ConferenceModify(self.meeting, endpoints=(gone,)))
        del self._members[bridge][peer.id]
        for other in self._members:
            if other != bridge:
                await self._tell(other, bridge, (gone,))

    async def unlink(self, one: str, other: str) -> None:
        for bridge, far in ((one, other), (other, one)):
            gone = RelayRequest(RelayId(far), expire=True)
            await self.ask(bridge, ConferenceModify(self.meeting, relays=(gone,)))

    async def _link(self, first: str, second: str) -> None:
        """The one that was there first begins."""
        sides = ((first, second, True), (second, first, False))
        offers: dict[str, IceTransport] = {}
        for bridge, other, begins in sides:
            members = self._members.get(other, {})
            role = "client" if begins else "server"
            request = RelayRequest(
                RelayId(other),
                create=True,
                mesh="0",
                media=MEDIA,
                transport=Transport(
                    ice_controlling=begins,
                    use_unique_port=begins,
                    sctp=Sctp(role=role) if self._sctp else None,
                ),
                endpoints=tuple(_behind(name, what) for name, what in members.items()),
            )
            answer = await self.ask(
                bridge, ConferenceModify(self.meeting, relays=(request,))
            )
            transport = answer.relays[0].transport
            assert transport is not None
            assert transport.ice is not None
            assert transport.ice.fingerprints[0].setup is Setup.ACTPASS
            offers[bridge] = transport.ice
        for bridge, other, begins in sides:
            ice = offers[other]
            setup = Setup.ACTIVE if begins else Setup.PASSIVE
            ice = replace(
                ice,
                fingerprints=tuple(replace(one, setup=setup) for one in ice.fingerprints),
                web_sockets=ice.web_sockets if begins and not self._sctp else (),
            )
            request = RelayRequest(RelayId(other), transport=Transport(ice=ice))
            await self.ask(bridge, ConferenceModify(self.meeting, relays=(request,)))

    async def _tell(
        self, bridge: str, other: str, endpoints: tuple[EndpointRequest, ...]
    ) -> None:
        request = RelayRequest(RelayId(other), endpoints=endpoints)
        await self.ask(bridge, ConferenceModify(self.meeting, relays=(request,)))


def _behind(name: EndpointId, sources: tuple[MediaSource, ...]) -> EndpointRequest:
    return EndpointRequest(
        name,
        create=True,
        stats_id="Ada-x1",
        capabilities=frozenset({"source-names"}),
        sources=sources,
    )
