//! The media half of the packet engine: what happens to RTP and RTCP between decryption and
//! encryption.
//!
//! Sans-I/O: decrypted packets and commands go in with the time, packets and events come out
//! through [`Output`].  There is no socket, no clock, no thread and no unsafe code in here; no
//! input makes it panic, and forwarding allocates nothing once a stream runs.

#![forbid(unsafe_code)]

mod audio;
mod bwe;
mod cache;
pub mod codec;
mod control;
mod engine;
pub mod extension;
mod fan_out;
pub(crate) mod feedback;
mod forward;
pub mod fuzzing;
mod header;
mod interface;
mod keyframes;
mod leg;
mod loudness;
mod meter;
mod mirror;
mod nack;
mod pacer;
mod pacing;
mod payload_types;
mod projection;
mod reception;
mod red;
mod relief;
mod resend;
pub mod rtcp;
pub(crate) mod rtcp_write;
pub mod rtp;
mod selection;
mod sent;
mod sequence;
mod source;
mod table;
#[cfg(test)]
mod tests;
mod timers;
mod transport;

pub use engine::Media;
pub use interface::*;
pub use mirror::Concerns;
