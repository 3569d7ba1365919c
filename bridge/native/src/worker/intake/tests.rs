use std::sync::mpsc::sync_channel;
use std::sync::Arc;

use super::*;
use crate::engine::Shared;
use crate::handover::connect;
use crate::ice::Agent;
use crate::media::{Command, Encoding, Kind as Source, SourceDescription};
use crate::socket::{Lane, SendBatch, Socket};
use crate::transports::Transport;

const PEER: u32 = 1;
const VOICE: u32 = 500;
const PICTURE: u32 = 600;

/// A worker with one peer, whose voice and picture it knows but not yet the keys: what is done
/// is kept in its order, and the peer's socket.
fn worker_and_peer() -> (Worker, Vec<Socket>) {
    let socket = || Socket::bind("127.0.0.1:0".parse().unwrap(), 1 << 20, 1 << 20).unwrap();
    let (ours, theirs) = (socket(), socket());
    let shared = Arc::new(Shared::for_tests());
    let handover = connect(&[Arc::clone(&shared)]).remove(0);
    let (_, queue) = sync_channel(1);
    let path = Path { socket: 0, remote: theirs.local() };
    let mut worker = Worker::new(vec![ours], shared, queue, handover, 0, 1);
    let agent = Agent::new(0, b"user", b"password", true, 1);
    worker.transports.add(PEER, Transport::new(7, agent, 0..1));
    worker.transports.open(path, PEER);
    worker.apply(0, Command::AddConference { conference: 7, audio_ssrc: 1, video_ssrc: 2 });
    worker.apply(0, Command::AddTransport { transport: PEER, conference: 7 });
    let of = |source, kind, ssrc| {
        let encodings = vec![Encoding { ssrc, rtx_ssrc: None }];
        SourceDescription { source, kind, encodings }
    };
    let sources = vec![of(1, Source::Audio, VOICE), of(2, Source::Video, PICTURE)];
    worker.apply(0, Command::SetSources { transport: PEER, sources });
    (worker, vec![theirs])
}

fn send(worker: &Worker, peer: &mut [Socket], ssrcs: &[u32]) {
    let mut batch = SendBatch::default();
    let path = Path { socket: 0, remote: worker.outgoing.sockets[0].local() };
    let mut lane = Lane::default();
    for (number, ssrc) in ssrcs.iter().enumerate() {
        let slot = batch.slot().unwrap();
        slot[..12].copy_from_slice(&[0x80, 100, 0, number as u8, 0, 0, 0, 0, 0, 0, 0, 0]);
        slot[8..12].copy_from_slice(&ssrc.to_be_bytes());
        batch.commit(12, path, &mut lane);
    }
    batch.flush(peer);
}

/// What was done: SSRCs and their numbers.
fn done(worker: &mut Worker) -> Vec<(u32, u8)> {
    let early = std::mem::take(&mut worker.transports.get_mut(PEER).unwrap().early);
    let read = |data: Vec<u8>| (u32::from_be_bytes(data[8..12].try_into().unwrap()), data[3]);
    early.into_iter().map(|(_, data)| read(data)).collect()
}

#[test]
fn in_the_order_in_which_it_came_but_pictures_last_when_more_came_than_is_taken_at_once() {
    let (mut worker, mut peer) = worker_and_peer();
    let mut intake = Intake::default();
    let mixed = [PICTURE, VOICE, PICTURE, 9, PICTURE, VOICE];
    let as_they_came: Vec<_> = (0..).zip(mixed).map(|(number, ssrc)| (ssrc, number)).collect();
    send(&worker, &mut peer, &mixed);
    worker.receive(0, &[true], &mut intake);
    assert_eq!(done(&mut worker), as_they_came);

    // A full batch before them: in the next turn they are sorted.
    send(&worker, &mut peer, &[9; RECEIVE_BATCH]);
    send(&worker, &mut peer, &mixed);
    let now = monotonic();
    worker.receive(now, &[true], &mut intake);
    assert_eq!(done(&mut worker).len(), RECEIVE_BATCH);
    assert_eq!(worker.outgoing.counters.waited, 0);
    worker.receive(monotonic(), &[true], &mut intake);
    let sound_first = [(VOICE, 1), (9, 3), (VOICE, 5), (PICTURE, 0), (PICTURE, 2), (PICTURE, 4)];
    assert_eq!(done(&mut worker), sound_first);
    assert_eq!(worker.outgoing.counters.waited, 3);
    assert!(!intake.is_waiting());

    // Then it is as it was.
    send(&worker, &mut peer, &mixed);
    worker.receive(monotonic(), &[true], &mut intake);
    assert_eq!(done(&mut worker), as_they_came);
}

#[test]
fn pictures_that_waited_while_the_process_was_stopped_are_dropped_with_the_rest() {
    let (mut worker, mut peer) = worker_and_peer();
    let mut intake = Intake::default();
    let path = Path { socket: 0, remote: peer[0].local() };
    assert!(intake.backlog.push(0, path, &[0x80; 20]));
    send(&worker, &mut peer, &[PICTURE, VOICE]);
    worker.drop_stale(monotonic(), &mut intake);
    assert_eq!(worker.outgoing.counters.dropped_stale, 3);
    assert!(!intake.is_waiting() && done(&mut worker).is_empty());
}

#[test]
fn a_full_backlog_loses_pictures_and_has_some_left_out() {
    let (mut worker, mut peer) = worker_and_peer();
    let mut intake = Intake { unread: true, ..Intake::default() };
    let path = Path { socket: 0, remote: peer[0].local() };
    while intake.backlog.push(0, path, &[0x80; 20]) {}
    send(&worker, &mut peer, &[PICTURE, VOICE, PICTURE]);
    worker.take(0, 0, &mut intake, Media::Sorted);
    assert_eq!(done(&mut worker), [(VOICE, 1)]);
    let counters = worker.outgoing.counters;
    assert_eq!((counters.dropped_backlog, counters.waited), (2, 0));
    assert!(intake.relief.is_due(1, intake.backlog.level(0)));
}
