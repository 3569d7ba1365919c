//! The transports of a worker, found by id, by address, and by user fragment.

use std::collections::HashMap;
use std::ops::Range;

use crate::ice::{Agent, Path};
use crate::id_map::IdMap;
use crate::media::Time;
use crate::socket::Lane;
use crate::srtp::{Receiver, Sender};

/// DTLS datagrams that one transport may have handed up: a burst, then so many a second.
const DTLS_BURST: u64 = 256;
const DTLS_INTERVAL: Time = 2_000_000;
/// Media datagrams that are kept until there are keys: the peer has them a little earlier.
const MAX_EARLY: usize = 64;

pub struct Transport {
    pub conference: u32,
    pub agent: Agent,
    sockets: Range<usize>,
    /// `agent.destination()`, kept here for the packet path.
    pub destination: Option<Path>,
    pub lane: Lane,
    pub sender: Option<Box<Sender>>,
    pub receiver: Option<Box<Receiver>>,
    pub srtp_active: bool,
    pub early: Vec<(Path, Vec<u8>)>,
    pub packets_received: u64,
    pub bytes_received: u64,
    pub packets_sent: u64,
    pub bytes_sent: u64,
    /// Of the last authenticated packet or consent answer.
    pub last_activity: Option<Time>,
    /// When the bucket of DTLS datagrams was last empty, so to speak.
    dtls_level: Time,
}

impl Transport {
    /// `sockets` are the numbers of those it sends checks from.
    pub fn new(conference: u32, agent: Agent, sockets: Range<usize>) -> Self {
        Self {
            conference,
            agent,
            sockets,
            destination: None,
            lane: Lane::default(),
            sender: None,
            receiver: None,
            srtp_active: false,
            early: Vec::new(),
            packets_received: 0,
            bytes_received: 0,
            packets_sent: 0,
            bytes_sent: 0,
            last_activity: None,
            dtls_level: 0,
        }
    }

    pub fn uses(&self, socket: u8) -> bool {
        self.sockets.contains(&usize::from(socket))
    }

    /// Keep a media datagram for when there are keys; false if there are too many.
    pub fn keep_early(&mut self, path: Path, datagram: &[u8]) -> bool {
        let room = self.early.len() < MAX_EARLY;
        if room {
            self.early.push((path, datagram.to_vec()));
        }
        room
    }

    /// Whether one more DTLS datagram may be handed up.
    pub fn admit_dtls(&mut self, now: Time) -> bool {
        let level = self.dtls_level.max(now.saturating_sub(DTLS_BURST * DTLS_INTERVAL));
        let admitted = level.saturating_add(DTLS_INTERVAL) <= now;
        self.dtls_level = if admitted { level.saturating_add(DTLS_INTERVAL) } else { level };
        admitted
    }
}

#[derive(Default)]
pub struct Transports {
    by_id: IdMap<Transport>,
    by_path: HashMap<Path, u32>,
    by_ufrag: HashMap<Vec<u8>, u32>,
}

impl Transports {
    /// Add a transport; false if the id or the user fragment is in use.
    pub fn add(&mut self, id: u32, transport: Transport) -> bool {
        let ufrag = transport.agent.ufrag().to_vec();
        if self.by_id.contains_key(&id) || self.by_ufrag.contains_key(&ufrag) {
            return false;
        }
        self.by_ufrag.insert(ufrag, id);
        self.by_id.insert(id, transport);
        true
    }

    pub fn remove(&mut self, id: u32) {
        if let Some(transport) = self.by_id.remove(&id) {
            self.by_ufrag.remove(transport.agent.ufrag());
            for path in transport.agent.paths() {
                self.close(path, id);
            }
        }
    }

    pub fn of_conference(&self, conference: u32) -> Vec<u32> {
        let members = self.by_id.iter().filter(|(_, member)| member.conference == conference);
        members.map(|(id, _)| *id).collect()
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (u32, &Transport)> {
        self.by_id.iter().map(|(id, transport)| (*id, transport))
    }

    pub fn get_mut(&mut self, id: u32) -> Option<&mut Transport> {
        self.by_id.get_mut(&id)
    }

    /// The transport whose peer has answered a check over `path`.
    pub fn by_path(&self, path: &Path) -> Option<u32> {
        self.by_path.get(path).copied()
    }

    pub fn by_ufrag(&self, ufrag: &[u8]) -> Option<u32> {
        self.by_ufrag.get(ufrag).copied()
    }

    /// Packets over `path` are now `id`'s; of two transports the later one has it.
    pub fn open(&mut self, path: Path, id: u32) {
        self.by_path.insert(path, id);
    }

    pub fn close(&mut self, path: Path, id: u32) {
        if self.by_path.get(&path) == Some(&id) {
            self.by_path.remove(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transport(ufrag: &[u8]) -> Transport {
        Transport::new(1, Agent::new(0, ufrag, b"pwd", true, 1), 0..1)
    }

    #[test]
    fn a_user_fragment_belongs_to_one() {
        let mut transports = Transports::default();
        assert!(transports.add(1, transport(b"a")));
        assert!(!transports.add(2, transport(b"a")));
        assert!(!transports.add(1, transport(b"b")));
        transports.remove(1);
        assert!(transports.add(2, transport(b"a")));
        assert_eq!(transports.by_ufrag(b"a"), Some(2));
        assert_eq!(transports.of_conference(1), [2]);
    }

    #[test]
    fn a_path_belongs_to_the_latest() {
        let mut transports = Transports::default();
        let path = Path { socket: 0, remote: "192.0.2.1:5".parse().unwrap() };
        transports.open(path, 1);
        transports.open(path, 2);
        transports.close(path, 1);
        assert_eq!(transports.by_path(&path), Some(2));
        transports.close(path, 2);
        assert_eq!(transports.by_path(&path), None);
    }

    #[test]
    fn dtls_has_a_burst_and_a_rate() {
        let mut transport = transport(b"a");
        let now = 1_000_000_000_000;
        let admitted = (0..10_000).filter(|_| transport.admit_dtls(now)).count();
        assert_eq!(admitted, 256);
        let later = now + 1_000_000_000;
        let admitted = (0..10_000).filter(|_| transport.admit_dtls(later)).count();
        assert_eq!(admitted, 256);
        let rate = (1..=5_000u64).filter(|step| transport.admit_dtls(later + step * 1_000_000));
        assert_eq!(rate.count(), 2_500);
    }
}
