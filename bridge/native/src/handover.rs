//! Datagrams that the kernel gave to one worker and that are another's.
//!
//! All workers are bound to the same port, and the kernel chooses among them by address and port
//! of the sender, for as long as those stay the same.  Which worker has the sender's conference
//! it cannot know, so each worker knows what the others have, and hands over: parcels of
//! datagrams through bounded queues, one for each worker.  Nobody waits for anybody; what finds a
//! full queue is dropped, as the kernel would.
//!
//! Where a conference has parts on several workers, decrypted packets go the same way from the
//! one that has their sender to those that have receivers, through queues of their own: what is
//! more than a worker can send is media, and may not be in the way of its own people's datagrams.

use std::collections::HashMap;
use std::sync::mpsc::{sync_channel, Receiver, SyncSender, TrySendError};
use std::sync::Arc;

use crate::engine::Shared;
use crate::ice::Path;
use crate::id_map::IdMap;
use crate::media::Ask;
use crate::parts::Parts;

/// Datagrams and octets of one parcel.
const PARCEL: usize = 64;
const PARCEL_OCTETS: usize = 64 * 1024;
/// Messages that may wait for a worker, and parcels of packets.
const QUEUE: usize = 256;
pub const PACKETS: usize = 64;
/// User fragments of one transport: of its pair, and of the restarts of ICE since.
const UFRAGS: usize = 6;
/// Parcels that are kept to be filled again.
const POOL: usize = 16;

/// What one piece of a parcel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// As it came.
    Datagram(Path),
    /// What a transport sent, decrypted.
    Rtp {
        transport: u32,
    },
    Rtcp {
        transport: u32,
    },
}

/// Datagrams and packets one after the other.
pub struct Parcel {
    /// The worker that fills it.
    home: u8,
    octets: Vec<u8>,
    pieces: Vec<(What, usize)>,
}

impl Parcel {
    fn new(home: u8) -> Self {
        Self { home, octets: Vec::with_capacity(PARCEL_OCTETS), pieces: Vec::with_capacity(PARCEL) }
    }

    /// Put a piece in; false if it does not fit.
    fn put(&mut self, what: What, octets: &[u8]) -> bool {
        let fits = self.pieces.len() < PARCEL && self.octets.len() + octets.len() <= PARCEL_OCTETS;
        if fits {
            self.octets.extend_from_slice(octets);
            self.pieces.push((what, octets.len()));
        }
        fits
    }

    /// How many pieces it has.
    pub fn count(&self) -> usize {
        self.pieces.len()
    }

    /// Each as it was put in.
    pub fn pieces(&mut self) -> impl Iterator<Item = (What, &mut [u8])> {
        let mut rest = self.octets.as_mut_slice();
        self.pieces.iter().map(move |&(what, length)| {
            let (octets, tail) = std::mem::take(&mut rest).split_at_mut(length);
            rest = tail;
            (what, octets)
        })
    }

    fn clear(&mut self) {
        self.octets.clear();
        self.pieces.clear();
    }
}

/// What one worker tells another.
pub enum Message {
    Parcel(Parcel),
    Opened { path: Path, worker: u8 },
    Closed { path: Path, worker: u8 },
    Asked { worker: u8, ask: Ask },
}

/// One worker's way to the others.
struct Other {
    queue: SyncSender<Message>,
    packets: SyncSender<Parcel>,
    /// Where its parcels go when they have been read: a way of their own, so that they take no
    /// room from datagrams while it has no reason to look.
    home: SyncSender<Parcel>,
    shared: Arc<Shared>,
    filling: Option<Parcel>,
    filling_packets: Option<Parcel>,
    /// What found the queue full, but for parcels; it may not be lost.
    waiting: Vec<Message>,
    rung: bool,
}

/// What a worker knows of the others, and its queues from and to them.
pub struct Handover {
    number: u8,
    others: Vec<Option<Other>>,
    inbox: Receiver<Message>,
    packets: Receiver<Parcel>,
    /// Parcels of this worker that others have read.
    returned: Receiver<Parcel>,
    /// Those that could not be sent.
    pool: Vec<Parcel>,
    paths: HashMap<Path, u8>,
    ufrags: HashMap<Vec<u8>, u8>,
    transports: IdMap<(u8, Vec<Vec<u8>>)>,
    pub parts: Parts,
    /// Sources here of which another worker wants a keyframe.
    keyframes: Vec<u32>,
    pub dropped: u64,
    pub handed_over: u64,
}

