//! The handle of the engine: starts the workers, and talks to them through bounded queues.

mod interface;
mod shared;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{sync_channel, SyncSender, TrySendError};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::handover;
use crate::ice::Random;
use crate::placement::Placement;
use crate::socket::Socket;
use crate::tap::{Records, Tap};
use crate::worker::Worker;

pub use interface::{Command, Event, Rejected, TransportFigures};
pub(crate) use shared::lock;
pub use shared::Shared;
use shared::{hush, Farewell, Outbox};

/// Sockets that an engine begins with.
pub const MAX_SOCKETS: usize = 64;
/// All its sockets, with those bound later.
const MAX_ALL_SOCKETS: usize = 250;

/// Workers of one engine.
pub const MAX_WORKERS: usize = 32;

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
    /// Threads that carry packets, 1 to [`MAX_WORKERS`].
    pub workers: usize,
    /// Transports of one conference that a worker takes before another one takes part.
    pub part: usize,
}

/// One worker, as the handle knows it.
struct Post {
    shared: Arc<Shared>,
    commands: SyncSender<Command>,
    thread: Option<JoinHandle<()>>,
}

impl Post {
    fn send(&self, command: Command) -> Result<(), Rejected> {
        match self.commands.try_send(command) {
            Ok(()) => {
                self.shared.ring_commands();
                Ok(())
            }
            Err(TrySendError::Full(_)) => Err(Rejected::Full),
            Err(TrySendError::Disconnected(_)) => Err(Rejected::Stopped),
        }
    }
}

pub struct Engine {
    addresses: Vec<SocketAddr>,
    settings: Settings,
    /// How many sockets there are.
    bound: Mutex<usize>,
    outbox: Arc<Outbox>,
    placement: Mutex<Placement>,
    posts: Vec<Post>,
}

impl Engine {
    /// Bind a socket per address and worker, and start the workers.
    pub fn new(addresses: &[SocketAddr], settings: &Settings) -> Result<Self, BindError> {
        let unspecified = SocketAddr::from(([0, 0, 0, 0], 0));
        let at = |address| move |error: io::Error| BindError { address, error };
        let first = addresses.first().copied().unwrap_or(unspecified);
        let invalid = addresses.is_empty() || addresses.len() > MAX_SOCKETS;
        if invalid || !(1..=MAX_WORKERS).contains(&settings.workers) {
            return Err(at(first)(io::Error::from_raw_os_error(libc::EINVAL)));
        }
        let mut sockets: Vec<Vec<Socket>> = Vec::new();
        sockets.resize_with(settings.workers, Vec::new);
        for &address in addresses {
            let bound = Socket::bind_together(
                address,
                settings.receive_buffer,
                settings.send_buffer,
                settings.workers,
            );
            for (own, socket) in sockets.iter_mut().zip(bound.map_err(at(address))?) {
                own.push(socket);
            }
        }
        let addresses = sockets.first().into_iter().flatten().map(Socket::local).collect();
        let mut seed = [0; 8];
        rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty())
            .map_err(|error| at(first)(error.into()))?;
        let mut random = Random(u64::from_ne_bytes(seed));
        let [a, b, c, d, ..] = random.draw().to_be_bytes();
        let tag_mask = u32::from_be_bytes([a, b, c, d]);
        let outbox = Arc::new(Outbox::new(settings.event_queue).map_err(at(first))?);
        let shared: io::Result<Vec<_>> =
            sockets.iter().map(|_| Ok(Arc::new(Shared::new(&outbox)?))).collect();
        let shared = shared.map_err(at(first))?;
        let mut engine = Self {
            bound: Mutex::new(sockets.first().map_or(0, Vec::len)),
            settings: *settings,
            addresses,
            placement: Mutex::new(Placement::new(settings.workers, settings.part)),
            posts: Vec::new(),
            outbox,
        };
        let handovers = handover::connect(&shared);
        for ((shared, sockets), handover) in shared.into_iter().zip(sockets).zip(handovers) {
            let (commands, receiver) = sync_channel(settings.queue.max(1));
            let (for_worker, outbox) = (Arc::clone(&shared), Arc::clone(&engine.outbox));
            let seed = random.draw();
            let thread = std::thread::Builder::new()
                .name("xmppconf-media".into())
                .spawn(move || {
                    let _farewell = Farewell(outbox);
                    Worker::new(sockets, for_worker, receiver, handover, tag_mask, seed).run();
                })
                .map_err(at(first))?;
            engine.posts.push(Post { shared, commands, thread: Some(thread) });
        }
        Ok(engine)
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
            // Every worker has it under the same number; the one whose transport uses it reads.
            for post in &self.posts {
                let added = socket.duplicate().and_then(|socket| {
                    let number = *bound;
                    post.send(Command::AddSocket { number, socket }).map_err(|rejected| {
                        io::Error::from_raw_os_error(match rejected {
                            Rejected::Full => libc::EAGAIN,
                            Rejected::Stopped => libc::ESHUTDOWN,
                        })
                    })
                });
                let address = socket.local();
                added.map_err(|error| BindError { address, error })?;
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
        self.outbox.event_fd.as_fd().as_raw_fd()
    }

