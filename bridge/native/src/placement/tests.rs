use std::cell::RefCell;

use super::*;
use crate::media::{Kind, SourceDescription};

/// A placement, and what each worker has been told.
struct Told {
    placement: Placement,
    orders: Vec<Vec<Command>>,
    busy: Vec<u32>,
}

impl Told {
    fn new(workers: usize, part: usize) -> Self {
        let mut orders = Vec::new();
        orders.resize_with(workers, Vec::new);
        Told { placement: Placement::new(workers, part), orders, busy: vec![0; workers] }
    }

    /// What the engine's handle does; the workers that were told something, in order.
    fn tell(&mut self, command: Command) -> Vec<usize> {
        self.tell_on(None, command)
    }

    fn tell_on(&mut self, worker: Option<usize>, command: Command) -> Vec<usize> {
        let (told, result) = self.try_on(worker, command, usize::MAX);
        assert_eq!(result, Ok(()));
        told
    }

    /// The same with queues that are full after so many orders.
    fn try_on(
        &mut self,
        worker: Option<usize>,
        command: Command,
        room: usize,
    ) -> (Vec<usize>, Result<(), Rejected>) {
        let busy = self.busy.clone();
        let told = RefCell::new(Vec::new());
        let order = |worker: usize, command| {
            let mut told = told.borrow_mut();
            if told.len() >= room {
                return Err(Rejected::Full);
            }
            told.push((worker, command));
            Ok(())
        };
        let result = self.placement.carry_out(worker, command, |worker| busy[worker], order);
        let told = told.into_inner();
        let workers = told.iter().map(|(worker, _)| *worker).collect();
        for (worker, command) in told {
            self.orders[worker].push(command);
        }
        (workers, result)
    }

    fn media_of(&self, worker: usize) -> Vec<&Media> {
        let media = self.orders[worker].iter().filter_map(|order| match order {
            Command::Media(media) => Some(media),
            _ => None,
        });
        media.collect()
    }

    fn workers_of(&self, conference: u32) -> Vec<(usize, usize)> {
        self.placement.conferences.get(&conference).map_or(vec![], |there| there.parts.clone())
    }
}

fn conference(conference: u32) -> Command {
    Command::Media(Media::AddConference { conference, audio_ssrc: 1, video_ssrc: 2 })
}

fn transport(transport: u32, conference: u32) -> Command {
    let (ufrag, pwd) = (transport.to_be_bytes().to_vec(), vec![2]);
    Command::AddTransport { transport, conference, ufrag, pwd, controlling: true, sockets: None }
}

fn sources(transport: u32, ids: &[u32]) -> Media {
    let source = |id| SourceDescription { source: id, kind: Kind::Audio, encodings: vec![] };
    Media::SetSources { transport, sources: ids.iter().map(|id| source(*id)).collect() }
}

fn keyframe(source: u32) -> Command {
    Command::Media(Media::RequestKeyframe { source })
}

fn route(receiver: u32, source: u32) -> Command {
    Command::Media(Media::RemoveRoute { receiver, source })
}

#[test]
fn a_conference_goes_where_the_fewest_are_and_stays_there() {
    let mut told = Told::new(2, PART);
    assert_eq!(told.tell(conference(1)), [0]);
    assert_eq!(told.tell(conference(2)), [1]);
    for number in 0..3 {
        // The other one learns where it is.
        assert_eq!(told.tell(transport(number, 1)), [1, 0]);
    }
    assert_eq!(told.tell(conference(3)), [1]);
    assert_eq!(told.tell(transport(9, 3)), [0, 1]);
    assert_eq!(told.tell(conference(1)), [0]);
    told.tell(Command::RemoveConference { conference: 1 });
    assert_eq!(told.tell(conference(4)), [0]);
}

#[test]
fn commands_follow_their_transports_and_sources() {
    let mut told = Told::new(2, PART);
    told.tell(conference(1));
    told.tell(conference(2));
    told.tell(transport(7, 2));
    assert_eq!(told.tell(Command::Media(sources(7, &[70, 71]))), [1]);
    assert_eq!(told.tell(keyframe(71)), [1]);
    told.tell(Command::Media(sources(7, &[71])));
    assert!(told.tell(keyframe(70)).is_empty());
    told.tell(Command::RemoveTransport { transport: 7 });
    assert!(told.tell(keyframe(71)).is_empty());
    assert!(told.tell(Command::Media(sources(7, &[72]))).is_empty());
    assert!(told.tell(transport(8, 5)).is_empty());
}

