use super::*;
use crate::media::Concerns;

fn path(port: u16) -> Path {
    Path { socket: 0, remote: ([127, 0, 0, 1], port).into() }
}

fn from(port: u16) -> What {
    What::Datagram(path(port))
}

fn two() -> [Handover; 2] {
    let shared = || Arc::new(Shared::for_tests());
    connect(&[shared(), shared()]).try_into().ok().unwrap()
}

fn read(handover: &mut Handover) -> Vec<(What, Vec<u8>)> {
    let mut all = Vec::new();
    while let Some(mut parcel) = handover.take() {
        all.extend(parcel.pieces().map(|(what, data)| (what, data.to_vec())));
        handover.give_back(parcel);
    }
    all
}

#[test]
fn what_is_handed_over_arrives_in_order() {
    let [mut first, mut second] = two();
    let expected: Vec<_> = (0..300u16)
        .map(|number| (from(number), vec![number as u8; usize::from(number) * 4]))
        .collect();
    for (what, data) in &expected {
        first.hand_over(1, *what, data);
    }
    assert_eq!(read(&mut second).len(), 300 / PARCEL * PARCEL); // the last is not full yet
    first.flush();
    assert_eq!(read(&mut second).len(), 300 % PARCEL);
    for (what, data) in &expected {
        first.hand_over(1, *what, data);
    }
    first.flush();
    assert_eq!(read(&mut second), expected);
    assert_eq!((first.handed_over, first.dropped), (600, 0));
}

#[test]
fn nobody_waits_for_a_worker_that_does_not_read() {
    let [mut first, second] = two();
    for _ in 0..2 * QUEUE * PARCEL {
        first.hand_over(1, from(1), b"data");
    }
    first.flush();
    assert_eq!(first.dropped, (QUEUE * PARCEL) as u64);
    drop(second);
    first.hand_over(1, from(1), b"data");
    first.flush();
    assert_eq!(first.dropped, (QUEUE * PARCEL + 1) as u64);
    assert!(first.pool.len() <= POOL);
}

#[test]
fn parcels_come_home() {
    let [mut first, mut second] = two();
    for _ in 0..10_000 {
        first.hand_over(1, from(1), b"data");
        first.flush();
        read(&mut second);
        let parcel = first.returned.try_recv().unwrap();
        assert!(parcel.octets.is_empty() && first.returned.try_recv().is_err());
        keep(&mut first.pool, parcel);
        assert_eq!(first.pool.len(), 1);
    }
}

#[test]
fn parcels_that_come_home_take_no_room_from_datagrams() {
    let [mut first, mut second] = two();
    for _ in 0..2 * QUEUE {
        for _ in 0..2 * PARCEL {
            first.hand_over(1, from(1), b"data");
        }
        first.flush();
        read(&mut second);
    }
    // The first one has had no reason to look into its queue so far.
    second.hand_over(0, from(2), b"data");
    second.flush();
    assert_eq!(read(&mut first).len(), 1);
    assert_eq!((first.dropped, second.dropped), (0, 0));
}

#[test]
fn what_mirrors_ask_for_arrives_in_order_and_is_not_lost() {
    let [mut first, mut second] = two();
    first.parts.note(9, 1, true);
    for source in 0..3 * QUEUE as u32 {
        second.ask(0, Ask::Packets { source });
        second.ask(0, Ask::NoPackets { source });
    }
    second.ask(0, Ask::Packets { source: 5 });
    second.ask(0, Ask::Keyframe { source: 5 });
    second.flush();
    while second.is_behind() {
        assert!(first.take().is_none());
        second.flush();
    }
    assert!(first.take().is_none());
    assert_eq!((first.keyframe(), first.keyframe()), (Some(5), None));
    let concerned = |first: &Handover, source| {
        first.parts.concerned(9, Concerns::WhoAsked(source)).collect::<Vec<_>>()
    };
    assert_eq!((concerned(&first, 5), concerned(&first, 6)), (vec![1], vec![]));
}

#[test]
fn packets_of_other_parts_are_not_in_the_way_of_datagrams() {
    let [mut first, mut second] = two();
    let packet = What::Rtp { transport: 7 };
    for _ in 0..2 * PACKETS * PARCEL {
        first.hand_over(1, packet, b"media");
    }
    first.hand_over(1, from(1), b"check");
    first.flush();
    assert_eq!(first.dropped, (PACKETS * PARCEL) as u64);
    let read = read(&mut second);
    assert_eq!(read.first(), Some(&(from(1), b"check".to_vec())));
    assert_eq!(read.len(), PACKETS * PARCEL + 1);
    assert!(read.iter().skip(1).all(|(what, _)| *what == packet));
}

#[test]
fn paths_are_never_lost_and_belong_to_the_latest() {
    let [mut first, mut second] = two();
    for port in 0..3 * QUEUE as u16 {
        first.tell(path(port), true);
    }
    first.flush();
    assert!(first.is_behind());
    while first.is_behind() {
        assert!(second.take().is_none());
        first.flush();
    }
    assert!(second.take().is_none());
    assert!((0..3 * QUEUE as u16).all(|port| second.by_path(&path(port)) == Some(0)));
    first.tell(path(5), false);
    first.flush();
    assert!(second.take().is_none());
    assert_eq!(second.by_path(&path(5)), None);
    assert_eq!(second.by_path(&path(6)), Some(0));
}

#[test]
fn transports_elsewhere_are_found_until_they_are_gone() {
    let [mut first, _] = two();
    first.elsewhere(7, b"frag".to_vec(), 1);
    assert_eq!((first.by_ufrag(b"frag"), first.by_transport(7)), (Some(1), Some(1)));
    first.elsewhere(7, b"next".to_vec(), 1);
    assert_eq!((first.by_ufrag(b"frag"), first.by_ufrag(b"next")), (Some(1), Some(1)));
    for _ in 0..2 * UFRAGS {
        first.elsewhere(7, b"next".to_vec(), 1); // told again, as its worker's queue was full
    }
    assert_eq!(first.by_ufrag(b"frag"), Some(1));
    first.gone(7);
    assert_eq!((first.by_ufrag(b"frag"), first.by_transport(7)), (None, None));
    for restart in 0..100u8 {
        first.elsewhere(7, vec![restart], 1);
    }
    assert_eq!(first.ufrags.len(), UFRAGS);
    assert_eq!(first.by_ufrag(&[99]), Some(1));
}
