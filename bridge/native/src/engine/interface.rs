//! What goes between the handle and the workers: commands, events, figures.

use std::net::SocketAddr;
use std::ops::Range;

use crate::ice::Candidate;
use crate::media;
use crate::socket::Socket;
use crate::srtp::{Receiver, Sender};
use crate::tap::Tap;

/// What the worker is told to do.
pub enum Command {
    Media(media::Command),
    AddSocket {
        /// The number that it is known by.
        number: usize,
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
    /// Note the headers of what its transport carries; another tap of the worker ends.
    OpenTap(Box<Tap>),
    RemoveConference {
        conference: u32,
    },
    /// Begin a part of a conference that `others` have parts of already, from all that they have
    /// been told.
    OpenPart {
        conference: u32,
        others: Vec<u8>,
        orders: Vec<media::Command>,
    },
    /// Another worker has a part of the conference as well from now on, or no longer.
    Part {
        conference: u32,
        worker: u8,
        there: bool,
    },
    /// Another worker has a transport.
    Elsewhere {
        transport: u32,
        ufrag: Vec<u8>,
        worker: u8,
    },
    /// Another worker no longer has it.
    Gone {
        transport: u32,
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
    pub(super) fn is_level(&self) -> bool {
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

/// Why a command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    Full,
    Stopped,
}
