//! What the transport half of the engine counts.

use crate::socket::Flushed;
use crate::srtp::Refused;

macro_rules! counters {
    ($($(#[$doc:meta])* $field:ident,)*) => {
        /// Counters of the transport half since the start.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counters { $($(#[$doc])* pub $field: u64,)* }

        impl Counters {
            /// Every counter with its name.
            pub fn pairs(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($field), self.$field),)*].into_iter()
            }
        }
    };
}

counters! {
    packets_received,
    packets_sent,
    bytes_received,
    bytes_sent,
    receive_calls,
    send_calls,
    packets_segmented,
    dropped_unclassified,
    dropped_stun_malformed,
    dropped_stun_unknown_ufrag,
    dropped_stun_unauthentic,
    dropped_stun_unexpected,
    dropped_unknown_address,
    dropped_dtls_rate,
    dropped_no_keys,
    dropped_stale,
    /// Pictures' packets that waited in a backlog, and those that found it full.
    waited,
    dropped_backlog,
    dropped_srtp_malformed,
    dropped_srtp_replayed,
    dropped_srtp_old,
    dropped_srtp_unauthentic,
    dropped_srtp_exhausted,
    dropped_no_destination,
    dropped_too_long,
    dropped_send_full,
    dropped_send_refused,
    stun_requests,
    stun_responses,
    stun_role_conflicts,
    stun_sent,
    dtls_received,
    dtls_sent,
    receive_errors,
    handed_over,
    /// Copies of decrypted packets for receivers in other parts of their conference.
    mirrored,
    dropped_handover,
    dropped_receive_full,
    transports,
    worker_cpu_ns,
    /// Of the same threads: time that they waited for a processor, and others had it.
    worker_wait_ns,
    receive_ns,
    stun_ns,
    decrypt_ns,
    media_ns,
    encrypt_ns,
    send_ns,
}

impl Counters {
    pub fn refused(&mut self, why: Refused) {
        let counter = match why {
            Refused::Malformed => &mut self.dropped_srtp_malformed,
            Refused::Replayed => &mut self.dropped_srtp_replayed,
            Refused::TooOld => &mut self.dropped_srtp_old,
            Refused::Unauthentic => &mut self.dropped_srtp_unauthentic,
            Refused::Exhausted => &mut self.dropped_srtp_exhausted,
        };
        *counter += 1;
    }

    pub fn flushed(&mut self, flushed: Flushed) {
        self.packets_sent += flushed.packets;
        self.bytes_sent += flushed.bytes;
        self.dropped_send_full += flushed.full;
        self.dropped_send_refused += flushed.refused;
        self.packets_segmented += flushed.segmented;
        self.send_calls += flushed.calls;
    }
}
