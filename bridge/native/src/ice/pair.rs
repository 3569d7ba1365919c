//! A pair of a socket of ours and an address of the peer's, and the check that is under way on it.

use std::net::SocketAddr;

use super::{Path, Time, CONSENT_LIMIT, CONSENT_TIMEOUT};
use crate::stun::TransactionId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    InProgress,
    Succeeded,
    Failed,
}

pub(super) struct Check {
    pub transaction: TransactionId,
    pub sent: Time,
    pub next: Time,
    pub rto: Time,
    pub tries: u32,
    pub nominate: bool,
    pub consent: bool,
    pub controlling: bool,
}

pub(super) struct Pair {
    pub path: Path,
    pub remote_priority: u32,
    pub relayed: bool,
    pub state: State,
    /// The peer has answered here and its consent has not run out.
    pub open: bool,
    /// A controlling peer has asked for this pair.
    pub wanted: bool,
    pub check: Option<Check>,
    /// Checks that were given up.
    pub failures: u32,
    /// Or since when one is asked for under the present credentials.
    pub last_answer: Time,
    /// When the peer really answered.
    pub proven: Time,
    pub last_request: Time,
    pub next_consent: Time,
}

impl Pair {
    /// When the peer's consent runs out.
    pub fn consent_end(&self) -> Time {
        let limit = self.proven.saturating_add(CONSENT_LIMIT);
        self.last_answer.saturating_add(CONSENT_TIMEOUT).min(limit)
    }
}

/// Whether checks may go there: one host, not many and not none.
pub(super) fn sendable(address: SocketAddr) -> bool {
    let ip = address.ip();
    let broadcast = SocketAddr::from(([255, 255, 255, 255], address.port())) == address;
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

/// RFC 8445, 5.1.2.1, with the earlier sockets preferred.
pub(super) fn host_priority(socket: u8) -> u32 {
    (126 << 24) | ((65535 - u32::from(socket)) << 8) | 255
}

pub(super) fn peer_reflexive_priority(socket: u8) -> u32 {
    (110 << 24) | ((65535 - u32::from(socket)) << 8) | 255
}
