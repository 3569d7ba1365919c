use std::sync::mpsc::sync_channel;
use std::sync::Arc;

use super::*;
use crate::engine::Shared;
use crate::handover::{connect, PACKETS};

#[test]
fn more_packets_than_can_be_sent_on_do_not_keep_a_worker_from_all_else() {
    let shared = [Arc::new(Shared::for_tests()), Arc::new(Shared::for_tests())];
    let mut handovers = connect(&shared).into_iter();
    let (Some(mut other), Some(own)) = (handovers.next(), handovers.next()) else {
        panic!("two workers");
    };
    let (_commands, queue) = sync_channel(1);
    let mut worker = Worker::new(Vec::new(), Arc::clone(&shared[1]), queue, own, 0, 1);
    let mut fill = || {
        for _ in 0..PACKETS {
            other.hand_over(1, What::Rtp { transport: 0 }, b"media");
            other.flush();
        }
    };
    fill();
    shared[1].hush_commands();
    worker.take_parcels(0);
    // It is told to come back, and others fill its queue meanwhile.
    assert!(shared[1].is_rung());
    fill();
    worker.take_parcels(0);
    let dropped = worker.media.stats().dropped_unknown_transport;
    assert_eq!(dropped, 2 * PARCELS_A_TURN as u64);
    assert_eq!(other.dropped, (PACKETS - PARCELS_A_TURN) as u64);
    while worker.handover.take_packets().is_some() {}
    shared[1].hush_commands();
    worker.take_parcels(0);
    assert!(!shared[1].is_rung());
}
