//! Datagrams that have come, many in one call.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::ptr;

use super::name::{Name, NO_HEADER, NO_VECTOR};
use super::{Socket, RECEIVE_BATCH, SLOT};

/// Room for one control message with a time.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Arrival([u8; 32]);

/// Buffers for one `recvmmsg`.
pub struct ReceiveBatch {
    data: Vec<u8>,
    /// As many as there are slots if arrivals are asked for, else none.
    arrivals: Vec<Arrival>,
    names: Vec<Name>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
    /// So many headers the kernel has written to since they were prepared.
    stale: usize,
}

impl Default for ReceiveBatch {
    fn default() -> Self {
        Self {
            data: vec![0; SLOT * RECEIVE_BATCH],
            arrivals: Vec::new(),
            names: vec![Name::EMPTY; RECEIVE_BATCH],
            vectors: vec![NO_VECTOR; RECEIVE_BATCH],
            headers: vec![NO_HEADER; RECEIVE_BATCH],
            stale: RECEIVE_BATCH,
        }
    }
}

// SAFETY: its pointers name memory of its own vectors, which stays where it is when the batch
// itself is moved, to another thread as well.
unsafe impl Send for ReceiveBatch {}

impl ReceiveBatch {
    /// One with room for the times that [`Socket::note_arrivals`] asks for.
    pub fn with_arrivals() -> Self {
        Self { arrivals: vec![Arrival([0; 32]); RECEIVE_BATCH], ..Self::default() }
    }

    /// How many datagrams waited; 0 if none.
    pub fn receive(&mut self, socket: &Socket) -> io::Result<usize> {
        let slots = self.data.chunks_exact_mut(SLOT);
        let parts = self.headers.iter_mut().zip(&mut self.vectors).zip(&mut self.names).zip(slots);
        for (((header, vector), name), slot) in parts.take(self.stale) {
            *name = Name::EMPTY;
            *vector = libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: slot.len() };
            header.msg_len = 0;
            header.msg_hdr.msg_name = ptr::from_mut(name).cast();
            header.msg_hdr.msg_namelen = mem::size_of::<Name>() as libc::socklen_t;
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_flags = 0;
        }
        let headers = self.headers.iter_mut().take(self.stale);
        for (header, arrival) in headers.zip(&mut self.arrivals) {
            header.msg_hdr.msg_control = arrival.0.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = mem::size_of::<Arrival>() as _;
        }
        // SAFETY: every header points to one name and one vector, perhaps one control buffer,
        // every vector to one slot; all of them are owned by `self`, never resized, and borrowed
        // mutably for the call.
        let count = unsafe {
            libc::recvmmsg(
                socket.udp.as_raw_fd(),
                self.headers.as_mut_ptr(),
                self.headers.len() as libc::c_uint,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        if count >= 0 {
            self.stale = count as usize;
            return Ok(self.stale);
        }
        self.stale = 1;
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
            _ => Err(error),
        }
    }

    /// When datagram `index` of the last batch came, in nanoseconds of CLOCK_REALTIME.
    pub fn arrival(&self, index: usize) -> Option<u64> {
        let header = &self.headers.get(index)?.msg_hdr;
        self.arrivals.get(index)?;
        // SAFETY: the kernel has written the control buffer that the header points to, and its
        // length; `CMSG_FIRSTHDR` looks at the length, and the message's own length is checked
        // before its value is read, as its bytes may not be aligned.
        unsafe {
            let message = libc::CMSG_FIRSTHDR(header);
            let whole = libc::CMSG_LEN(mem::size_of::<libc::timespec>() as _) as usize;
            if message.is_null()
                || (*message).cmsg_level != libc::SOL_SOCKET
                || (*message).cmsg_type != libc::SO_TIMESTAMPNS
                || ((*message).cmsg_len as usize) < whole
            {
                return None;
            }
            let time: libc::timespec = ptr::read_unaligned(libc::CMSG_DATA(message).cast());
            let seconds = u64::try_from(time.tv_sec).ok()?;
            seconds.checked_mul(1_000_000_000)?.checked_add(u64::try_from(time.tv_nsec).ok()?)
        }
    }

    /// The sender and the octets of datagram `index` of the last batch.
    pub fn datagram(&mut self, index: usize) -> Option<(SocketAddr, &mut [u8])> {
        let header = self.headers.get(index)?;
        let length = (header.msg_len as usize).min(SLOT);
        let remote = self.names.get(index)?.read(header.msg_hdr.msg_namelen)?;
        let start = index.checked_mul(SLOT)?;
        Some((remote, self.data.get_mut(start..start + length)?))
    }
}
