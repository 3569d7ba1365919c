//! What a worker tells of itself: events every turn, figures now and then.

use crate::clock::{thread_time, thread_wait};
use crate::engine::TransportFigures;
use crate::media::Time;

use super::{Worker, MS};

const PUBLISH_INTERVAL: Time = 500 * MS;

impl Worker {
    /// See how much of the time since the last call was used, or waited for.
    fn measure(&mut self, now: Time) {
        let counters = &mut self.outgoing.counters;
        let before = counters.worker_cpu_ns.saturating_add(counters.worker_wait_ns);
        counters.worker_cpu_ns = thread_time();
        counters.worker_wait_ns = thread_wait();
        let used = counters.worker_cpu_ns.saturating_add(counters.worker_wait_ns);
        let since = now.saturating_sub(std::mem::replace(&mut self.published_at, now)).max(1);
        let share = (used.saturating_sub(before).saturating_mul(1000) / since).min(1000) as u32;
        self.busy = (self.busy * 3 + share) / 4;
        self.shared.set_busy(self.busy);
    }

    /// Hand out events every turn, counters every turn, transports' figures twice a second.
    pub(super) fn publish(&mut self, now: Time) {
        self.shared.publish(&mut self.outgoing.events);
        self.hand_over_tapped();
        let due = now >= self.next_publish;
        if due {
            self.next_publish = now.saturating_add(PUBLISH_INTERVAL);
            self.measure(now);
            let read = self.outgoing.sockets.iter().zip(&self.polled).filter(|(_, read)| **read);
            let overflowed = read.filter_map(|(socket, _)| socket.overflowed());
            self.outgoing.counters.dropped_receive_full = overflowed.map(u64::from).sum();
            let mut figures = self.shared.transports();
            for (id, entry) in self.transports.iter() {
                let media = self.media.transport_stats(id).unwrap_or_default();
                figures.insert(
                    id,
                    TransportFigures {
                        packets_received: entry.packets_received,
                        bytes_received: entry.bytes_received,
                        packets_sent: entry.packets_sent,
                        bytes_sent: entry.bytes_sent,
                        rtt: media.rtt.or(entry.agent.round_trip()),
                        fraction_lost_received: media.fraction_lost_received,
                        fraction_lost_sent: media.fraction_lost_sent,
                        last_activity: entry.last_activity,
                    },
                );
            }
        }
        self.outgoing.counters.transports = self.transports.len() as u64;
        self.outgoing.counters.handed_over = self.handover.handed_over;
        self.outgoing.counters.dropped_handover = self.handover.dropped;
        // Somebody who reads right now gets the figures of the turn before.
        if let Ok(mut published) = self.shared.counters.try_lock() {
            *published = (self.outgoing.counters, *self.media.stats());
        }
    }
}
