//! A full ICE agent for one transport of one component (RFC 8445, RFC 7675), sans-I/O.
//!
//! It checks signalled candidates and every address that an authenticated check came from,
//! nominates the first good pair when it controls (regular nomination), follows the latest
//! nomination when it does not, and keeps asking for consent where it sends.  Nothing is
//! answered, and nothing remembered, before MESSAGE-INTEGRITY has been verified.

mod messages;
mod pair;
#[cfg(test)]
mod tests;
mod timing;

use std::net::SocketAddr;

use crate::crypto::HmacSha1;
use crate::stun::{Class, Message, TransactionId, Writer};

use pair::{host_priority, peer_reflexive_priority, sendable, Check, Pair, State};

/// Nanoseconds of a monotonic clock.
pub type Time = u64;

const MS: Time = 1_000_000;

/// Pairs of one agent (RFC 8445, 6.1.2.5); more are not formed.
pub const MAX_PAIRS: usize = 100;

/// Between two new ordinary checks (Ta; RFC 8445, 14.2).
const PACE: Time = 20 * MS;
const FIRST_RTO: Time = 100 * MS;
/// Not the seconds of RFC 8489: a caller waits, and half of the packets may be getting lost.
const LAST_RTO: Time = 400 * MS;
const MAX_TRIES: u32 = 14;

/// No pair by then is failure.
const CONNECT_TIMEOUT: Time = 15_000 * MS;

/// Consent is asked for every 4 to 6 s, then every 500 ms until an answer (RFC 7675, 5.1).
const CONSENT_INTERVAL: Time = 5_000 * MS;
const CONSENT_RETRY: Time = 500 * MS;
const CONSENT_TIMEOUT: Time = 15_000 * MS;
/// Other credentials give the peer time to learn of them; but who answers none of several
/// restarts has consented to nothing for longer than RFC 7675, 5.1 allows.
const CONSENT_LIMIT: Time = 30_000 * MS;
/// That many unanswered checks make a pair the peer still uses look better.
const SUSPECT_TRIES: u32 = 4;
const RECENT: Time = 5_000 * MS;

/// A pair with a relayed candidate waits that long for a better one.
const RELAYED_WAIT: Time = 800 * MS;

/// What neither sends nor answers for that long is forgotten.
const IDLE_PAIR: Time = 30_000 * MS;

/// A socket of ours and an address of the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    pub socket: u8,
    pub remote: SocketAddr,
}

/// A candidate that the peer has signalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub address: SocketAddr,
    pub priority: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The first pair over which the peer has answered.
    Valid {
        path: Path,
        rtt: Time,
    },
    Selected {
        path: Path,
        relayed: bool,
    },
    Failed,
    /// From now on what comes over the path is the peer's.
    PathOpened(Path),
    PathClosed(Path),
}

pub trait Output {
    fn send(&mut self, path: Path, datagram: &[u8]);
    fn event(&mut self, event: Event);
}

/// What became of a STUN message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Answered,
    Conflict,
    Confirmed,
    Unauthentic,
    /// A response to nothing that is under way, or over another path than its request.
    Unexpected,
    /// Authentic, but malformed for its purpose.
    Malformed,
}

/// SplitMix64: spreads one random seed over transaction ids and timers.
pub struct Random(pub u64);

