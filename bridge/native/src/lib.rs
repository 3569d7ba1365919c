//! The packet engine of the bridge.
//!
//! A worker thread owns the sockets and runs each batch of datagrams to completion: classify
//! (`demux`), answer ICE (`stun`, `ice`), decrypt (`srtp`), decide what goes where (`media`),
//! encrypt into the send slots, send.  With several workers each conference is one's, or has parts
//! on several if it is too large (`placement`); a datagram that came to another worker is handed
//! over, and so is a packet with receivers in other parts (`handover`, `parts`).  Other threads
//! talk to it through two bounded queues (`engine`).  `python` is the binding, conversions only; everything else knows no Python.
//!
//! No input from the network makes anything in here panic; unsafe code is confined to `socket`.

#![deny(unsafe_code)]

pub mod clock;
pub mod counters;
pub mod crypto;
pub mod demux;
pub mod engine;
pub mod fuzzing;
pub mod handover;
pub mod ice;
pub mod id_map;
pub mod load;
pub mod media;
pub mod outgoing;
pub mod parts;
pub mod placement;
pub mod socket;
pub mod srtp;
pub mod stun;
pub mod tap;
pub mod transports;
pub mod worker;

#[cfg(feature = "python")]
mod load_python;
#[cfg(feature = "python")]
mod media_python;
#[cfg(feature = "python")]
mod python;
#[cfg(feature = "python")]
mod srtp_python;
#[cfg(feature = "python")]
mod tap_python;