    pub fn command(&self, command: Command) -> Result<(), Rejected> {
        self.command_on(None, command)
    }

    /// As [`Self::command`]; a new conference goes to `worker` if one is named, and stays there.
    pub fn command_on(&self, worker: Option<usize>, command: Command) -> Result<(), Rejected> {
        if let [post] = self.posts.as_slice() {
            return post.send(command);
        }
        let busy = |worker: usize| {
            self.posts.get(worker).map_or(0, |post| post.shared.busy.load(Ordering::Relaxed))
        };
        let order = |worker: usize, command| {
            self.posts.get(worker).map_or(Ok(()), |post| post.send(command))
        };
        lock(&self.placement).carry_out(worker, command, busy, order)
    }

    /// Whether a worker has ended; the event descriptor is readable then.
    pub fn stopped(&self) -> bool {
        self.outbox.gone.load(Ordering::Acquire)
    }

    /// All waiting events, oldest first.
    pub fn take_events(&self) -> Vec<Event> {
        // Hushed before the queue is read: an event put in between rings again.
        hush(&self.outbox.event_fd);
        let mut queue = lock(&self.outbox.events);
        let mut events: Vec<_> = queue.events.drain(..).collect();
        if queue.lost > 0 {
            events.push(Event::Lost { count: std::mem::take(&mut queue.lost) });
        }
        events
    }

    /// Note the headers of what a transport carries from now on, until the records are ended or
    /// the transport is gone.
    pub fn open_tap(&self, transport: u32) -> Result<Arc<Records>, Rejected> {
        let (tap, records) = Tap::new(transport);
        self.command(Command::OpenTap(tap))?;
        Ok(records)
    }

    /// Counters by name, of all workers together.
    pub fn stats(&self) -> Vec<(&'static str, u64)> {
        let mut pairs: Vec<(&'static str, u64)> = vec![("workers", self.posts.len() as u64)];
        for post in &self.posts {
            let (counters, media) = *lock(&post.shared.counters);
            for (name, value) in counters.pairs().chain(media.pairs()) {
                match pairs.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, sum)) => *sum = sum.saturating_add(value),
                    None => pairs.push((name, value)),
                }
            }
        }
        pairs
    }

    /// Of each worker since start: nanoseconds of CPU that it had or waited for, and packets both
    /// ways.
    pub fn workers(&self) -> Vec<(u64, u64)> {
        let figures = self.posts.iter().map(|post| {
            let (counters, _) = *lock(&post.shared.counters);
            let packets = counters.packets_received.saturating_add(counters.packets_sent);
            (counters.worker_cpu_ns.saturating_add(counters.worker_wait_ns), packets)
        });
        figures.collect()
    }

    pub fn transport_stats(&self, transport: u32) -> Option<TransportFigures> {
        lock(&self.outbox.transports).get(&transport).copied()
    }

    /// Stop the workers and close the sockets, after what was ordered before.
    pub fn close(&mut self) {
        for post in &self.posts {
            post.shared.stop.store(true, Ordering::Release);
            post.shared.ring_commands();
        }
        for thread in self.posts.iter_mut().filter_map(|post| post.thread.take()) {
            // A worker that panicked has nothing left to close.
            let _ = thread.join();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::PART;

    #[test]
    fn a_socket_that_not_all_workers_took_is_replaced_by_the_next() {
        let outbox = Arc::new(Outbox::new(4).unwrap());
        let (posts, queues): (Vec<_>, Vec<_>) = (0..2)
            .map(|_| {
                let (commands, queue) = sync_channel(1);
                let shared = Arc::new(Shared::new(&outbox).unwrap());
                (Post { shared, commands, thread: None }, queue)
            })
            .unzip();
        let settings = Settings {
            queue: 1,
            event_queue: 4,
            receive_buffer: 1 << 16,
            send_buffer: 1 << 16,
            workers: 2,
            part: PART,
        };
        let placement = Mutex::new(Placement::new(2, PART));
        let bound = Mutex::new(3);
        let engine = Engine { addresses: vec![], settings, bound, outbox, placement, posts };
        let numbers = |worker: usize| {
            let given = queues.get(worker).into_iter().flat_map(|queue| queue.try_iter());
            let given = given.filter_map(|command| match command {
                Command::AddSocket { number, .. } => Some(number),
                _ => None,
            });
            given.collect::<Vec<_>>()
        };
        let busy = Command::Gone { transport: 1 };
        engine.posts[1].commands.send(busy).unwrap();
        let address = ["127.0.0.1:0".parse().unwrap()];
        assert!(engine.bind(&address).is_err());
        assert_eq!((numbers(0), numbers(1)), (vec![3], vec![]));
        assert_eq!(engine.bind(&address).unwrap().0, 3..4);
        assert_eq!((numbers(0), numbers(1)), (vec![3], vec![3]));
    }
}
