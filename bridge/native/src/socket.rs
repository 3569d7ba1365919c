//! UDP sockets with batched system calls.
//!
//! The only module with unsafe code: `recvmmsg` and `sendmmsg` take arrays of headers that point
//! into our buffers, and no safe wrapper offers both.  Each array lives in a batch that never
//! resizes, pointers are written before the first call that reads them and again wherever the
//! kernel has written, and lengths come from the same slices as the pointers.

#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr;

use rustix::net::sockopt::{self, Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::ice::Path;

/// Datagrams of one `recvmmsg`.
pub const RECEIVE_BATCH: usize = 64;

/// Datagrams of one turn before it is sent in between.
pub const SEND_SLOTS: usize = 1024;

/// Octets of a slot: a whole datagram, and one that is longer is seen to be.
pub const SLOT: usize = 2048;

/// The kernel's limit of segments a call (UDP_MAX_SEGMENTS of older kernels).
const MAX_SEGMENTS: usize = 64;
const MAX_SEGMENTED: usize = 65_000;

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

/// An address as the kernel reads and writes it.
#[derive(Clone, Copy)]
#[repr(C)]
union Name {
    family: libc::sa_family_t,
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

impl Name {
    const EMPTY: Self = Self {
        // SAFETY: zeros are a valid sockaddr_in6.
        v6: unsafe { mem::zeroed() },
    };

    fn new(address: SocketAddr) -> (Self, libc::socklen_t) {
        let mut name = Self::EMPTY;
        match address {
            SocketAddr::V4(address) => {
                name.v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: address.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
                    sin_zero: [0; 8],
                };
                (name, mem::size_of::<libc::sockaddr_in>() as libc::socklen_t)
            }
            SocketAddr::V6(address) => {
                name.v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: address.port().to_be(),
                    sin6_flowinfo: 0,
                    sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                    sin6_scope_id: address.scope_id(),
                };
                (name, mem::size_of::<libc::sockaddr_in6>() as libc::socklen_t)
            }
        }
    }

    fn read(&self, length: libc::socklen_t) -> Option<SocketAddr> {
        let length = length as usize;
        // SAFETY: all fields are plain integers, every bit pattern is valid, and the union was
        // zeroed before the kernel wrote its first `length` octets.
        unsafe {
            match libc::c_int::from(self.family) {
                libc::AF_INET if length >= mem::size_of::<libc::sockaddr_in>() => {
                    let ip = Ipv4Addr::from(self.v4.sin_addr.s_addr.to_ne_bytes());
                    Some(SocketAddrV4::new(ip, u16::from_be(self.v4.sin_port)).into())
                }
                libc::AF_INET6 if length >= mem::size_of::<libc::sockaddr_in6>() => {
                    let ip = Ipv6Addr::from(self.v6.sin6_addr.s6_addr);
                    let port = u16::from_be(self.v6.sin6_port);
                    Some(SocketAddrV6::new(ip, port, 0, self.v6.sin6_scope_id).into())
                }
                _ => None,
            }
        }
    }
}

const NO_HEADER: libc::mmsghdr = libc::mmsghdr {
    // SAFETY: zeros are a valid msghdr: no name, no data, no control.
    msg_hdr: unsafe { mem::zeroed() },
    msg_len: 0,
};

const NO_VECTOR: libc::iovec = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };

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

/// Remembers where the datagrams to one destination are collected in the present batch.
#[derive(Clone, Copy, Default)]
pub struct Lane {
    batch: u64,
    index: usize,
}

#[derive(Clone, Copy)]
struct LaneSlots {
    path: Path,
    first: usize,
    last: usize,
}

#[derive(Clone, Copy, Default)]
struct SlotState {
    length: usize,
    next: Option<u16>,
}

/// Room for one control message with a `u16`.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 24]);

/// What one `flush` did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flushed {
    pub packets: u64,
    pub bytes: u64,
    /// Dropped because the send buffer was full.
    pub full: u64,
    /// Refused by the kernel: no route, or not permitted.
    pub refused: u64,
    /// Datagrams that went out as segments of a larger one.
    pub segmented: u64,
    pub calls: u64,
}

/// Datagrams to send, encrypted in place, grouped by destination for segmentation offload.
pub struct SendBatch {
    data: Vec<u8>,
    slots: Vec<SlotState>,
    used: usize,
    lanes: Vec<LaneSlots>,
    batch: u64,
    names: Vec<Name>,
    vectors: Vec<libc::iovec>,
    controls: Vec<Control>,
    headers: Vec<libc::mmsghdr>,
}