impl Random {
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

struct Credentials {
    ufrag: Vec<u8>,
    pwd: Vec<u8>,
    key: HmacSha1,
}

pub struct Agent {
    tag: u32,
    ufrag: Vec<u8>,
    key: HmacSha1,
    remote: Option<Credentials>,
    controlling: bool,
    tie_breaker: u64,
    random: Random,
    pairs: Vec<Pair>,
    selected: Option<Path>,
    /// Whether `selected` was nominated under the present remote credentials.
    settled: bool,
    nominating: Option<Path>,
    announced: bool,
    failed: bool,
    deadline: Time,
    first_valid: Time,
    next_start: Time,
    next: Option<Time>,
    round_trip: Option<Time>,
    round_trip_is_new: bool,
}

impl Agent {
    /// `tag` becomes the first four octets of each transaction id, so that a response can be
    /// brought to its agent.
    pub fn new(tag: u32, ufrag: &[u8], pwd: &[u8], controlling: bool, seed: u64) -> Self {
        let mut random = Random(seed);
        Self {
            tag,
            ufrag: ufrag.to_vec(),
            key: HmacSha1::new(pwd),
            remote: None,
            controlling,
            tie_breaker: random.draw(),
            random,
            pairs: Vec::new(),
            selected: None,
            settled: false,
            nominating: None,
            announced: false,
            failed: false,
            deadline: 0,
            first_valid: 0,
            next_start: 0,
            next: None,
            round_trip: None,
            round_trip_is_new: false,
        }
    }

    /// The last measured time of a check and its answer.
    pub fn round_trip(&self) -> Option<Time> {
        self.round_trip
    }

    /// The same, once for each measurement.
    pub fn take_round_trip(&mut self) -> Option<Time> {
        self.round_trip.filter(|_| std::mem::take(&mut self.round_trip_is_new))
    }

    pub fn ufrag(&self) -> &[u8] {
        &self.ufrag
    }

    /// The transport's tag in a transaction id.
    pub fn tag_of(transaction: &TransactionId) -> u32 {
        let [a, b, c, d, ..] = *transaction;
        u32::from_be_bytes([a, b, c, d])
    }

    /// Where to send: the selected pair, or the best valid one before there is one.
    pub fn destination(&self) -> Option<Path> {
        self.selected.or_else(|| {
            let open = self.pairs.iter().filter(|pair| pair.open);
            open.max_by_key(|pair| (!pair.relayed, self.priority(pair))).map(|pair| pair.path)
        })
    }

    /// The paths over which the peer's packets are accepted.
    pub fn paths(&self) -> impl Iterator<Item = Path> + '_ {
        self.pairs.iter().filter(|pair| pair.open).map(|pair| pair.path)
    }

    /// Take the peer's credentials and candidates; other credentials restart the checks, and
    /// the selected pair carries on until a new nomination.
    ///
    /// `sockets` are our own by number; a candidate is paired with each of its family.
    pub fn set_remote(
        &mut self,
        now: Time,
        ufrag: &[u8],
        pwd: &[u8],
        candidates: &[Candidate],
        sockets: &[(u8, SocketAddr)],
        out: &mut impl Output,
    ) {
        let known = self.remote.as_ref().is_some_and(|old| old.ufrag == ufrag && old.pwd == pwd);
        if !known {
            let key = HmacSha1::new(pwd);
            self.remote = Some(Credentials { ufrag: ufrag.to_vec(), pwd: pwd.to_vec(), key });
            self.deadline = now.saturating_add(CONNECT_TIMEOUT);
            self.failed = false;
            self.settled = false;
            self.nominating = None;
            for pair in &mut self.pairs {
                pair.state = State::Waiting;
                pair.check = None;
                pair.wanted = false;
                // The clock of consent starts again under the new credentials.
                pair.last_answer = now;
            }
        }
        for candidate in candidates {
            for &(index, local) in sockets {
                if local.is_ipv4() == candidate.address.is_ipv4() && sendable(candidate.address) {
                    let path = Path { socket: index, remote: candidate.address };
                    // Type preference 0 is relayed (RFC 8445, 5.1.2.2).
                    let relayed = candidate.priority >> 24 == 0;
                    self.add_pair(now, path, candidate.priority, relayed);
                }
            }
        }
        self.advance(now, out);
    }

