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

/// So long the agent from before a restart is kept: packets of the peer are still on their way
/// over its paths.
const FORMER: Time = 3_000_000_000;

/// Which of a transport's agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// Its pair is sent over.
    Current,
    /// Of a restart that is under way.
    Next,
    /// Of before a restart.
    Former,
}

pub struct Transport {
    pub conference: u32,
    pub agent: Agent,
    next: Option<Agent>,
    former: Option<(Agent, Time)>,
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
            next: None,
            former: None,
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

    pub fn agent_of(&mut self, era: Era) -> Option<&mut Agent> {
        match era {
            Era::Current => Some(&mut self.agent),
            Era::Next => self.next.as_mut(),
            Era::Former => self.former.as_mut().map(|(agent, _)| agent),
        }
    }

    fn agents(&self) -> impl Iterator<Item = &Agent> {
        let former = self.former.as_ref().map(|(agent, _)| agent);
        [Some(&self.agent), self.next.as_ref(), former].into_iter().flatten()
    }

    /// The agent whose requests are addressed to a user fragment.
    pub fn era_of(&self, ufrag: &[u8]) -> Era {
        if self.next.as_ref().is_some_and(|agent| agent.ufrag() == ufrag) {
            Era::Next
        } else if self.former.as_ref().is_some_and(|(agent, _)| agent.ufrag() == ufrag) {
            Era::Former
        } else {
            Era::Current
        }
    }

    /// Whether a path is open in any of its agents.
    fn has_open(&self, path: Path) -> bool {
        self.agents().any(|agent| agent.paths().any(|open| open == path))
    }

