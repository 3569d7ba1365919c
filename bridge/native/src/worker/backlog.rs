//! Pictures that wait their turn while there is more to do than can be done, and when that is so
//! much that some of them have to be left out.

use std::collections::VecDeque;

use crate::demux::MAX_DATAGRAM;
use crate::ice::Path;
use crate::media::Time;

use super::MS;

/// Datagrams that can wait.
const SLOTS: usize = 8192;
/// The oldest has waited too long then; as has a picture for anybody to talk by.
const TOO_OLD: Time = 100 * MS;
/// From one step of relief to the next: what was left out first has to show.
const STEP: Time = 50 * MS;
/// In percent of what is too much: it is not waited for whether the last step was enough.
const FAR_TOO_MUCH: u64 = 200;

#[derive(Clone, Copy)]
struct Waiting {
    since: Time,
    path: Path,
    length: usize,
}

/// Datagrams in the order in which they came.
pub struct Backlog {
    /// `SLOTS` of a datagram's size; only as many are ever touched as have waited at once.
    data: Vec<u8>,
    waiting: VecDeque<Waiting>,
    /// The slot of the first.
    first: usize,
}

impl Default for Backlog {
    fn default() -> Self {
        let data = vec![0; SLOTS * MAX_DATAGRAM];
        Self { data, waiting: VecDeque::with_capacity(SLOTS), first: 0 }
    }
}

impl Backlog {
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Put a datagram behind the others; false if there is no room.
    pub fn push(&mut self, now: Time, path: Path, datagram: &[u8]) -> bool {
        if self.waiting.is_empty() {
            self.first = 0;
        }
        let slot = (self.first + self.waiting.len()) % SLOTS;
        let start = slot * MAX_DATAGRAM;
        let slot = self.data.get_mut(start..start + MAX_DATAGRAM);
        let room = slot.and_then(|slot| slot.get_mut(..datagram.len()));
        let Some(room) = room.filter(|_| self.waiting.len() < SLOTS) else {
            return false;
        };
        room.copy_from_slice(datagram);
        self.waiting.push_back(Waiting { since: now, path, length: datagram.len() });
        true
    }

    /// The oldest.
    pub fn pop(&mut self) -> Option<(Path, &mut [u8])> {
        let Waiting { path, length, .. } = self.waiting.pop_front()?;
        let start = self.first * MAX_DATAGRAM;
        self.first = (self.first + 1) % SLOTS;
        Some((path, self.data.get_mut(start..start + length)?))
    }

    /// Forget all; how many it was.
    pub fn clear(&mut self) -> usize {
        let count = self.waiting.len();
        self.waiting.clear();
        count
    }

    /// How long the oldest has waited, or how full it is, in percent of what is too much.
    pub fn level(&self, now: Time) -> u64 {
        let age = self.waiting.front().map_or(0, |oldest| now.saturating_sub(oldest.since));
        let full = self.waiting.len() as u64 * FAR_TOO_MUCH / SLOTS as u64;
        full.max(age.saturating_mul(100) / TOO_OLD)
    }
}

/// When more pictures have to be left out: while too much waits, and no less than before.
#[derive(Default)]
pub struct Relief {
    /// At the last step.
    level: u64,
    next: Time,
}

impl Relief {
    /// Take the backlog's level; whether a step is due.
    pub fn is_due(&mut self, now: Time, level: u64) -> bool {
        if level < 100 {
            self.level = 0;
            return false;
        }
        if now < self.next {
            return false;
        }
        self.next = now.saturating_add(STEP);
        let before = std::mem::replace(&mut self.level, level);
        level >= before || level >= FAR_TOO_MUCH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(port: u16) -> Path {
        Path { socket: 0, remote: ([192, 0, 2, 1], port).into() }
    }

    #[test]
    fn all_that_waits_comes_out_as_it_came_however_often_it_goes_round() {
        let mut backlog = Backlog::default();
        let (mut put, mut got) = (0u16, 0u16);
        for round in 0..200 {
            for _ in 0..300 {
                let length = usize::from(put) % MAX_DATAGRAM + 1;
                assert!(backlog.push(0, path(put), &vec![put as u8; length]));
                put = put.wrapping_add(1);
            }
            // Never emptied until the end.
            for _ in 0..if round == 199 { 499 } else { 299 } {
                let (from, octets) = backlog.pop().unwrap();
                let length = usize::from(got) % MAX_DATAGRAM + 1;
                assert_eq!(from, path(got));
                assert!(octets.len() == length && octets.iter().all(|one| *one == got as u8));
                got = got.wrapping_add(1);
            }
        }
        assert!(backlog.is_empty() && backlog.pop().is_none());
    }

    #[test]
    fn there_is_an_end_to_what_can_wait() {
        let mut backlog = Backlog::default();
        assert!(!backlog.push(0, path(0), &[0; MAX_DATAGRAM + 1]));
        let taken = (0..2 * SLOTS).filter(|_| backlog.push(0, path(0), &[0; MAX_DATAGRAM]));
        assert_eq!(taken.count(), SLOTS);
        assert_eq!(backlog.level(0), FAR_TOO_MUCH);
        assert_eq!(backlog.clear(), SLOTS);
        assert!(backlog.push(0, path(0), b"again"));
    }

    #[test]
    fn the_level_is_the_age_of_the_oldest() {
        let mut backlog = Backlog::default();
        assert_eq!(backlog.level(TOO_OLD), 0);
        for since in [1_000 * MS, 1_090 * MS] {
            backlog.push(since, path(0), b"picture");
        }
        assert_eq!(backlog.level(1_000 * MS + TOO_OLD), 100);
        backlog.pop();
        assert_eq!(backlog.level(1_000 * MS + TOO_OLD), 10);
    }

    /// Ten steps of a time, each with a level; in which of them there is relief.
    fn relieved(levels: [u64; 10]) -> Vec<usize> {
        let mut relief = Relief::default();
        let due = |(number, level): (usize, u64)| {
            let due = relief.is_due(1_000 * MS + number as u64 * STEP, level);
            let again = relief.is_due(1_000 * MS + (number as u64 + 1) * STEP - 1, level);
            assert!(!again, "one in a step");
            due.then_some(number)
        };
        levels.into_iter().enumerate().filter_map(due).collect()
    }

    #[test]
    fn as_much_is_left_out_as_it_takes() {
        // A moment in which nothing was done: what came meanwhile is soon carried.
        assert!(relieved([30, 99, 80, 60, 40, 20, 0, 0, 0, 0]).is_empty());
        // More and more; then it is enough, and nothing more is left out while it comes down.
        assert_eq!(relieved([50, 110, 130, 140, 139, 120, 110, 101, 99, 0]), [1, 2, 3]);
        // It is not enough yet.
        assert_eq!(relieved([120, 110, 110, 105, 106, 90, 100, 99, 99, 100]), [0, 2, 4, 6, 9]);
        // Far too much.
        assert_eq!(relieved([300, 280, 260, 240, 220, 199, 150, 100, 50, 0]), [0, 1, 2, 3, 4]);
    }
}
