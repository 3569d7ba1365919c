//! Datagrams that go out, many in one call.

use std::io;
use std::mem;
use std::os::fd::AsRawFd;
use std::ptr;

use super::name::{Name, NO_HEADER, NO_VECTOR};
use super::{Socket, SEND_SLOTS, SLOT};
use crate::ice::Path;

/// The kernel's limit of segments a call (UDP_MAX_SEGMENTS of older kernels).
const MAX_SEGMENTS: usize = 64;
const MAX_SEGMENTED: usize = 65_000;

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

// SAFETY: its pointers name memory of its own vectors, which stays where it is when the batch
// itself is moved, to another thread as well.
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
