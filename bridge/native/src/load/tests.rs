//! Two generators' peers against the engine that they are made to load.

use super::*;
use crate::engine::{Command, Engine, Event as EngineEvent, Settings};
use crate::media::{self, Encoding, PayloadType, SourceDescription};
use crate::placement::PART;
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
        rtx: 0,
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

/// Conferences of one sender and two receivers each; the rest of the test says how long.
fn connected(address: &str, workers: usize, conferences: u32) -> (Engine, Generator) {
    connected_in_parts(address, workers, PART, conferences)
}

fn connected_in_parts(
    address: &str,
    workers: usize,
    part: usize,
    conferences: u32,
) -> (Engine, Generator) {
    let (receive_buffer, send_buffer) = (1 << 20, 1 << 20);
    let (queue, event_queue) = (512, 512);
    let settings = Settings { queue, event_queue, receive_buffer, send_buffer, workers, part };
    let engine = Engine::new(&[address.parse().unwrap()], &settings).unwrap();
    let mut generator = Generator::new([]);
    for conference in 0..conferences {
        add_conference(&engine, &mut generator, conference);
    }
    (engine, generator)
}

fn add_conference(engine: &Engine, generator: &mut Generator, conference: u32) {
    let media = |command| engine.command(Command::Media(command)).unwrap();
    media(media::Command::AddConference { conference, audio_ssrc: 1, video_ssrc: 2 });
    let first = 3 * conference;
    for transport in first..first + 3 {
        let name = transport.to_string();
        engine
            .command(Command::AddTransport {
                transport,
                conference,
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
    let source = conference;
    let sources = vec![SourceDescription {
        source,
        kind: media::Kind::Audio,
        encodings: vec![Encoding { ssrc: 1000, rtx_ssrc: None }],
    }];
    media(media::Command::SetSources { transport: first, sources });
    for receiver in [first + 1, first + 2] {
        media(media::Command::SetRoute {
            receiver,
            source,
            ssrc: 5000 + receiver,
            rtx_ssrc: None,
            max_encoding: 0,
            max_spatial: 7,
            max_temporal: 7,
        });
    }
    generator.add_stream(first as usize, &audio(200)).unwrap();
}

fn until_valid(engine: &Engine, generator: &mut Generator) {
    let deadline = monotonic() + 20 * SECOND;
    let count = generator.figures().len();
    let (mut ours, mut theirs) = (0, 0);
    while (ours, theirs) != (count, count) {
        assert!(monotonic() < deadline, "no pair: {ours} {theirs}");
        for event in generator.run(10 * MILLISECOND).unwrap() {
            ours += usize::from(matches!(event, Event::Valid { .. }));
        }
        for event in engine.take_events() {
            theirs += usize::from(matches!(event, EngineEvent::IceValid { .. }));
        }
    }
}

/// Send until every stream has had `least` packets, and all of them have arrived.
fn send_all(generator: &mut Generator, least: u64) {
    generator.set_sending(true);
    let deadline = monotonic() + 20 * SECOND;
    while generator.sent().iter().any(|(_, _, sent)| *sent < least) {
        assert!(monotonic() < deadline);
        generator.run(10 * MILLISECOND).unwrap();
    }
    generator.set_sending(false);
    let sent: u64 = generator.sent().iter().map(|(_, _, sent)| 2 * sent).sum();
    let received = |generator: &Generator| -> u64 {
        let tracks = generator.figures().into_iter().flat_map(|one| one.tracks.values());
        tracks.map(|track| track.received).sum()
    };
    while received(generator) < sent {
        assert!(monotonic() < deadline, "{} of {sent}", received(generator));
        generator.run(10 * MILLISECOND).unwrap();
    }
}

fn nothing_is_missing(generator: &Generator) {
    let sent = generator.sent();
    for (number, figures) in generator.figures().into_iter().enumerate() {
        assert_eq!((figures.refused, figures.untracked), (0, 0));
        assert_eq!(figures.tracks.len(), usize::from(number % 3 > 0));
        let sent = sent[number / 3].2;
        for (ssrc, track) in &figures.tracks {
            assert_eq!(*ssrc, 5000 + number as u32);
            assert_eq!((track.received, track.expected(), track.duplicates), (sent, sent, 0));
        }
    }
}

#[test]
fn every_packet_is_sent_received_and_counted_once() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (engine, mut generator) = connected(address, 1, 1);
        until_valid(&engine, &mut generator);
        send_all(&mut generator, 100);
        nothing_is_missing(&generator);
        assert!(generator.delays().quantile(0.5) > 0);
        generator.reset();
        assert_eq!(generator.sent()[0].2, 0);
        assert!(generator.figures().iter().all(|one| one.tracks.values().all(|t| t.received == 0)));
    }
}

/// A counter of the engine, as of the turn before.
fn counter(engine: &Engine, name: &str) -> u64 {
    engine.stats().into_iter().find(|(known, _)| *known == name).map_or(0, |(_, value)| value)
}

#[test]
fn whichever_worker_the_kernel_chooses_packets_find_their_conference() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        for workers in [2, 3] {
            let (engine, mut generator) = connected(address, workers, 4);
            until_valid(&engine, &mut generator);
            send_all(&mut generator, 50);
            nothing_is_missing(&generator);
            // Twelve senders, of each of which the kernel finds the right worker by chance.
            assert!(counter(&engine, "handed_over") > 0);
            assert_eq!(counter(&engine, "dropped_handover"), 0);
            assert_eq!(counter(&engine, "workers"), workers as u64);
        }
    }
}

