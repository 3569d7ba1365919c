//! The worker thread: receive a batch, carry each datagram through to its receivers, send.
//!
//! It owns sockets, transports and media; nothing here waits for anything but its sockets, its
//! commands, what other workers hand over, and its next timer.

mod agents;
mod backlog;
mod figures;
mod intake;
mod parcels;
mod tapping;

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{Receiver as CommandReceiver, TryRecvError};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{poll, PollFd, PollFlags};
use rustix::time::Timespec;

use crate::clock::{monotonic, Stage};
use crate::counters::Counters;
use crate::demux::{classify, Kind};
use crate::engine::{Command, Event, Shared};
use crate::handover::Handover;
use crate::ice::{self, Agent, Path, Random};
use crate::media::{self, Media, Time};
use crate::outgoing::{MediaOutput, Outgoing};
use crate::socket::{SendBatch, Socket};
use crate::transports::{Era, Transport, Transports};

use intake::Intake;

const MS: Time = 1_000_000;

/// Timers are looked at that often at most.
const TICK: Time = 5 * MS;
/// Where datagrams come closer together than four fifths of this, as usual of late, a turn waits
/// so long for more of them: that makes fewer turns, and of several packets for one receiver one
/// datagram for the kernel to segment.
const GATHER: Time = MS;
/// A turn with so many was full enough: more may wait already.
const MAX_GATHERED: u64 = 32;
/// What counts for the usual distance between datagrams: one in so many turns, and no more than
/// so much of a silence.
const SPACING_TURNS: Time = 16;
const MAX_SPACING: Time = 100 * MS;
/// The longest sleep; commands and packets end it.
const MAX_SLEEP: Time = 1_000 * MS;
/// Commands of one turn, so that packets need not wait for a long list.
const COMMANDS_A_TURN: usize = 256;
/// Media that has waited longer than this is of no use to anybody: the process was stopped, or
/// starved.
const MAX_AGE: Time = 500 * MS;

pub struct Worker {
    shared: Arc<Shared>,
    commands: CommandReceiver<Command>,
    outgoing: Outgoing,
    /// How many sockets there were in the beginning: for all transports that name no others.
    common_sockets: usize,
    transports: Transports,
    media: Media,
    /// Mixed into the tag of each agent, so that transaction ids do not count transports; the
    /// same in all workers, for answers that come to another.
    tag_mask: u32,
    handover: Handover,
    /// Of each socket whether this worker reads it.
    polled: Vec<bool>,
    random: Random,
    ice_events: Vec<ice::Event>,
    /// No agent has a timer before this.
    next_ice: Time,
    next_tick: Time,
    next_publish: Time,
    published_at: Time,
    /// How much of the time is used, in parts of a thousand, smoothed.
    busy: u32,
    /// The usual time between two datagrams of late.
    spacing: Time,
    /// Wait for more of them before the next turn.
    gathers: bool,
}

impl Worker {
    pub fn new(
        sockets: Vec<Socket>,
        shared: Arc<Shared>,
        commands: CommandReceiver<Command>,
        handover: Handover,
        tag_mask: u32,
        seed: u64,
    ) -> Self {
        let mut random = Random(seed);
        Self {
            handover,
            polled: vec![true; sockets.len()],
            shared,
            commands,
            common_sockets: sockets.len(),
            outgoing: Outgoing {
                sockets,
                batch: SendBatch::default(),
                counters: Counters::default(),
                events: Vec::new(),
                asks: Vec::new(),
                tap: None,
            },
            transports: Transports::default(),
            media: Media::new(random.draw()),
            tag_mask,
            random,
            ice_events: Vec::new(),
            next_ice: Time::MAX,
            next_tick: 0,
            next_publish: 0,
            published_at: 0,
            busy: 0,
            spacing: MAX_SPACING,
            gathers: false,
        }
    }

