//! Two generators' peers against the engine that they are made to load.

use super::*;
use crate::engine::{Command, Engine, Event as EngineEvent, Settings};
use crate::media::{self, Encoding, PayloadType, SourceDescription};
use crate::srtp::Profile;

const SECOND: Time = 1_000_000_000;
const KEYS: [[u8; 16]; 2] = [[1; 16], [2; 16]];
const SALT: [u8; 12] = [3; 12];

fn sender(key: usize) -> Box<Sender> {
    Box::new(Sender::new(Profile::AeadAes128Gcm, &KEYS[key], &SALT).unwrap())
}

fn receiver(key: usize) -> Box<Receiver> {
    Box::new(Receiver::new(Profile::AeadAes128Gcm, &KEYS[key], &SALT).unwrap())
}

fn about(remote: SocketAddr, name: &str) -> PeerDescription {
    PeerDescription {
        remote,
        ufrag: format!("peer-{name}"),
        pwd: "p".repeat(22),
        remote_ufrag: format!("bridge-{name}"),
        remote_pwd: "b".repeat(22),
        controlling: false,
        transport_cc: 0,
        verify: 1,
    }
}

fn audio(rate: u32) -> StreamDescription {
    StreamDescription {
        ssrc: 1000,
        payload_type: 111,
        kind: Kind::Opus,
        size: 100,
        rate,
        transport_cc: 0,
        audio_level: 0,
        level: 0,
        mid: None,
    }
}

/// One sender and two receivers of an engine; the rest of the test says how long.
fn connected(address: &str) -> (Engine, Generator) {
    let settings =
        Settings { queue: 64, event_queue: 64, receive_buffer: 1 << 20, send_buffer: 1 << 20 };
    let engine = Engine::new(&[address.parse().unwrap()], &settings).unwrap();
    let media = |command| engine.command(Command::Media(command)).unwrap();
    media(media::Command::AddConference { conference: 1, audio_ssrc: 1, video_ssrc: 2 });
    let mut generator = Generator::new([]);
    for transport in 0..3u32 {
        let name = transport.to_string();
        engine
            .command(Command::AddTransport {
                transport,
                conference: 1,
                ufrag: format!("bridge-{name}").into_bytes(),
                pwd: b"b".repeat(22),
                controlling: true,
                sockets: None,
            })
            .unwrap();
        engine
            .command(Command::SetRemoteIce {
                transport,
                ufrag: format!("peer-{name}").into_bytes(),
                pwd: b"p".repeat(22),
                candidates: Vec::new(),
                restart: false,
            })
            .unwrap();
        engine
            .command(Command::SetSrtp { transport, sender: sender(0), receiver: receiver(1) })
            .unwrap();
        let payload_types = vec![PayloadType {
            id: 111,
            codec: "opus".into(),
            clock_rate: 48_000,
            retransmits: None,
            nack: false,
            pli: false,
            transport_cc: false,
        }];
        media(media::Command::SetPayloadTypes { transport, payload_types });
        let peer = generator.add_peer(&about(engine.local_addresses()[0], &name)).unwrap();
        generator.set_srtp(peer.unwrap(), sender(1), receiver(0)).unwrap();
    }
    let sources = vec![SourceDescription {
        source: 1,
        kind: media::Kind::Audio,
        encodings: vec![Encoding { ssrc: 1000, rtx_ssrc: None }],
    }];
    media(media::Command::SetSources { transport: 0, sources });
    for receiver in [1, 2] {
        media(media::Command::SetRoute {
            receiver,
            source: 1,
            ssrc: 5000 + receiver,
            rtx_ssrc: None,
            max_encoding: 0,
            max_spatial: 7,
            max_temporal: 7,
        });
    }
    generator.add_stream(0, &audio(200)).unwrap();
    (engine, generator)
}

fn until_valid(engine: &Engine, generator: &mut Generator) {
    let deadline = monotonic() + 20 * SECOND;
    let (mut ours, mut theirs) = (0, 0);
    while (ours, theirs) != (3, 3) {
        assert!(monotonic() < deadline, "no pair: {ours} {theirs}");
        for event in generator.run(10 * MILLISECOND).unwrap() {
            ours += usize::from(matches!(event, Event::Valid { .. }));
        }
        for event in engine.take_events() {
            theirs += usize::from(matches!(event, EngineEvent::IceValid { .. }));
        }
    }
}

#[test]
fn every_packet_is_sent_received_and_counted_once() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (engine, mut generator) = connected(address);
        until_valid(&engine, &mut generator);
        generator.set_sending(true);
        let deadline = monotonic() + 20 * SECOND;
        while generator.sent()[0].2 < 100 {
            assert!(monotonic() < deadline);
            generator.run(10 * MILLISECOND).unwrap();
        }
        generator.set_sending(false);
        let sent = generator.sent()[0].2;
        while generator.figures()[2].tracks.values().map(|track| track.received).sum::<u64>() < sent
        {
            assert!(monotonic() < deadline);
            generator.run(10 * MILLISECOND).unwrap();
        }
        for (number, figures) in generator.figures().into_iter().enumerate() {
            assert_eq!((figures.refused, figures.untracked), (0, 0));
            assert_eq!(figures.tracks.len(), usize::from(number > 0));
            for (ssrc, track) in &figures.tracks {
                assert_eq!(*ssrc, 5000 + number as u32);
                assert_eq!((track.received, track.expected(), track.duplicates), (sent, sent, 0));
            }
        }
        assert!(generator.delays().quantile(0.5) > 0);
        generator.reset();
        assert_eq!(generator.sent()[0].2, 0);
        assert!(generator.figures().iter().all(|one| one.tracks.values().all(|t| t.received == 0)));
    }
}

#[test]
fn only_loopback_and_what_is_named_is_reached() {
    let mut generator = Generator::new(["192.0.2.1".parse().unwrap()]);
    let far = about("192.0.2.2:5".parse().unwrap(), "x");
    let refused = generator.add_peer(&far).unwrap();
    assert_eq!(refused, Err(Refusal::NotAllowed("192.0.2.2".parse().unwrap())));
    assert!(generator.may_reach("192.0.2.1".parse().unwrap()));
    assert!(generator.may_reach("127.3.2.1".parse().unwrap()));
    assert!(generator.may_reach("::1".parse().unwrap()));
}

#[test]
fn rate_streams_and_peers_are_bounded() {
    let mut generator = Generator::new([]);
    let to = "127.0.0.1:9".parse().unwrap();
    let peer = generator.add_peer(&about(to, "x")).unwrap().unwrap();
    assert_eq!(generator.add_stream(peer + 1, &audio(50)), Err(Refusal::NoSuchPeer));
    assert_eq!(generator.add_stream(peer, &audio(0)), Err(Refusal::TooMuch));
    assert_eq!(generator.add_stream(peer, &audio(200_001)), Err(Refusal::TooMuch));
    for _ in 0..4 {
        generator.add_stream(peer, &audio(50_000)).unwrap();
    }
    assert_eq!(generator.add_stream(peer, &audio(1)), Err(Refusal::TooMuch));
    assert!(generator.run(SECOND / 100).is_ok());
}
