//! The handle of the engine: starts the worker, and talks to it through two bounded queues.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{sync_channel, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustix::event::{eventfd, EventfdFlags};

use crate::counters::Counters;
use crate::ice::Candidate;
use crate::media;
use crate::socket::Socket;
use crate::srtp::{Receiver, Sender};
use crate::worker::Worker;

/// Sockets that an engine begins with.
pub const MAX_SOCKETS: usize = 64;
/// All its sockets, with those bound later.
const MAX_ALL_SOCKETS: usize = 250;

/// What the worker is told to do.
pub enum Command {
    Media(media::Command),
    AddSocket {
        socket: Socket,
    },
    AddTransport {
        transport: u32,
        conference: u32,
        ufrag: Vec<u8>,
        pwd: Vec<u8>,
        controlling: bool,
        /// The sockets it uses, by number; None: those the engine began with.
        sockets: Option<Range<usize>>,
    },
    SetRemoteIce {
        transport: u32,
        ufrag: Vec<u8>,
        pwd: Vec<u8>,
        candidates: Vec<Candidate>,
        /// They are for the restart that is under way.
        restart: bool,
    },
    /// Restart ICE with other credentials; what there is goes on until a pair is found.
    RestartIce {
        transport: u32,
        ufrag: Vec<u8>,
        pwd: Vec<u8>,
        controlling: bool,
    },
    SendDtls {
        transport: u32,
        datagrams: Vec<Vec<u8>>,
    },
    SetSrtp {
        transport: u32,
        sender: Box<Sender>,
        receiver: Box<Receiver>,
    },
    RemoveTransport {
        transport: u32,
    },
    RemoveConference {
        conference: u32,
    },
}

/// What the worker tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    IceValid {
        transport: u32,
        remote: SocketAddr,
        rtt: media::Time,
    },
    IceSelected {
        transport: u32,
        remote: SocketAddr,
        relayed: bool,
    },
    IceFailed {
        transport: u32,
    },
    Dtls {
        transport: u32,
        data: Vec<u8>,
    },
    SrtpActive {
        transport: u32,
    },
    Media(media::Event),
    /// So many events found no room in the queue.
    Lost {
        count: u64,
    },
}

impl Event {
    /// Levels are the first to go when the queue fills: the next ones replace them.
    fn is_level(&self) -> bool {
        matches!(self, Self::Media(media::Event::Levels { .. }))
    }
}

/// The figures of one transport, as last published.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TransportFigures {
    pub packets_received: u64,
    pub bytes_received: u64,
    pub packets_sent: u64,
    pub bytes_sent: u64,
    pub rtt: Option<media::Time>,
    pub fraction_lost_received: f64,
    pub fraction_lost_sent: f64,
    pub last_activity: Option<media::Time>,
}

#[derive(Default)]
struct EventQueue {
    events: VecDeque<Event>,
    lost: u64,
}

/// What handle and worker share.  The worker takes a lock once a turn at most, never a packet.
pub struct Shared {
    capacity: usize,
    events: Mutex<EventQueue>,
    event_fd: OwnedFd,
    command_fd: OwnedFd,
    stop: AtomicBool,
    /// The worker is gone, whether told to stop or not.
    gone: AtomicBool,
    pub(crate) counters: Mutex<(Counters, media::Stats)>,
    pub(crate) transports: Mutex<HashMap<u32, TransportFigures>>,
}

/// A panic elsewhere leaves these plain values whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ring(fd: &OwnedFd) {
    // It fails only when the counter is full, and then the other side has been rung anyway.
    let _ = rustix::io::write(fd, &1u64.to_ne_bytes());
}

fn hush(fd: &OwnedFd) {
    let _ = rustix::io::read(fd, &mut [0; 8]);
}

impl Shared {
    pub(crate) fn command_fd(&self) -> &OwnedFd {
        &self.command_fd
    }

    pub(crate) fn hush_commands(&self) {
        hush(&self.command_fd);
    }

    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Move `events` into the queue, as many as fit.
    pub(crate) fn publish(&self, events: &mut Vec<Event>) {
        if events.is_empty() {
            return;
        }
        {
            let mut queue = lock(&self.events);
            for event in events.drain(..) {
                let room = if event.is_level() { self.capacity / 4 * 3 } else { self.capacity };
                if queue.events.len() < room {
                    queue.events.push_back(event);
                } else {
                    queue.lost += 1;
                }
            }
        }
        ring(&self.event_fd);
    }
}

/// Tells the other side of the end of the worker, also when it ends in a panic.
struct Farewell(Arc<Shared>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.gone.store(true, Ordering::Release);
        ring(&self.0.event_fd);
    }
}

/// Why a command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    Full,
    Stopped,
}

/// A socket that could not be bound.
#[derive(Debug)]
pub struct BindError {
    pub address: SocketAddr,
    pub error: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "cannot bind UDP {}: {}", self.address, self.error)
    }
}

#[derive(Clone, Copy)]
pub struct Settings {
    pub queue: usize,
    pub event_queue: usize,
    pub receive_buffer: usize,
    pub send_buffer: usize,
}

pub struct Engine {
    addresses: Vec<SocketAddr>,
    settings: Settings,
    /// How many sockets there are.
    bound: Mutex<usize>,
    shared: Arc<Shared>,
    commands: SyncSender<Command>,
    worker: Option<JoinHandle<()>>,
}

