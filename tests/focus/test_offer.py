"""The offer as clients read it, compared element by element."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest
from xmppconf_focus.codecs import VIDEO_CODECS, check_codecs, describe_media
from xmppconf_focus.features import Feature

from tests.focus.support import BASIC, MODERN, Stage, camera
from xmppconf.errors import SettingsError
from xmppconf.ids import EndpointId
from xmppconf.jingle import Offer
from xmppconf.media import ExtensionUri, MediaType
from xmppconf.xmpp.jingle import offer_to_xml

DATA = Path(__file__).parents[1] / "data" / "focus"


def offer_for(features: frozenset[str]) -> Offer:
    """The offer to Cid, who joins two that send."""
    stage = Stage()
    stage.call("ann", "bob", features=BASIC)
    stage.join("cid", features)
    stage.answer_all()
    return stage.offers()[EndpointId("cid")]


def flat(element: Element, path: str = "") -> list[tuple[str, dict[str, str], str]]:
    """Every element in document order: path, attributes, text."""
    here = f"{path}/{element.tag}"
    found = [(here, dict(element.attrib), (element.text or "").strip())]
    for child in element:
        found += flat(child, here)
    return found


@pytest.mark.parametrize(
    ("name", "features"),
    [
        ("offer-modern", MODERN),
        ("offer-xml-sources", BASIC),
        ("offer-json-sources", BASIC | {Feature.JSON_SOURCES}),
    ],
)
def test_offer_as_on_file(name: str, features: frozenset[str]) -> None:
    expected = fromstring((DATA / f"{name}.xml").read_text())
    assert flat(offer_to_xml(offer_for(features))) == flat(expected)


@pytest.mark.parametrize("codecs", [("vp8",), ("av1", "vp9"), tuple(VIDEO_CODECS)])
def test_every_codec_has_its_retransmissions(codecs: tuple[str, ...]) -> None:
    [_, video] = describe_media(MODERN, codecs)
    ids = {pt.id: pt for pt in video.payload_types}
    assert len(ids) == len(video.payload_types) == 2 * len(codecs)
    rtx = [pt for pt in video.payload_types if pt.name == "rtx"]
    assert [ids[int(dict(pt.parameters)["apt"])].name.lower() for pt in rtx] == [*codecs]
    # The client crashes on a single payload type.
    assert len(ids) >= 2
    assert video.extmap_allow_mixed


def test_a_client_gets_only_what_it_can() -> None:
    assert describe_media(frozenset(), ("vp8",)) == ()
    [audio] = describe_media(frozenset({Feature.AUDIO}), ("vp8",))
    assert audio.type is MediaType.AUDIO
    assert [pt.name for pt in audio.payload_types] == ["opus", "telephone-event"]
    assert audio.payload_types[0].feedback == ()
    [video] = describe_media(frozenset({Feature.VIDEO, Feature.REMB}), ("vp8",))
    assert [pt.name for pt in video.payload_types] == ["VP8"]
    assert {f.type for f in video.payload_types[0].feedback} == {"ccm", "nack", "goog-remb"}
    uris = {extension.uri for extension in video.header_extensions}
    assert ExtensionUri.TRANSPORT_CC not in uris


def test_the_same_ids_for_the_same_thing_everywhere() -> None:
    ids: dict[int, str] = {}
    for media in describe_media(MODERN, tuple(VIDEO_CODECS)):
        for extension in media.header_extensions:
            assert ids.setdefault(extension.id, extension.uri) == extension.uri


@pytest.mark.parametrize("codecs", [(), ("vp8", "vp8"), ("theora",)])
def test_codecs_that_cannot_be_are_refused(codecs: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError):
        check_codecs(codecs)


def test_simulcast_of_others_is_not_passed_on() -> None:
    offer = offer_for(BASIC)
    ann = offer.sources[EndpointId("ann")]
    assert len(camera("ann", 1000).sources) == 7
    assert [source.ssrc for source in ann.sources] == [1000, 1003, 1006]


def test_sound_with_redundancy_is_for_those_who_can_and_only_if_wanted() -> None:
    can = frozenset({Feature.AUDIO, Feature.OPUS_RED})
    [audio] = describe_media(can, ("vp8",), red=True)
    assert [(p.id, p.name) for p in audio.payload_types[:2]] == [
        (112, "red"),
        (111, "opus"),
    ]
    assert dict(audio.payload_types[0].parameters) == {"": "111/111"}
    assert dict(audio.payload_types[1].parameters)["useinbandfec"] == "1"
    for features, red in ((can, False), (frozenset({Feature.AUDIO}), True)):
        [audio] = describe_media(features, ("vp8",), red=red)
        assert "red" not in [one.name for one in audio.payload_types]