impl Default for SendBatch {
    fn default() -> Self {
        Self {
            data: vec![0; SLOT * SEND_SLOTS],
            slots: vec![SlotState::default(); SEND_SLOTS],
            used: 0,
            lanes: Vec::with_capacity(SEND_SLOTS),
            batch: 1,
            names: vec![Name::EMPTY; SEND_SLOTS],
            vectors: vec![NO_VECTOR; SEND_SLOTS],
            controls: vec![Control([0; 24]); SEND_SLOTS],
            headers: vec![NO_HEADER; SEND_SLOTS],
        }
    }
}

// SAFETY: as with `ReceiveBatch`.
unsafe impl Send for SendBatch {}

impl SendBatch {
    pub fn is_full(&self) -> bool {
        self.used >= SEND_SLOTS
    }

    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// The slot that `commit` will take; `None` when the batch is full.
    pub fn slot(&mut self) -> Option<&mut [u8]> {
        self.data.get_mut(self.used * SLOT..(self.used + 1) * SLOT)
    }

    /// Queue the first `length` octets of the slot; datagrams of one lane keep their order.
    pub fn commit(&mut self, length: usize, path: Path, lane: &mut Lane) {
        let index = self.used;
        let Some(state) = self.slots.get_mut(index) else {
            return;
        };
        *state = SlotState { length: length.min(SLOT), next: None };
        self.used += 1;
        if lane.batch == self.batch {
            if let Some(known) = self.lanes.get_mut(lane.index).filter(|known| known.path == path) {
                let last = mem::replace(&mut known.last, index);
                if let Some(last) = self.slots.get_mut(last) {
                    last.next = u16::try_from(index).ok();
                }
                return;
            }
        }
        *lane = Lane { batch: self.batch, index: self.lanes.len() };
        self.lanes.push(LaneSlots { path, first: index, last: index });
    }

    /// Send everything, and be empty.
    pub fn flush(&mut self, sockets: &mut [Socket]) -> Flushed {
        let mut flushed = Flushed::default();
        if self.used == 0 {
            return flushed;
        }
        for (number, socket) in (0u8..).zip(sockets) {
            let count = self.prepare(number, socket.segmentation);
            self.send(socket, count, &mut flushed);
        }
        self.used = 0;
        self.lanes.clear();
        self.batch += 1;
        flushed
    }

    /// Build the headers for socket `number`; how many there are.
    fn prepare(&mut self, number: u8, segmentation: bool) -> usize {
        let mut vectors_used = 0;
        let mut headers_used = 0;
        for (lane_index, lane) in self.lanes.iter().enumerate() {
            if lane.path.socket != number {
                continue;
            }
            let (name, name_length) = Name::new(lane.path.remote);
            let Some(name_slot) = self.names.get_mut(lane_index) else {
                break;
            };
            *name_slot = name;
            let name_pointer: *mut Name = name_slot;
            let mut next = Some(lane.first);
            while let Some(first) = next {
                let size = self.slots.get(first).map_or(0, |slot| slot.length);
                let start = vectors_used;
                let mut total = 0;
                let mut at = first;
                while let (Some(slot), Some(vector)) =
                    (self.slots.get(at), self.vectors.get_mut(vectors_used))
                {
                    let data = self.data.get_mut(at * SLOT..at * SLOT + slot.length);
                    let Some(data) = data else { break };
                    *vector =
                        libc::iovec { iov_base: data.as_mut_ptr().cast(), iov_len: data.len() };
                    vectors_used += 1;
                    total += slot.length;
                    next = slot.next.map(usize::from);
                    let Some(following) = next else { break };
                    let length = self.slots.get(following).map_or(0, |slot| slot.length);
                    let fits = segmentation
                        && slot.length == size
                        && length <= size
                        && length > 0
                        && vectors_used - start < MAX_SEGMENTS
                        && total + length <= MAX_SEGMENTED;
                    if !fits {
                        break;
                    }
                    at = following;
                }
                let segments = vectors_used - start;
                let (Some(header), Some(vector), Some(control)) = (
                    self.headers.get_mut(headers_used),
                    self.vectors.get_mut(start),
                    self.controls.get_mut(headers_used),
                ) else {
                    break;
                };
                *header = NO_HEADER;
                header.msg_hdr.msg_name = name_pointer.cast();
                header.msg_hdr.msg_namelen = name_length;
                header.msg_hdr.msg_iov = vector;
                header.msg_hdr.msg_iovlen = segments;
                if segments > 1 {
                    header.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
                    // SAFETY: CMSG_SPACE(2) is 24 on 64-bit and less on 32-bit systems, so
                    // header and value lie within the control buffer, which is aligned.
                    unsafe {
                        header.msg_hdr.msg_controllen = libc::CMSG_SPACE(2) as _;
                        let message = libc::CMSG_FIRSTHDR(&header.msg_hdr);
                        (*message).cmsg_level = libc::SOL_UDP;
                        (*message).cmsg_type = libc::UDP_SEGMENT;
                        (*message).cmsg_len = libc::CMSG_LEN(2) as _;
                        ptr::write_unaligned(libc::CMSG_DATA(message).cast(), size as u16);
                    }
                }
                headers_used += 1;
            }
        }
        headers_used
    }

