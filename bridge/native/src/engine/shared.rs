//! What the handle and the workers share: the queue of events, flags, figures, and the
//! descriptors by which they wake each other.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{eventfd, EventfdFlags};

use super::interface::{Event, TransportFigures};
use crate::counters::Counters;
use crate::media;

#[derive(Default)]
pub(super) struct EventQueue {
    pub events: VecDeque<Event>,
    pub lost: u64,
}

/// What goes from all workers to the handle.
pub(super) struct Outbox {
    capacity: usize,
    pub events: Mutex<EventQueue>,
    pub event_fd: OwnedFd,
    /// A worker is gone, whether told to stop or not.
    pub gone: AtomicBool,
    pub transports: Mutex<HashMap<u32, TransportFigures>>,
}

/// What handle and one worker share.  The worker takes a lock once a turn at most, never a packet.
pub struct Shared {
    outbox: Arc<Outbox>,
    command_fd: OwnedFd,
    pub(super) stop: AtomicBool,
    /// How much of the worker's time is used, in parts of a thousand.
    pub(super) busy: AtomicU32,
    pub(crate) counters: Mutex<(Counters, media::Stats)>,
}

/// A panic elsewhere leaves these plain values whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ring(fd: &OwnedFd) {
    // It fails only when the counter is full, and then the other side has been rung anyway.
    let _ = rustix::io::write(fd, &1u64.to_ne_bytes());
}

fn new_fd() -> io::Result<OwnedFd> {
    Ok(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
}

pub(super) fn hush(fd: &OwnedFd) {
    let _ = rustix::io::read(fd, &mut [0; 8]);
}

impl Outbox {
    pub fn new(capacity: usize) -> io::Result<Self> {
        Ok(Self {
            capacity: capacity.max(4),
            events: Mutex::default(),
            event_fd: new_fd()?,
            gone: AtomicBool::new(false),
            transports: Mutex::default(),
        })
    }
}

impl Shared {
    pub(super) fn new(outbox: &Arc<Outbox>) -> io::Result<Self> {
        Ok(Self {
            outbox: Arc::clone(outbox),
            command_fd: new_fd()?,
            stop: AtomicBool::new(false),
            busy: AtomicU32::new(0),
            counters: Mutex::default(),
        })
    }

    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self::new(&Arc::new(Outbox::new(16).unwrap())).unwrap()
    }

    /// Make the worker look at its queues.
    pub(crate) fn ring_commands(&self) {
        ring(&self.command_fd);
    }

    pub(crate) fn transports(&self) -> MutexGuard<'_, HashMap<u32, TransportFigures>> {
        lock(&self.outbox.transports)
    }

    pub(crate) fn command_fd(&self) -> &OwnedFd {
        &self.command_fd
    }

    #[cfg(test)]
    pub(crate) fn is_rung(&self) -> bool {
        let rung = rustix::io::read(&self.command_fd, &mut [0; 8]).is_ok();
        if rung {
            self.ring_commands();
        }
        rung
    }

    pub(crate) fn hush_commands(&self) {
        hush(&self.command_fd);
    }

    /// Tell how much of the worker's time is used, in parts of a thousand.
    pub(crate) fn set_busy(&self, share: u32) {
        self.busy.store(share, Ordering::Relaxed);
    }

    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Move `events` into the queue, as many as fit.
    pub(crate) fn publish(&self, events: &mut Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let outbox = &*self.outbox;
        {
            let mut queue = lock(&outbox.events);
            for event in events.drain(..) {
                let room = if event.is_level() { outbox.capacity / 4 * 3 } else { outbox.capacity };
                if queue.events.len() < room {
                    queue.events.push_back(event);
                } else {
                    queue.lost += 1;
                }
            }
        }
        ring(&outbox.event_fd);
    }
}

/// Tells the other side of the end of the worker, also when it ends in a panic.
pub(super) struct Farewell(pub Arc<Outbox>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.gone.store(true, Ordering::Release);
        ring(&self.0.event_fd);
    }
}