    /// Work until told to stop.
    pub fn run(mut self) {
        let mut intake = Intake::default();
        let mut ready = Vec::new();
        let mut turn = monotonic();
        while !self.shared.stopped() {
            self.gather(turn);
            let sleep = self.wait(&mut ready, intake.is_waiting());
            let now = monotonic();
            let since = now.saturating_sub(turn).min(MAX_SPACING);
            let received = self.outgoing.counters.packets_received;
            if now.saturating_sub(turn) > sleep.saturating_add(MAX_AGE) {
                self.drop_stale(now, &mut intake);
            }
            turn = now;
            if ready.last() == Some(&true) {
                self.shared.hush_commands();
                if !self.take_commands(now) {
                    break;
                }
                self.take_parcels(now);
            }
            self.receive(now, &ready, &mut intake);
            // Fewer than before if all were another worker's.
            let received = self.outgoing.counters.packets_received.saturating_sub(received);
            let spacing = since / received.max(1);
            self.spacing = (self.spacing * (SPACING_TURNS - 1) + spacing) / SPACING_TURNS;
            self.gathers = received < MAX_GATHERED && self.spacing <= GATHER / 5 * 4;
            if now >= self.next_tick {
                self.tick(now);
                self.next_tick = now.saturating_add(TICK);
            }
            for (path, is_open) in self.transports.changed() {
                self.handover.tell(path, is_open);
            }
            for (worker, ask) in self.outgoing.asks.drain(..) {
                self.handover.ask(worker, ask);
            }
            // First what others have to send on.
            self.handover.flush();
            self.outgoing.flush();
            self.publish(now);
        }
        // What was ordered before the end is still done: people are told of it.
        self.take_commands(monotonic());
        self.outgoing.flush();
    }

    /// Let a few datagrams come together since the last `turn`, if they come that fast.
    fn gather(&self, turn: Time) {
        if self.gathers {
            let left = turn.saturating_add(GATHER).saturating_sub(monotonic());
            std::thread::sleep(Duration::from_nanos(left));
        }
    }

    /// Sleep until a socket or a command is ready or a timer is due, or only look `at_once`; how
    /// long that may have been.
    fn wait(&self, ready: &mut Vec<bool>, at_once: bool) -> Time {
        let now = monotonic();
        let mut due = self.next_ice.min(self.media.next_timeout().unwrap_or(Time::MAX));
        if !self.transports.is_empty() {
            due = due.min(self.next_publish);
        }
        if self.handover.is_behind() {
            due = now;
        }
        let longest = if at_once { 0 } else { MAX_SLEEP };
        let sleep = due.max(self.next_tick).saturating_sub(now).min(longest);
        let timeout = Timespec {
            tv_sec: (sleep / 1_000_000_000) as i64,
            tv_nsec: (sleep % 1_000_000_000) as _,
        };
        let command_fd: BorrowedFd<'_> = self.shared.command_fd().as_fd();
        let sockets = self.outgoing.sockets.iter().zip(&self.polled);
        let fds = sockets.map(|(socket, polled)| {
            let wanted = if *polled { PollFlags::IN } else { PollFlags::empty() };
            PollFd::from_borrowed_fd(socket.as_fd(), wanted)
        });
        let mut polled: Vec<_> =
            fds.chain([PollFd::from_borrowed_fd(command_fd, PollFlags::IN)]).collect();
        ready.clear();
        ready.resize(polled.len(), false);
        if poll(&mut polled, Some(&timeout)).is_ok() {
            for (ready, fd) in ready.iter_mut().zip(&polled) {
                *ready = !fd.revents().is_empty();
            }
        }
        sleep
    }