#[test]
fn nothing_is_left_of_what_has_ended() {
    let mut told = Told::new(3, 1);
    for number in 0..100 {
        told.tell(conference(number));
        for id in [3 * number, 3 * number + 1, 3 * number + 2] {
            told.tell(transport(id, number));
            told.tell(Command::Media(sources(id, &[id])));
        }
        assert_eq!(told.workers_of(number).len(), 3);
        told.tell(Command::RemoveTransport { transport: 3 * number });
        assert_eq!(told.workers_of(number).len(), 2);
    }
    for number in 0..100 {
        told.tell(Command::RemoveConference { conference: number });
    }
    let placement = told.placement;
    assert_eq!(placement.load, [0, 0, 0]);
    assert!(placement.conferences.is_empty() && placement.transports.is_empty());
    assert!(placement.sources.is_empty());
}

#[test]
fn one_that_is_too_large_gets_another_part() {
    let mut told = Told::new(3, 2);
    told.tell(conference(1));
    told.tell(Command::Media(Media::SetLoudest { conference: 1, count: 3, always: vec![] }));
    for (id, muted) in [(10, true), (11, false)] {
        told.tell(transport(id, 1));
        told.tell(Command::Media(sources(id, &[id * 10])));
        told.tell(Command::Media(Media::SetMuted { source: id * 10, muted }));
    }
    assert!(told.media_of(1).is_empty() && told.media_of(2).is_empty());
    // The third one goes to a worker of its own, which is told of the others first.
    told.tell(transport(12, 1));
    assert_eq!(told.workers_of(1), [(0, 2), (1, 1)]);
    let opening = told.orders[1].iter().find_map(|order| match order {
        Command::OpenPart { conference: 1, others, orders } => Some((others.clone(), orders)),
        _ => None,
    });
    let (others, orders) = opening.unwrap();
    assert_eq!(others, [0]);
    let begin = [
        Media::RemoveConference { conference: 1 },
        Media::AddConference { conference: 1, audio_ssrc: 1, video_ssrc: 2 },
        Media::SetLoudest { conference: 1, count: 3, always: vec![] },
    ];
    assert_eq!(orders[..3], begin);
    let of = |id: u32, muted: bool| {
        let mut of = vec![
            Media::AddMirror { transport: id, conference: 1, worker: 0 },
            sources(id, &[id * 10]),
        ];
        of.extend(muted.then_some(Media::SetMuted { source: id * 10, muted }));
        of
    };
    let rest = &orders[3..];
    assert!(
        rest == [of(10, true), of(11, false)].concat()
            || rest == [of(11, false), of(10, true)].concat()
    );
    // What follows goes to both; receivers are only where they are.
    assert_eq!(
        told.media_of(0).last(),
        Some(&&Media::AddMirror { transport: 12, conference: 1, worker: 1 })
    );
    assert_eq!(told.tell(Command::Media(sources(12, &[120]))), [0, 1]);
    let muted = Media::SetMuted { source: 100, muted: false };
    assert_eq!(told.tell(Command::Media(muted)), [0, 1]);
    assert_eq!((told.tell(keyframe(100)), told.tell(keyframe(120))), (vec![0], vec![1]));
    assert_eq!((told.tell(route(11, 120)), told.tell(route(12, 100))), (vec![0], vec![1]));
    let loudest = Media::SetLoudest { conference: 1, count: 5, always: vec![] };
    assert_eq!(told.tell(Command::Media(loudest)), [0, 1]);
    // The next goes where fewer are, the one after that to the last worker.
    told.tell(transport(13, 1));
    told.tell(transport(14, 1));
    told.tell(transport(15, 1));
    told.tell(transport(16, 1));
    assert_eq!(told.workers_of(1), [(0, 3), (1, 2), (2, 2)]);
    told.tell(transport(17, 1)); // all are full: where the fewest are
    assert_eq!(told.workers_of(1), [(0, 3), (1, 3), (2, 2)]);
    // A second time nothing begins, and nothing is counted.
    told.tell(transport(17, 1));
    assert_eq!(told.workers_of(1), [(0, 3), (1, 3), (2, 2)]);
    assert_eq!(told.placement.load, [3, 3, 2]);
}

#[test]
fn a_part_ends_with_its_last_transport_and_the_last_part_with_the_conference() {
    let mut told = Told::new(2, 1);
    told.tell(conference(1));
    told.tell(transport(10, 1));
    told.tell(transport(11, 1));
    told.tell(Command::RemoveTransport { transport: 10 });
    assert!(matches!(told.orders[0].last(), Some(Command::RemoveConference { conference: 1 })));
    assert_eq!(told.workers_of(1), [(1, 1)]);
    let removed = Media::RemoveTransport { transport: 10 };
    assert_eq!(told.media_of(1).last(), Some(&&removed));
    told.tell(Command::RemoveTransport { transport: 11 });
    assert_eq!(told.workers_of(1), [(1, 0)]);
    told.tell(transport(12, 1));
    assert_eq!(told.workers_of(1), [(1, 1)]);
    told.tell(transport(13, 1));
    let removed = told.tell(Command::RemoveConference { conference: 1 });
    assert_eq!(removed.iter().filter(|worker| **worker == 1).count(), 2); // a transport is gone
    for orders in &told.orders {
        assert!(matches!(orders.last(), Some(Command::RemoveConference { conference: 1 })));
    }
}

