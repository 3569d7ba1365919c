//! What the way to one receiver can carry, estimated from what the receiver says has arrived
//! (transport-wide feedback), as the sender of a WebRTC call does it: a queue that builds up is
//! seen in growing delays, loss bounds the rate, and probes find out what is beyond.  Of a receiver
//! without such feedback less is known (`reported`).
//!
//! Rates are in bit/s and count whole IP packets.  Nothing in here is a clock or a socket.

mod acknowledged;
mod aimd;
mod delay;
mod estimator;
pub mod feedback;
mod history;
mod limited;
mod loss;
mod probes;
mod reported;

pub use estimator::Estimator;
pub use history::Arrival;
pub use reported::{Losses, Reported};

/// Bytes that a packet has on the way besides its RTP: IPv4, UDP, authentication tag.
pub const OVERHEAD: usize = 20 + 8 + 16;