    fn pair(&self, path: Path) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.path == path)
    }

    fn pair_mut(&mut self, path: Path) -> Option<&mut Pair> {
        self.pairs.iter_mut().find(|pair| pair.path == path)
    }

    /// RFC 8445, 6.1.2.3.
    fn priority(&self, pair: &Pair) -> u64 {
        let local = u64::from(host_priority(pair.path.socket));
        let remote = u64::from(pair.remote_priority);
        let (g, d) = if self.controlling { (local, remote) } else { (remote, local) };
        (g.min(d) << 32) | (g.max(d) << 1).min(0xffff_fffe) | u64::from(g > d)
    }

    fn add_pair(&mut self, now: Time, path: Path, remote_priority: u32, relayed: bool) -> bool {
        if let Some(pair) = self.pair_mut(path) {
            pair.relayed = relayed;
            return true;
        }
        if self.pairs.len() >= MAX_PAIRS {
            let useless =
                self.pairs.iter().position(|pair| !pair.open && pair.state == State::Failed);
            match useless {
                Some(index) => _ = self.pairs.swap_remove(index),
                None => return false,
            }
        }
        self.pairs.push(Pair {
            path,
            remote_priority,
            relayed,
            state: State::Waiting,
            open: false,
            wanted: false,
            check: None,
            failures: 0,
            last_answer: 0,
            proven: 0,
            last_request: now,
            next_consent: 0,
        });
        true
    }

    fn select(&mut self, now: Time, path: Path, out: &mut impl Output) {
        let changed = self.selected != Some(path) || !self.settled;
        self.selected = Some(path);
        self.settled = true;
        self.failed = false;
        self.nominating = None;
        for pair in &mut self.pairs {
            pair.wanted = false;
            if pair.path != path && pair.check.as_ref().is_some_and(|check| check.consent) {
                pair.check = None;
            }
        }
        // Many peers nominate again with each check: that must not put off asking for consent.
        if !changed {
            return;
        }
        let random = &mut self.random;
        let Some(pair) = self.pairs.iter_mut().find(|pair| pair.path == path) else {
            return;
        };
        pair.next_consent = now.saturating_add(consent_interval(random));
        out.event(Event::Selected { path, relayed: pair.relayed });
    }

    fn fail_pair(&mut self, path: Path, out: &mut impl Output) {
        let Some(pair) = self.pair_mut(path) else {
            return;
        };
        pair.state = State::Failed;
        pair.check = None;
        if std::mem::take(&mut pair.open) {
            out.event(Event::PathClosed(path));
        }
        if self.nominating == Some(path) {
            self.nominating = None;
        }
        if self.selected == Some(path) {
            self.selected = None;
            self.settled = false;
        }
    }

    fn start_check(
        &mut self,
        now: Time,
        path: Path,
        nominate: bool,
        consent: bool,
        out: &mut impl Output,
    ) {
        let mut transaction = [0; 12];
        transaction[..4].copy_from_slice(&self.tag.to_be_bytes());
        transaction[4..].copy_from_slice(&self.random.draw().to_be_bytes());
        let controlling = self.controlling;
        let Some(pair) = self.pair_mut(path) else {
            return;
        };
        let rto = if consent { CONSENT_RETRY } else { FIRST_RTO };
        pair.check = Some(Check {
            transaction,
            sent: now,
            next: now.saturating_add(rto),
            rto,
            tries: 1,
            nominate,
            consent,
            controlling,
        });
        if pair.state == State::Waiting {
            pair.state = State::InProgress;
        }
        self.send_check(path, out);
    }

    fn send_check(&self, path: Path, out: &mut impl Output) {
        let Some(remote) = &self.remote else { return };
        let Some(check) = self.pair(path).and_then(|pair| pair.check.as_ref()) else {
            return;
        };
        let mut writer = Writer::new(Class::Request, check.transaction)
            .username(&remote.ufrag, &self.ufrag)
            .priority(peer_reflexive_priority(path.socket))
            .role(check.controlling, self.tie_breaker);
        if check.nominate {
            writer = writer.use_candidate();
        }
        out.send(path, writer.finish(&remote.key));
    }
}

fn consent_interval(random: &mut Random) -> Time {
    CONSENT_INTERVAL / 5 * 4 + random.draw() % (CONSENT_INTERVAL / 5 * 2)
}