    fn send(&mut self, socket: &mut Socket, count: usize, flushed: &mut Flushed) {
        let mut at = 0;
        while let Some(headers) = self.headers.get_mut(at..count).filter(|rest| !rest.is_empty()) {
            flushed.calls += 1;
            // SAFETY: `prepare` has pointed these headers to names, vectors, controls and data
            // of `self`, none of which has moved since.
            let sent = unsafe {
                libc::sendmmsg(
                    socket.udp.as_raw_fd(),
                    headers.as_mut_ptr(),
                    headers.len() as libc::c_uint,
                    libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
                )
            };
            if sent > 0 {
                let sent = sent as usize;
                for header in headers.iter().take(sent) {
                    let segments = header.msg_hdr.msg_iovlen as u64;
                    flushed.packets += segments;
                    flushed.segmented += if segments > 1 { segments } else { 0 };
                    flushed.bytes += u64::from(header.msg_len);
                }
                at += sent;
                continue;
            }
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::EAGAIN | libc::ENOBUFS) => {
                    let rest = headers.iter().map(|header| header.msg_hdr.msg_iovlen as u64);
                    flushed.full += rest.sum::<u64>();
                    return;
                }
                _ => {
                    self.send_apart(socket, at, flushed);
                    at += 1;
                }
            }
        }
    }

    /// Send the datagrams of one refused header one by one.
    fn send_apart(&self, socket: &mut Socket, index: usize, flushed: &mut Flushed) {
        let Some(header) = self.headers.get(index) else {
            return;
        };
        let segments = header.msg_hdr.msg_iovlen;
        if segments <= 1 {
            flushed.refused += 1;
            return;
        }
        let mut went = 0;
        for offset in 0..segments {
            let mut single = header.msg_hdr;
            single.msg_control = ptr::null_mut();
            single.msg_controllen = 0;
            single.msg_iovlen = 1;
            flushed.calls += 1;
            // SAFETY: as in `send`; `offset` is below the number of vectors of this header.
            let sent = unsafe {
                single.msg_iov = single.msg_iov.add(offset);
                libc::sendmsg(
                    socket.udp.as_raw_fd(),
                    &single,
                    libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
                )
            };
            if sent >= 0 {
                went += 1;
                flushed.bytes += sent as u64;
            }
        }
        flushed.packets += went;
        flushed.refused += segments as u64 - went;
        // What goes apart and not together is a kernel or a device without segmentation.
        if went > 0 {
            socket.segmentation = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sockets(address: &str) -> (Vec<Socket>, Socket) {
        let bind = || Socket::bind(address.parse().unwrap(), 1 << 20, 1 << 20).unwrap();
        (vec![bind()], bind())
    }

    fn queue(batch: &mut SendBatch, data: &[u8], path: Path, lane: &mut Lane) {
        batch.slot().unwrap()[..data.len()].copy_from_slice(data);
        batch.commit(data.len(), path, lane);
    }

    #[test]
    fn what_is_sent_arrives_in_order() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            for segmentation in [true, false] {
                let (mut ours, theirs) = sockets(address);
                let other = Socket::bind(address.parse().unwrap(), 1 << 20, 1 << 20).unwrap();
                ours[0].segmentation = segmentation;
                let mut batch = SendBatch::default();
                let (mut lane, mut second) = (Lane::default(), Lane::default());
                let path = Path { socket: 0, remote: theirs.local() };
                let other_path = Path { socket: 0, remote: other.local() };
                let sizes = [100, 100, 100, 60, 100, 100, 200, 1, 1, 1200, 1200, 1200];
                for (index, size) in sizes.into_iter().enumerate() {
                    queue(&mut batch, &vec![index as u8; size], path, &mut lane);
                    queue(&mut batch, &[index as u8; 50], other_path, &mut second);
                }
                let flushed = batch.flush(&mut ours);
                assert_eq!((flushed.packets, flushed.full, flushed.refused), (24, 0, 0));
                assert_eq!(flushed.bytes, sizes.iter().sum::<usize>() as u64 + 600);
                assert!(batch.is_empty());
                let mut received = ReceiveBatch::default();
                assert_eq!(received.receive(&theirs).unwrap(), sizes.len());
                for (index, size) in sizes.into_iter().enumerate() {
                    let (from, data) = received.datagram(index).unwrap();
                    assert_eq!(from, ours[0].local());
                    assert_eq!(data, vec![index as u8; size]);
                }
                assert_eq!(received.receive(&other).unwrap(), sizes.len());
                assert_eq!(received.receive(&theirs).unwrap(), 0);
            }
        }
    }

    #[test]
    fn a_full_batch_takes_no_more() {
        let (mut ours, theirs) = sockets("127.0.0.1:0");
        let path = Path { socket: 0, remote: theirs.local() };
        let mut batch = SendBatch::default();
        let mut lane = Lane::default();
        for _ in 0..SEND_SLOTS {
            queue(&mut batch, b"x", path, &mut lane);
        }
        assert!(batch.is_full() && batch.slot().is_none());
        batch.commit(1, path, &mut lane);
        let flushed = batch.flush(&mut ours);
        assert_eq!(flushed.packets, SEND_SLOTS as u64);
    }

    #[test]
    fn one_refused_destination_costs_no_other() {
        let (mut ours, theirs) = sockets("127.0.0.1:0");
        let mut batch = SendBatch::default();
        // An IPv6 destination cannot be sent to from an IPv4 socket.
        let bad = Path { socket: 0, remote: "[::1]:9".parse().unwrap() };
        let good = Path { socket: 0, remote: theirs.local() };
        for path in [bad, good, bad, good] {
            queue(&mut batch, b"data", path, &mut Lane::default());
        }
        let flushed = batch.flush(&mut ours);
        assert_eq!((flushed.packets, flushed.refused), (2, 2));
    }

    #[test]
    fn what_finds_the_receive_buffer_full_is_counted() {
        let small = Socket::bind("127.0.0.1:0".parse().unwrap(), 1 << 12, 1 << 12).unwrap();
        assert_eq!(small.overflowed(), Some(0));
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..100 {
            sender.send_to(&[0; 1000], small.local()).unwrap();
        }
        let kept = ReceiveBatch::default().receive(&small).unwrap();
        assert_eq!(small.overflowed().map(|lost| lost as usize + kept), Some(100));
    }

    #[test]
    fn sockets_of_one_address_divide_what_comes_and_let_nobody_in() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let address = address.parse().unwrap();
            let together = Socket::bind_together(address, 1 << 20, 1 << 20, 3).unwrap();
            let local = together[0].local();
            assert!(together.iter().all(|socket| socket.local() == local));
            assert!(Socket::bind(local, 1 << 20, 1 << 20).is_err());
            assert!(Socket::bind_together(local, 1 << 20, 1 << 20, 2).is_err());
            let mut batch = ReceiveBatch::default();
            for _ in 0..50 {
                let sender = UdpSocket::bind(SocketAddr::new(local.ip(), 0)).unwrap();
                sender.send_to(b"x", local).unwrap();
            }
            let counts: Vec<_> =
                together.iter().map(|socket| batch.receive(socket).unwrap()).collect();
            assert_eq!(counts.iter().sum::<usize>(), 50);
            assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
        }
    }

    #[test]
    fn the_kernel_tells_when_datagrams_came() {
        let (_, theirs) = sockets("127.0.0.1:0");
        theirs.note_arrivals().unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let realtime = crate::clock::realtime;
        let mut batch = ReceiveBatch::with_arrivals();
        for _ in 0..2 {
            let before = realtime();
            sender.send_to(b"x", theirs.local()).unwrap();
            sender.send_to(b"y", theirs.local()).unwrap();
            assert_eq!(batch.receive(&theirs).unwrap(), 2);
            // The first ones after the option was set have the time of being read.
            let after = realtime();
            for index in 0..2 {
                assert!((before..=after).contains(&batch.arrival(index).unwrap()));
            }
        }
        let mut plain = ReceiveBatch::default();
        sender.send_to(b"x", theirs.local()).unwrap();
        assert_eq!(plain.receive(&theirs).unwrap(), 1);
        assert_eq!(plain.arrival(0), None);
    }

    #[test]
    fn a_longer_datagram_is_seen_to_be_too_long() {
        let (_, theirs) = sockets("127.0.0.1:0");
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for size in [0, 1, 1500, 2048, 65_507] {
            sender.send_to(&vec![1; size], theirs.local()).unwrap();
            let mut batch = ReceiveBatch::default();
            assert_eq!(batch.receive(&theirs).unwrap(), 1);
            assert_eq!(batch.datagram(0).unwrap().1.len(), size.min(SLOT));
        }
    }
}
