//! UDP sockets with batched system calls.
//!
//! The only module with unsafe code, here and in its parts: `recvmmsg` and `sendmmsg` take arrays
//! of headers that point into our buffers, and no safe wrapper offers both.  Each array lives in a
//! batch that never resizes, pointers are written before the first call that reads them and again
//! wherever the kernel has written, and lengths come from the same slices as the pointers.

#![allow(unsafe_code)]

mod name;
mod receive;
mod send;
#[cfg(test)]
mod tests;

use std::io;
use std::mem;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr;

use rustix::net::sockopt::{self, Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

pub use receive::ReceiveBatch;
pub use send::{Flushed, Lane, SendBatch};

/// Datagrams of one `recvmmsg`.
pub const RECEIVE_BATCH: usize = 64;

/// Datagrams of one turn before it is sent in between.
pub const SEND_SLOTS: usize = 1024;

/// Octets of a slot: a whole datagram, and one that is longer is seen to be.
pub const SLOT: usize = 2048;

pub struct Socket {
    udp: UdpSocket,
    local: SocketAddr,
    segmentation: bool,
}

impl Socket {
    /// Bind to `address`; the buffers are as large as the system allows up to the given sizes.
    pub fn bind(address: SocketAddr, receive: usize, send: usize) -> io::Result<Self> {
        Self::with(UdpSocket::bind(address)?, receive, send)
    }

    fn with(udp: UdpSocket, receive: usize, send: usize) -> io::Result<Self> {
        udp.set_nonblocking(true)?;
        // The forced form may exceed net.core.rmem_max but takes a privilege.
        if sockopt::set_socket_recv_buffer_size_force(&udp, receive).is_err() {
            sockopt::set_socket_recv_buffer_size(&udp, receive)?;
        }
        if sockopt::set_socket_send_buffer_size(&udp, send).is_err() {
            sockopt::set_socket_send_buffer_size(&udp, send / 2)?;
        }
        let local = udp.local_addr()?;
        forbid_fragments(&udp, local);
        Ok(Self { udp, local, segmentation: true })
    }

    /// As many sockets as are wanted at one address, among which the kernel divides senders by
    /// their addresses.
    ///
    /// Another process of the same user may not be at that address: it would get a share.
    pub fn bind_together(
        address: SocketAddr,
        receive: usize,
        send: usize,
        count: usize,
    ) -> io::Result<Vec<Self>> {
        let alone = Self::bind(address, receive, send)?;
        if count <= 1 {
            return Ok(vec![alone]);
        }
        let address = alone.local;
        drop(alone); // it has shown that nobody else is there
        (0..count).map(|_| Self::with(bind_shared(address)?, receive, send)).collect()
    }

    /// Another handle of the same socket.
    pub fn duplicate(&self) -> io::Result<Self> {
        let Self { udp, local, segmentation } = self;
        Ok(Self { udp: udp.try_clone()?, local: *local, segmentation: *segmentation })
    }

    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Have the kernel note when datagrams arrive, for batches made with room for it.
    pub fn note_arrivals(&self) -> io::Result<()> {
        let on: libc::c_int = 1;
        // SAFETY: the option takes an int, and that is what pointer and length name.
        let result = unsafe {
            libc::setsockopt(
                self.udp.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_TIMESTAMPNS,
                ptr::from_ref(&on).cast(),
                mem::size_of_val(&on) as libc::socklen_t,
            )
        };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// Datagrams since the beginning that found the receive buffer full; None if the system
    /// does not say.
    pub fn overflowed(&self) -> Option<u32> {
        // The first of them are sizes; see sk_meminfo in linux/sock_diag.h.
        let mut figures = [0u32; 9];
        let mut length = mem::size_of_val(&figures) as libc::socklen_t;
        // SAFETY: the kernel writes at most `length` octets to the array, which it may do whatever
        // they are, and the length of what it wrote.
        let result = unsafe {
            libc::getsockopt(
                self.udp.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_MEMINFO,
                figures.as_mut_ptr().cast(),
                &mut length,
            )
        };
        (result == 0 && length as usize >= mem::size_of_val(&figures)).then_some(figures[8])
    }

    /// Whether datagrams of one length to one destination are handed over together; ends by
    /// itself where the system cannot.
    pub fn set_segmentation(&mut self, segmentation: bool) {
        self.segmentation = segmentation;
    }
}

/// A socket at an address that is shared with others (SO_REUSEPORT).
fn bind_shared(address: SocketAddr) -> io::Result<UdpSocket> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::DGRAM, flags, None)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    Ok(UdpSocket::from(socket))
}

/// Media is never worth fragments (RFC 8445 has none either), and a datagram that cannot be
/// fragmented needs no number from the kernel, which costs 5 % of a send.
fn forbid_fragments(udp: &UdpSocket, address: SocketAddr) {
    // Where it cannot be set, datagrams go out as they did.
    let _ = match address {
        SocketAddr::V4(_) => sockopt::set_ip_mtu_discover(udp, Ipv4PathMtuDiscovery::PROBE),
        SocketAddr::V6(_) => sockopt::set_ipv6_mtu_discover(udp, Ipv6PathMtuDiscovery::PROBE),
    };
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.udp.as_fd()
    }
}