#[test]
fn a_conference_in_parts_is_whole_to_its_people() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        for workers in [2, 3] {
            let (engine, mut generator) = connected_in_parts(address, workers, 1, 4);
            until_valid(&engine, &mut generator);
            send_all(&mut generator, 50);
            nothing_is_missing(&generator);
            // Of each packet one copy to every part that has not the sender.
            let sent: u64 = generator.sent().iter().map(|(_, _, sent)| *sent).sum();
            let copies = sent * (workers as u64 - 1);
            let deadline = monotonic() + 20 * SECOND;
            let counted = |name| counter(&engine, name);
            while counted("mirrored") < copies || counted("rtp_received") < sent {
                assert!(monotonic() < deadline); // figures are those of the turn before
                generator.run(MILLISECOND).unwrap();
            }
            assert!(counted("mirrored") < copies + 50); // some reports of senders besides
            assert_eq!(counted("rtp_received"), sent);
            assert_eq!(counter(&engine, "dropped_handover"), 0);
        }
    }
}

#[test]
fn conferences_come_and_go_on_all_workers() {
    for part in [1, PART] {
        come_and_go(part);
    }
}

fn come_and_go(part: usize) {
    let (engine, mut generator) = connected_in_parts("127.0.0.1:0", 2, part, 2);
    until_valid(&engine, &mut generator);
    for round in 0..3 {
        engine.command(Command::RemoveConference { conference: round }).unwrap();
        add_conference(&engine, &mut generator, round + 2);
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
    // Both that are left, and nobody of those that have gone.
    generator.set_sending(true);
    let deadline = monotonic() + 20 * SECOND;
    let heard = |generator: &Generator, number: usize| {
        generator.figures()[number].tracks.values().any(|track| track.received > 20)
    };
    while ![10, 11, 13, 14].into_iter().all(|number| heard(&generator, number)) {
        assert!(monotonic() < deadline);
        generator.run(10 * MILLISECOND).unwrap();
    }
    assert!((0..9).all(|number| generator.figures()[number].tracks.is_empty()));
    assert_eq!(counter(&engine, "dropped_handover"), 0);
}

#[test]
fn who_is_removed_sends_and_receives_nothing_and_the_others_go_on() {
    let (engine, mut generator) = connected("127.0.0.1:0", 1, 2);
    until_valid(&engine, &mut generator);
    send_all(&mut generator, 50);
    let gone = generator.local(0).unwrap();
    generator.remove_peer(0);
    generator.remove_peer(2);
    // The kernel has its port back.
    crate::socket::Socket::bind(gone, 1 << 16, 1 << 16).unwrap();
    assert_eq!(generator.figures().len(), 4);
    generator.reset();
    send_all(&mut generator, 50);
    assert_eq!(generator.sent().len(), 1);
    assert_eq!(generator.received(1), 0);
    assert_eq!(generator.received(4), generator.sent()[0].2);
    assert_eq!(generator.add_stream(0, &audio(1)), Err(Refusal::NoSuchPeer));
    let remote = generator.local(4).unwrap();
    assert_eq!(generator.add_peer(&about(remote, "new")).unwrap(), Ok(6));
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