impl Engine {
    /// Bind a socket per address and start the worker.
    pub fn new(addresses: &[SocketAddr], settings: &Settings) -> Result<Self, BindError> {
        let unspecified = SocketAddr::from(([0, 0, 0, 0], 0));
        let at = |address| move |error: io::Error| BindError { address, error };
        let first = addresses.first().copied().unwrap_or(unspecified);
        if addresses.is_empty() || addresses.len() > MAX_SOCKETS {
            return Err(at(first)(io::Error::from_raw_os_error(libc::EINVAL)));
        }
        let mut sockets = Vec::new();
        for &address in addresses {
            let socket = Socket::bind(address, settings.receive_buffer, settings.send_buffer);
            sockets.push(socket.map_err(at(address))?);
        }
        let addresses: Vec<_> = sockets.iter().map(Socket::local).collect();
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let new_fd = || eventfd(0, flags).map_err(|error| at(first)(error.into()));
        let shared = Arc::new(Shared {
            capacity: settings.event_queue.max(4),
            events: Mutex::default(),
            event_fd: new_fd()?,
            command_fd: new_fd()?,
            stop: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            counters: Mutex::default(),
            transports: Mutex::default(),
        });
        let mut seed = [0; 8];
        rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty())
            .map_err(|error| at(first)(error.into()))?;
        let (commands, receiver) = sync_channel(settings.queue.max(1));
        let for_worker = Arc::clone(&shared);
        let worker = std::thread::Builder::new()
            .name("xmppconf-media".into())
            .spawn(move || {
                let _farewell = Farewell(Arc::clone(&for_worker));
                Worker::new(sockets, for_worker, receiver, u64::from_ne_bytes(seed)).run();
            })
            .map_err(at(first))?;
        Ok(Self {
            bound: Mutex::new(addresses.len()),
            settings: *settings,
            addresses,
            shared,
            commands,
            worker: Some(worker),
        })
    }

    /// Bind more sockets, for transports that name them: the numbers and the addresses of them.
    pub fn bind(
        &self,
        addresses: &[SocketAddr],
    ) -> Result<(Range<usize>, Vec<SocketAddr>), BindError> {
        let mut bound = lock(&self.bound);
        let mut sockets = Vec::new();
        for &address in addresses {
            let at = |error| BindError { address, error };
            if *bound + sockets.len() >= MAX_ALL_SOCKETS {
                return Err(at(io::Error::from_raw_os_error(libc::EMFILE)));
            }
            let Settings { receive_buffer, send_buffer, .. } = self.settings;
            sockets.push(Socket::bind(address, receive_buffer, send_buffer).map_err(at)?);
        }
        let locals = sockets.iter().map(Socket::local).collect();
        let first = *bound;
        for socket in sockets {
            if let Err(rejected) = self.command(Command::AddSocket { socket }) {
                let code = match rejected {
                    Rejected::Full => libc::EAGAIN,
                    Rejected::Stopped => libc::ESHUTDOWN,
                };
                let address = addresses.first().copied();
                let address = address.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
                return Err(BindError { address, error: io::Error::from_raw_os_error(code) });
            }
            *bound += 1;
        }
        Ok((first..*bound, locals))
    }

    /// The bound addresses with their real ports.
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    pub fn event_fd(&self) -> RawFd {
        self.shared.event_fd.as_fd().as_raw_fd()
    }

    pub fn command(&self, command: Command) -> Result<(), Rejected> {
        match self.commands.try_send(command) {
            Ok(()) => {
                ring(&self.shared.command_fd);
                Ok(())
            }
            Err(TrySendError::Full(_)) => Err(Rejected::Full),
            Err(TrySendError::Disconnected(_)) => Err(Rejected::Stopped),
        }
    }

    /// Whether the worker has ended; the event descriptor is readable then.
    pub fn stopped(&self) -> bool {
        self.shared.gone.load(Ordering::Acquire)
    }

    /// All waiting events, oldest first.
    pub fn take_events(&self) -> Vec<Event> {
        // Hushed before the queue is read: an event put in between rings again.
        hush(&self.shared.event_fd);
        let mut queue = lock(&self.shared.events);
        let mut events: Vec<_> = queue.events.drain(..).collect();
        if queue.lost > 0 {
            events.push(Event::Lost { count: std::mem::take(&mut queue.lost) });
        }
        events
    }

    /// Counters by name.
    pub fn stats(&self) -> Vec<(&'static str, u64)> {
        let (counters, media) = *lock(&self.shared.counters);
        let mut pairs: Vec<_> = counters.pairs().collect();
        for (name, value) in media.pairs() {
            match pairs.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum = sum.saturating_add(value),
                None => pairs.push((name, value)),
            }
        }
        pairs
    }

    pub fn transport_stats(&self, transport: u32) -> Option<TransportFigures> {
        lock(&self.shared.transports).get(&transport).copied()
    }

    /// Stop the worker and close the sockets.
    pub fn close(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        ring(&self.shared.command_fd);
        if let Some(worker) = self.worker.take() {
            // A worker that panicked has nothing left to close.
            let _ = worker.join();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}