    /// Carry out what waits; false when there is nobody left to command.
    fn take_commands(&mut self, now: Time) -> bool {
        for _ in 0..COMMANDS_A_TURN {
            match self.commands.try_recv() {
                Ok(command) => self.carry_out(now, command),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        self.shared.ring_commands(); // more may wait
        true
    }

    fn carry_out(&mut self, now: Time, command: Command) {
        match command {
            Command::Media(command) => self.apply(now, command),
            Command::AddSocket { number, socket } => match self.outgoing.sockets.get_mut(number) {
                // Another worker had no room for the last one of this number: nobody uses it.
                Some(unused) => *unused = socket,
                None => {
                    self.outgoing.sockets.push(socket);
                    self.polled.push(false);
                }
            },
            Command::Elsewhere { transport, ufrag, worker } => {
                self.handover.elsewhere(transport, ufrag, worker);
            }
            Command::Gone { transport } => self.handover.gone(transport),
            Command::AddTransport { transport, conference, ufrag, pwd, controlling, sockets } => {
                let tag = transport ^ self.tag_mask;
                let agent = Agent::new(tag, &ufrag, &pwd, controlling, self.random.draw());
                let sockets = sockets.unwrap_or(0..self.common_sockets);
                if let Some(polled) = self.polled.get_mut(sockets.clone()) {
                    polled.fill(true);
                }
                if self.transports.add(transport, Transport::new(conference, agent, sockets)) {
                    self.apply(now, media::Command::AddTransport { transport, conference });
                }
            }
            Command::RestartIce { transport, ufrag, pwd, controlling } => {
                let tag = transport ^ self.tag_mask;
                let agent = Agent::new(tag, &ufrag, &pwd, controlling, self.random.draw());
                self.transports.restart(transport, agent);
            }
            Command::SetRemoteIce { transport, ufrag, pwd, candidates, restart } => {
                let Some(entry) = self.transports.get_mut(transport) else {
                    return;
                };
                let locals = self.outgoing.sockets.iter().map(Socket::local);
                let locals: Vec<_> =
                    (0u8..=255).zip(locals).filter(|(at, _)| entry.uses(*at)).collect();
                let era = if restart { Era::Next } else { Era::Current };
                self.with_agent(now, transport, era, |agent, out| {
                    agent.set_remote(now, &ufrag, &pwd, &candidates, &locals, out);
                });
            }
            Command::SendDtls { transport, datagrams } => {
                let Some(entry) = self.transports.get_mut(transport) else {
                    return;
                };
                for datagram in datagrams {
                    match entry.destination {
                        Some(path) => {
                            self.outgoing.counters.dtls_sent += 1;
                            self.outgoing.send_plain(path, &mut entry.lane, &datagram);
                        }
                        None => self.outgoing.counters.dropped_no_destination += 1,
                    }
                }
            }
            Command::SetSrtp { transport, sender, receiver } => {
                if let Some(entry) = self.transports.get_mut(transport) {
                    entry.sender = Some(sender);
                    entry.receiver = Some(receiver);
                    entry.srtp_active = false;
                    for (path, mut datagram) in std::mem::take(&mut entry.early) {
                        self.datagram(now, path, &mut datagram);
                    }
                }
            }
            Command::OpenTap(tap) => self.open_tap(tap),
            Command::RemoveTransport { transport } => self.remove_transport(now, transport),
            Command::RemoveConference { conference } => {
                for transport in self.transports.of_conference(conference) {
                    self.remove_transport(now, transport);
                }
                self.apply(now, media::Command::RemoveConference { conference });
                self.handover.parts.forget(conference);
            }
            Command::OpenPart { conference, others, orders } => {
                for order in orders {
                    self.apply(now, order);
                }
                for worker in others {
                    self.handover.parts.note(conference, worker, true);
                }
            }
            Command::Part { conference, worker, there } => {
                self.handover.parts.note(conference, worker, there);
            }
        }
    }

    fn remove_transport(&mut self, now: Time, transport: u32) {
        // Media first: a farewell still finds its keys.
        self.apply(now, media::Command::RemoveTransport { transport });
        self.transports.remove(transport);
        self.close_tap(transport);
        // Sockets of its own may be another worker's next time.
        let common = self.common_sockets;
        for (number, polled) in (0u8..=255).zip(&mut self.polled).skip(common) {
            *polled = *polled && self.transports.iter().any(|(_, one)| one.uses(number));
        }
        self.shared.transports().remove(&transport);
    }

    fn apply(&mut self, now: Time, command: media::Command) {
        let mut out =
            MediaOutput { transports: &mut self.transports, outgoing: &mut self.outgoing };
        self.media.apply(now, command, &mut out);
        self.renew_tap();
    }

    fn datagram(&mut self, now: Time, path: Path, datagram: &mut [u8]) {
        let Some(kind) = classify(datagram) else {
            self.outgoing.counters.dropped_unclassified += 1;
            return;
        };
        if kind == Kind::Stun {
            let stage = Stage::begin();
            self.stun(now, path, datagram);
            stage.end(&mut self.outgoing.counters.stun_ns);
            return;
        }
        let Some(id) = self.transports.by_path(&path) else {
            if !self.is_elsewhere(self.handover.by_path(&path), path, datagram) {
                self.outgoing.counters.dropped_unknown_address += 1;
            }
            return;
        };
        let Some(transport) = self.transports.get_mut(id) else {
            return;
        };
        let counters = &mut self.outgoing.counters;
        if kind == Kind::Dtls {
            if transport.admit_dtls(now) {
                counters.dtls_received += 1;
                self.outgoing.events.push(Event::Dtls { transport: id, data: datagram.to_vec() });
            } else {
                counters.dropped_dtls_rate += 1;
            }
            return;
        }
        let Some(receiver) = transport.receiver.as_mut() else {
            counters.dropped_no_keys += u64::from(!transport.keep_early(path, datagram));
            return;
        };
        let stage = Stage::begin();
        let received = datagram.len();
        let opened = if kind == Kind::Rtp {
            receiver.unprotect_rtp(datagram)
        } else {
            receiver.unprotect_rtcp(datagram)
        };
        stage.end(&mut counters.decrypt_ns);
        let plain = match opened {
            Ok(length) => datagram.get_mut(..length).unwrap_or_default(),
            Err(why) => return counters.refused(why),
        };
        let conference = transport.conference;
        transport.packets_received += 1;
        transport.bytes_received += received as u64;
        transport.last_activity = Some(now);
        if !std::mem::replace(&mut transport.srtp_active, true) {
            self.outgoing.events.push(Event::SrtpActive { transport: id });
        }
        self.tap_received(id, kind, plain);
        self.share(id, conference, kind, plain);
        let stage = Stage::begin();
        let mut out =
            MediaOutput { transports: &mut self.transports, outgoing: &mut self.outgoing };
        if kind == Kind::Rtp {
            self.media.receive_rtp(now, id, plain, &mut out);
        } else {
            self.media.receive_rtcp(now, id, plain, &mut out);
        }
        stage.end(&mut self.outgoing.counters.media_ns);
    }

    fn tick(&mut self, now: Time) {
        if now >= self.next_ice {
            self.next_ice = Time::MAX;
            let mut due = Vec::new();
            for (id, transport) in self.transports.iter() {
                match transport.next_timeout() {
                    Some(next) if next <= now => due.push(id),
                    Some(next) => self.next_ice = self.next_ice.min(next),
                    None => {}
                }
            }
            for id in due {
                for era in [Era::Current, Era::Next, Era::Former] {
                    self.with_agent(now, id, era, |agent, out| agent.timeout(now, out));
                }
                self.transports.retire(now, id);
            }
        }
        if self.media.next_timeout().is_some_and(|next| next <= now) {
            let stage = Stage::begin();
            let mut out =
                MediaOutput { transports: &mut self.transports, outgoing: &mut self.outgoing };
            self.media.timeout(now, &mut out);
            stage.end(&mut self.outgoing.counters.media_ns);
        }
    }
}
