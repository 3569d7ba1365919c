//! Indices of packets, and which of them have been received.

use std::collections::HashMap;

use super::{Refused, MAX_RECEIVED_STREAMS};

/// The index that `sequence` most likely has when the highest one so far is `highest`
/// (RFC 3711, 3.3.1).
///
/// Below the first rollover nothing can be older than index 0, so a number far ahead is then
/// taken as a step forward.
pub(super) fn guess_index(highest: u64, sequence: u16) -> u64 {
    let base = highest & !0xffff;
    let low = highest & 0xffff;
    let same = base | u64::from(sequence);
    if low < 0x8000 && u64::from(sequence) > low + 0x8000 && base != 0 {
        same - 0x1_0000
    } else if low >= 0x8000 && u64::from(sequence) < low - 0x8000 {
        same + 0x1_0000
    } else {
        same
    }
}

pub(super) const WINDOW: u64 = 1024;
const WORDS: usize = 16;

/// Which of the last 1024 indices have been seen (RFC 3711, 3.3.2).
///
/// Much wider than the 64 of the RFC because a sender without RTX answers a NACK with the plain
/// old packet.
pub(super) struct Window {
    pub highest: u64,
    seen: [u64; WORDS],
}

impl Window {
    pub fn new(index: u64) -> Self {
        let mut window = Self { highest: index, seen: [0; WORDS] };
        window.mark(index);
        window
    }

    fn bit(index: u64) -> (usize, u64) {
        let place = index % WINDOW;
        (usize::try_from(place / 64).unwrap_or(0), 1 << (place % 64))
    }

    pub fn check(&self, index: u64) -> Result<(), Refused> {
        if index > self.highest {
            return Ok(());
        }
        if self.highest - index >= WINDOW {
            return Err(Refused::TooOld);
        }
        let (word, bit) = Self::bit(index);
        match self.seen.get(word) {
            Some(seen) if seen & bit == 0 => Ok(()),
            _ => Err(Refused::Replayed),
        }
    }

    pub fn mark(&mut self, index: u64) {
        if index > self.highest {
            if index - self.highest >= WINDOW {
                self.seen = [0; WORDS];
            } else {
                for skipped in self.highest + 1..index {
                    let (word, bit) = Self::bit(skipped);
                    if let Some(seen) = self.seen.get_mut(word) {
                        *seen &= !bit;
                    }
                }
            }
            self.highest = index;
        }
        let (word, bit) = Self::bit(index);
        if let Some(seen) = self.seen.get_mut(word) {
            *seen |= bit;
        }
    }
}

/// Windows by SSRC, at most `MAX_RECEIVED_STREAMS` of them.
#[derive(Default)]
pub(super) struct Streams {
    pub windows: HashMap<u32, (Window, u64)>,
    clock: u64,
}

impl Streams {
    pub fn get(&self, ssrc: u32) -> Option<&Window> {
        self.windows.get(&ssrc).map(|(window, _)| window)
    }

    pub fn mark(&mut self, ssrc: u32, index: u64) {
        self.clock += 1;
        if let Some((window, used)) = self.windows.get_mut(&ssrc) {
            window.mark(index);
            *used = self.clock;
            return;
        }
        if self.windows.len() >= MAX_RECEIVED_STREAMS {
            let oldest = self.windows.iter().min_by_key(|(_, (_, used))| *used);
            if let Some(ssrc) = oldest.map(|(ssrc, _)| *ssrc) {
                self.windows.remove(&ssrc);
            }
        }
        self.windows.insert(ssrc, (Window::new(index), self.clock));
    }
}