#[test]
fn busy_workers_get_nobody_while_there_are_others() {
    let mut told = Told::new(2, PART);
    told.tell(conference(1));
    told.tell(transport(10, 1));
    told.busy = vec![BUSY, 0];
    told.tell(transport(11, 1));
    assert_eq!(told.workers_of(1), [(0, 1), (1, 1)]);
    told.tell(transport(12, 1));
    told.tell(transport(13, 1));
    assert_eq!(told.workers_of(1), [(0, 1), (1, 3)]);
    assert_eq!(told.tell(conference(3)), [1]); // though more people are there
    told.busy = vec![BUSY, BUSY];
    told.tell(transport(14, 1));
    assert_eq!(told.workers_of(1), [(0, 2), (1, 3)]);
    // One that was put on a worker stays there.
    told.tell_on(Some(0), conference(2));
    told.tell(transport(20, 2));
    told.busy = vec![BUSY, 0];
    told.tell(transport(21, 2));
    assert_eq!(told.workers_of(2), [(0, 2)]);
}

/// Conference 1 with two on the first of three workers; the third one comes to another.
fn two_on_the_first() -> Told {
    let mut told = Told::new(3, 2);
    told.tell(conference(1));
    told.tell(transport(10, 1));
    told.tell(transport(11, 1));
    told
}

#[test]
fn who_could_not_be_told_is_told_again_and_nothing_moves_meanwhile() {
    let mut whole = two_on_the_first();
    let orders = whole.tell(transport(12, 1));
    assert_eq!(whole.workers_of(1), [(0, 2), (1, 1)]);
    for room in 0..orders.len() {
        let mut told = two_on_the_first();
        let (_, result) = told.try_on(None, transport(12, 1), room);
        assert_eq!(result, Err(Rejected::Full));
        // Somebody else looks idler when it is tried again, and a second time nobody does.
        for busy in [[0, BUSY, 0], [BUSY, BUSY, BUSY]] {
            told.busy = busy.to_vec();
            let _ = told.try_on(None, transport(12, 1), room);
        }
        told.tell(transport(12, 1));
        let workers: Vec<_> = told.workers_of(1).iter().map(|(worker, _)| *worker).collect();
        assert_eq!(workers.len(), 2);
        let chosen = workers[1];
        // It is on one worker only, and a mirror of that one on the other.
        for worker in 0..3 {
            let added = told.orders[worker]
                .iter()
                .any(|order| matches!(order, Command::AddTransport { transport: 12, .. }));
            assert_eq!(added, worker == chosen, "{room} {worker}");
        }
        let number = u8::try_from(chosen).unwrap();
        let mirrored = told.media_of(0).into_iter().filter_map(|media| match media {
            Media::AddMirror { transport: 12, worker, .. } => Some(*worker),
            _ => None,
        });
        assert!(mirrored.into_iter().all(|worker| worker == number));
        assert_eq!(told.placement.load.iter().sum::<usize>(), 3);
    }
}

#[test]
fn a_part_that_nobody_came_to_ends() {
    let mut told = Told::new(2, PART);
    told.tell(conference(1));
    told.busy = vec![BUSY, 0];
    // The first of all comes to another worker than the conference began on.
    told.tell(transport(10, 1));
    assert_eq!(told.workers_of(1), [(1, 1)]);
    assert!(matches!(told.orders[0].last(), Some(Command::RemoveConference { conference: 1 })));
    assert!(matches!(
        told.orders[1].last(),
        Some(Command::Part { conference: 1, worker: 0, there: false })
    ));
    // One that could not be told of its end goes on, and ends with the next occasion.
    let mut told = Told::new(2, 1);
    told.tell(conference(1));
    told.tell(transport(10, 1));
    told.tell(transport(11, 1));
    let remove = || Command::RemoveTransport { transport: 10 };
    let orders = [1, 1, 0]; // its mirror, where it was, itself
    let (workers, result) = told.try_on(None, remove(), orders.len());
    assert_eq!((workers, result), (orders.to_vec(), Ok(())));
    assert_eq!(told.workers_of(1), [(0, 0), (1, 1)]);
    told.tell(transport(12, 1));
    assert_eq!(told.workers_of(1), [(0, 1), (1, 1)]);
    told.try_on(None, Command::RemoveTransport { transport: 12 }, orders.len()).1.unwrap();
    told.tell(transport(11, 1));
    assert_eq!(told.workers_of(1), [(1, 1)]);
}