    pub fn next_timeout(&self) -> Option<Time> {
        let timers = self.agents().filter_map(Agent::next_timeout);
        timers.chain(self.former.as_ref().map(|(_, end)| *end)).min()
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
    /// For whoever has to be told.
    changed: Vec<(Path, bool)>,
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
            for agent in transport.agents() {
                self.forget(agent, id);
            }
        }
    }

    /// Begin a restart of ICE with an agent of other credentials; a former one is given up.
    pub fn restart(&mut self, id: u32, agent: Agent) {
        if self.by_ufrag.contains_key(agent.ufrag()) {
            return;
        }
        let Some(transport) = self.by_id.get_mut(&id) else {
            return;
        };
        self.by_ufrag.insert(agent.ufrag().to_vec(), id);
        if let Some(given_up) = transport.next.replace(agent) {
            self.forget(&given_up, id);
        }
    }

    /// The agent of a restart has found its pair, and is the current one from now on.
    pub fn take_over(&mut self, now: Time, id: u32) {
        if self.by_id.get(&id).is_none_or(|transport| transport.next.is_none()) {
            return;
        }
        self.end_former(id);
        if let Some(transport) = self.by_id.get_mut(&id) {
            if let Some(next) = transport.next.take() {
                let former = std::mem::replace(&mut transport.agent, next);
                transport.former = Some((former, now.saturating_add(FORMER)));
                transport.destination = transport.agent.destination();
            }
        }
    }

    /// A restart came to nothing: what there was goes on.
    pub fn give_up(&mut self, id: u32) {
        if let Some(agent) = self.by_id.get_mut(&id).and_then(|transport| transport.next.take()) {
            self.forget(&agent, id);
        }
    }

    /// Let go of the agent from before a restart, if its time has come.
    pub fn retire(&mut self, now: Time, id: u32) {
        let former = self.by_id.get(&id).and_then(|transport| transport.former.as_ref());
        if former.is_some_and(|(_, end)| *end <= now) {
            self.end_former(id);
        }
    }

    fn end_former(&mut self, id: u32) {
        let former = self.by_id.get_mut(&id).and_then(|transport| transport.former.take());
        if let Some((agent, _)) = former {
            self.forget(&agent, id);
        }
    }

    fn forget(&mut self, agent: &Agent, id: u32) {
        self.by_ufrag.remove(agent.ufrag());
        for path in agent.paths() {
            self.close(path, id);
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
        if self.by_path.insert(path, id).is_none() {
            self.changed.push((path, true));
        }
    }

    /// Paths that were opened, and those closed (false), since the last call.
    pub fn changed(&mut self) -> impl Iterator<Item = (Path, bool)> + '_ {
        self.changed.drain(..)
    }

    /// An agent of `id` has closed a path; another of its agents may have it open.
    pub fn close(&mut self, path: Path, id: u32) {
        let open = self.by_id.get(&id).is_some_and(|transport| transport.has_open(path));
        if !open && self.by_path.get(&path) == Some(&id) {
            self.by_path.remove(&path);
            self.changed.push((path, false));
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
        assert_eq!(transports.changed().collect::<Vec<_>>(), [(path, true), (path, false)]);
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

    /// Whose agent a user fragment reaches, for each of four: of the pair that there was first,
    /// and of three restarts.
    fn eras(transports: &mut Transports) -> String {
        let reached = |one: &[u8]| match transports.by_ufrag(one) {
            None => '-',
            Some(id) => match transports.by_id.get(&id).map(|transport| transport.era_of(one)) {
                Some(Era::Current) => 'c',
                Some(Era::Next) => 'n',
                Some(Era::Former) => 'f',
                None => '?',
            },
        };
        [b"0", b"1", b"2", b"3"].map(|one| reached(one)).into_iter().collect()
    }

    /// A transport after so many of `r`: a restart was asked for, `t`: it took over.
    fn after(history: &str) -> Transports {
        let mut transports = Transports::default();
        assert!(transports.add(7, transport(b"0")));
        let mut restarts = 0u8;
        for step in history.chars() {
            if step == 't' {
                transports.take_over(NOW, 7);
            } else {
                restarts += 1;
                restart(&mut transports, &[b'0' + restarts]);
            }
        }
        transports
    }

    const NOW: Time = 1_000_000_000;

    fn restart(transports: &mut Transports, ufrag: &[u8]) {
        transports.restart(7, Agent::new(0, ufrag, b"pwd", true, 1));
    }

    /// Restarts of ICE: for each history, what every event makes of it.
    #[test]
    fn every_event_of_a_restart_in_every_state() {
        type Event = fn(&mut Transports);
        let events: [Event; 7] = [
            |transports| restart(transports, b"3"),
            |transports| restart(transports, b"0"), // credentials that are in use
            |transports| transports.take_over(NOW, 7),
            |transports| transports.give_up(7),
            |transports| transports.retire(NOW + FORMER - 1, 7),
            |transports| transports.retire(NOW + FORMER, 7),
            |transports| transports.remove(7),
        ];
        let table = [
            // another, no other, takes over, given up, early, late, the end
            ("", "c---", ["c--n", "c---", "c---", "c---", "c---", "c---", "----"]),
            ("r", "cn--", ["c--n", "cn--", "fc--", "c---", "cn--", "cn--", "----"]),
            ("rt", "fc--", ["fc-n", "fc--", "fc--", "fc--", "fc--", "-c--", "----"]),
            ("rtr", "fcn-", ["fc-n", "fcn-", "-fc-", "fc--", "fcn-", "-cn-", "----"]),
            ("rtrt", "-fc-", ["-fcn", "nfc-", "-fc-", "-fc-", "-fc-", "--c-", "----"]),
        ];
        for (history, before, row) in table {
            assert_eq!(eras(&mut after(history)), before, "{history}");
            for ((event, number), expected) in events.iter().zip(0..).zip(row) {
                let mut transports = after(history);
                event(&mut transports);
                assert_eq!(eras(&mut transports), expected, "{history}, event {number}");
                let known = transports.by_ufrag.len();
                let agents = transports.by_id.get(&7).map_or(0, |one| one.agents().count());
                assert_eq!(known, agents, "no user fragment outlives its agent");
            }
        }
    }
}