/// Connect as many workers as there are in `shared`, each with all others.
pub fn connect(shared: &[Arc<Shared>]) -> Vec<Handover> {
    let workers = shared.len();
    let (queues, inboxes) = channels(workers, QUEUE);
    let (senders, receivers) = channels(workers, PACKETS);
    // Each of the others may have some.
    let (homes, returns) = channels(workers, POOL.max(2 * workers));
    (0u8..)
        .zip(inboxes.into_iter().zip(receivers).zip(returns))
        .map(|(number, ((inbox, packets), returned))| Handover {
            number,
            others: (0u8..)
                .zip(queues.iter().zip(&senders).zip(&homes).zip(shared))
                .map(|(other, (((queue, packets), home), shared))| {
                    (other != number).then(|| Other {
                        queue: queue.clone(),
                        packets: packets.clone(),
                        home: home.clone(),
                        shared: Arc::clone(shared),
                        filling: None,
                        filling_packets: None,
                        waiting: Vec::new(),
                        rung: false,
                    })
                })
                .collect(),
            inbox,
            packets,
            returned,
            pool: Vec::new(),
            paths: HashMap::new(),
            ufrags: HashMap::new(),
            transports: IdMap::default(),
            parts: Parts::default(),
            keyframes: Vec::new(),
            dropped: 0,
            handed_over: 0,
        })
        .collect()
}

fn channels<T>(count: usize, room: usize) -> (Vec<SyncSender<T>>, Vec<Receiver<T>>) {
    (0..count).map(|_| sync_channel(room)).unzip()
}

impl Handover {
    /// Another worker has a transport, or a further user fragment of one it has.
    pub fn elsewhere(&mut self, transport: u32, ufrag: Vec<u8>, worker: u8) {
        let (_, ufrags) = self.transports.entry(transport).or_insert((worker, Vec::new()));
        if ufrags.contains(&ufrag) {
            return;
        }
        if ufrags.len() >= UFRAGS {
            self.ufrags.remove(&ufrags.remove(0));
        }
        ufrags.push(ufrag.clone());
        self.ufrags.insert(ufrag, worker);
    }

    pub fn gone(&mut self, transport: u32) {
        let ufrags = self.transports.remove(&transport).map(|(_, ufrags)| ufrags);
        for ufrag in ufrags.into_iter().flatten() {
            self.ufrags.remove(&ufrag);
        }
    }

    pub fn by_path(&self, path: &Path) -> Option<u8> {
        self.paths.get(path).copied()
    }

    pub fn by_ufrag(&self, ufrag: &[u8]) -> Option<u8> {
        self.ufrags.get(ufrag).copied()
    }

    pub fn by_transport(&self, transport: u32) -> Option<u8> {
        self.transports.get(&transport).map(|(worker, _)| *worker)
    }

    /// Tell the others that what comes over `path` is this worker's, or no longer.
    pub fn tell(&mut self, path: Path, is_open: bool) {
        let worker = self.number;
        for other in self.others.iter_mut().flatten() {
            other.waiting.push(match is_open {
                true => Message::Opened { path, worker },
                false => Message::Closed { path, worker },
            });
        }
    }

    /// Ask the worker that a mirror is of.
    pub fn ask(&mut self, owner: u8, ask: Ask) {
        let worker = self.number;
        if let Some(Some(other)) = self.others.get_mut(usize::from(owner)) {
            other.waiting.push(Message::Asked { worker, ask });
        }
    }

