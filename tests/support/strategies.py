"""Hypothesis strategies for the values that travel between the parts."""

from __future__ import annotations

from hypothesis import strategies as st

from xmppconf.ids import EndpointId, SourceName
from xmppconf.media import (
    MAX_SSRC,
    HeaderExtension,
    MediaDescription,
    MediaType,
    PayloadType,
    RtcpFeedback,
    Ssrc,
    VideoType,
)
from xmppconf.sources import MediaSource, Semantics, Source, SourceSet, SsrcGroup
from xmppconf.transport import Candidate, Fingerprint, IceTransport, Setup

#: What fits into an attribute and comes back as it was.
words = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=20)
full_words = words.filter(bool)
endpoint_ids = st.from_regex(r"[0-9a-f]{8}", fullmatch=True).map(EndpointId)
source_names = st.from_regex(r"[0-9a-f]{8}-[av][0-9]", fullmatch=True).map(SourceName)
ssrcs = st.integers(1, MAX_SSRC).map(Ssrc)
media_types = st.sampled_from(MediaType)
msids = st.from_regex(r"[!-%*-;?-~]{1,40}( [!-%*-;?-~]{1,40})?", fullmatch=True).filter(
    lambda text: not set(text) & set('"&\\')
)
credentials = st.from_regex(r"[0-9A-Za-z+/]{4,32}", fullmatch=True)
ports = st.integers(0, 65535)

payload_types = st.builds(
    PayloadType,
    id=st.integers(0, 127),
    name=full_words,
    clock_rate=st.integers(0, 192_000),
    channels=st.integers(1, 8),
    parameters=st.lists(st.tuples(words, words), max_size=4).map(tuple),
    feedback=st.lists(
        st.builds(RtcpFeedback, type=full_words, subtype=st.none() | full_words), max_size=4
    ).map(tuple),
)
header_extensions = st.builds(
    HeaderExtension, id=st.integers(1, 14) | st.integers(16, 255), uri=full_words
)


def media_descriptions(media: MediaType) -> st.SearchStrategy[MediaDescription]:
    return st.builds(
        MediaDescription,
        type=st.just(media),
        payload_types=st.lists(payload_types, max_size=3).map(tuple),
        header_extensions=st.lists(header_extensions, max_size=3).map(tuple),
        extmap_allow_mixed=st.booleans(),
    )


def groups(media: MediaType) -> st.SearchStrategy[SsrcGroup]:
    return st.builds(
        SsrcGroup,
        semantics=st.sampled_from([Semantics.FID, Semantics.SIM]),
        ssrcs=st.lists(ssrcs, min_size=1, max_size=3).map(tuple),
        media_type=st.just(media),
    )


def sources(media: MediaType) -> st.SearchStrategy[Source]:
    screen = st.none() if media is MediaType.AUDIO else st.sampled_from([None, "desktop"])
    return st.builds(
        Source,
        ssrc=ssrcs,
        media_type=st.just(media),
        name=st.none() | source_names,
        msid=st.none() | msids,
        video_type=screen.map(lambda text: None if text is None else VideoType(text)),
    )


#: In the order of the wire: video before audio.
source_sets = st.builds(
    lambda v, a, vg, ag: SourceSet((*v, *a), (*vg, *ag)),
    st.lists(sources(MediaType.VIDEO), max_size=3),
    st.lists(sources(MediaType.AUDIO), max_size=3),
    st.lists(groups(MediaType.VIDEO), max_size=3),
    st.lists(groups(MediaType.AUDIO), max_size=1),
)
owned_sources = st.dictionaries(endpoint_ids, source_sets, max_size=3)

fingerprints = st.builds(
    Fingerprint,
    hash=st.sampled_from(["sha-256", "sha-512"]),
    value=st.binary(min_size=32, max_size=32).map(lambda b: b.hex(":").upper()),
    setup=st.sampled_from(Setup),
)
candidates = st.builds(
    Candidate,
    ip=st.ip_addresses().map(str),
    port=ports,
    type=st.sampled_from(["host", "srflx", "relay"]),
    priority=st.integers(0, 2**32 - 1),
    foundation=full_words,
    component=st.integers(1, 2),
    generation=st.integers(0, 9),
    network=st.integers(0, 9),
    id=full_words,
    rel_addr=st.none() | st.ip_addresses(v=4).map(str),
    rel_port=st.none() | ports,
)
ice_transports = st.builds(
    IceTransport,
    ufrag=st.none() | credentials,
    pwd=st.none() | credentials,
    fingerprints=st.lists(fingerprints, max_size=2).map(tuple),
    candidates=st.lists(candidates, max_size=3, unique=True).map(tuple),
    rtcp_mux=st.booleans(),
    web_sockets=st.lists(full_words, max_size=2).map(tuple),
    generation=st.none() | st.integers(0, 2**31 - 1),
)


@st.composite
def _media_sources(draw: st.DrawFn) -> MediaSource:
    media = draw(media_types)
    numbers = draw(st.lists(ssrcs, min_size=1, max_size=4))
    video = media is MediaType.VIDEO
    return MediaSource(
        name=draw(source_names),
        media_type=media,
        ssrcs=tuple(numbers),
        groups=tuple(draw(st.lists(groups(media), max_size=2))),
        video_type=draw(st.none() | st.sampled_from(VideoType)) if video else None,
    )


media_sources = _media_sources()