    /// Put a datagram or a packet with those that go to `worker` at the end of this turn.
    pub fn hand_over(&mut self, worker: u8, what: What, octets: &[u8]) {
        let Some(Some(other)) = self.others.get_mut(usize::from(worker)) else {
            return;
        };
        let (pool, returned, home) = (&mut self.pool, &self.returned, self.number);
        for _ in 0..2 {
            let filling = match what {
                What::Datagram(_) => &mut other.filling,
                What::Rtp { .. } | What::Rtcp { .. } => &mut other.filling_packets,
            };
            let parcel = filling.get_or_insert_with(|| {
                let empty = pool.pop().or_else(|| returned.try_recv().ok());
                empty.unwrap_or_else(|| Parcel::new(home))
            });
            if parcel.put(what, octets) {
                self.handed_over += 1;
                return;
            }
            self.dropped += other.send_parcels(pool);
        }
    }

    /// Hand over what is to go; call once a turn.
    pub fn flush(&mut self) {
        for other in self.others.iter_mut().flatten() {
            self.dropped += other.send_parcels(&mut self.pool);
            other.send_waiting();
            if std::mem::take(&mut other.rung) {
                other.shared.ring_commands();
            }
        }
    }

    /// Whether something has to be tried again soon.
    pub fn is_behind(&self) -> bool {
        self.others.iter().flatten().any(|other| !other.waiting.is_empty())
    }

    /// The next parcel for this worker, datagrams before packets; what else others say is noted
    /// on the way.
    pub fn take(&mut self) -> Option<Parcel> {
        loop {
            let Ok(message) = self.inbox.try_recv() else {
                return self.take_packets();
            };
            match message {
                Message::Parcel(parcel) => return Some(parcel),
                Message::Opened { path, worker } => {
                    self.paths.insert(path, worker);
                }
                Message::Closed { path, worker } => {
                    if self.paths.get(&path) == Some(&worker) {
                        self.paths.remove(&path);
                    }
                }
                Message::Asked { worker, ask } => match ask {
                    Ask::Packets { source } => self.parts.note_asked(source, worker, true),
                    Ask::NoPackets { source } => self.parts.note_asked(source, worker, false),
                    Ask::Keyframe { source } => self.keyframes.push(source),
                },
            }
        }
    }

    /// The next parcel of packets from other parts.
    pub fn take_packets(&mut self) -> Option<Parcel> {
        self.packets.try_recv().ok()
    }

    /// The next source of which another worker has asked for a keyframe, before what was taken.
    pub fn keyframe(&mut self) -> Option<u32> {
        self.keyframes.pop()
    }

    /// Send a parcel that has been read home; it is let go if there is no room for it.
    pub fn give_back(&mut self, mut parcel: Parcel) {
        if let Some(Some(other)) = self.others.get(usize::from(parcel.home)) {
            parcel.clear();
            // Nobody is woken for it: it is found when needed.
            let _ = other.home.try_send(parcel);
        }
    }
}

fn keep(pool: &mut Vec<Parcel>, mut parcel: Parcel) {
    if pool.len() < POOL {
        parcel.clear();
        pool.push(parcel);
    }
}

impl Other {
    /// Send the parcels that are being filled; how many pieces were dropped.
    fn send_parcels(&mut self, pool: &mut Vec<Parcel>) -> u64 {
        let mut refused = [None, None];
        if let Some(parcel) = self.filling.take() {
            match self.queue.try_send(Message::Parcel(parcel)) {
                Err(TrySendError::Full(message) | TrySendError::Disconnected(message)) => {
                    if let Message::Parcel(parcel) = message {
                        refused[0] = Some(parcel);
                    }
                }
                Ok(()) => self.rung = true,
            }
        }
        if let Some(parcel) = self.filling_packets.take() {
            match self.packets.try_send(parcel) {
                Err(TrySendError::Full(parcel) | TrySendError::Disconnected(parcel)) => {
                    refused[1] = Some(parcel);
                }
                Ok(()) => self.rung = true,
            }
        }
        let mut dropped = 0;
        for parcel in refused.into_iter().flatten() {
            dropped += parcel.count() as u64;
            keep(pool, parcel);
        }
        dropped
    }

    fn send_waiting(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting).into_iter();
        for message in waiting.by_ref() {
            match self.queue.try_send(message) {
                Ok(()) => self.rung = true,
                Err(TrySendError::Full(message)) => {
                    self.waiting.push(message);
                    break;
                }
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
        self.waiting.extend(waiting);
    }
}

#[cfg(test)]
mod tests;
