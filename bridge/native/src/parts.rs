//! Which other workers have a part of a conference, and what their mirrors have asked for.

use crate::id_map::IdMap;
use crate::media::Concerns;

/// Workers as bits.
type Set = u32;

#[derive(Debug, Default)]
pub struct Parts {
    /// The other workers of a conference; those of none are not here.
    conferences: IdMap<Set>,
    /// Who asked for a source's packets.
    asked: IdMap<Set>,
}

fn bit(worker: u8) -> Set {
    1u32.checked_shl(u32::from(worker)).unwrap_or(0)
}

fn put(map: &mut IdMap<Set>, key: u32, worker: u8, there: bool) {
    let set = map.entry(key).or_default();
    if there {
        *set |= bit(worker);
    } else {
        *set &= !bit(worker);
    }
    if *set == 0 {
        map.remove(&key);
    }
}

impl Parts {
    /// Another worker has a part of the conference from now on, or no longer.
    pub fn note(&mut self, conference: u32, worker: u8, there: bool) {
        put(&mut self.conferences, conference, worker, there);
    }

    /// Another worker wants a source's packets, or no longer.
    pub fn note_asked(&mut self, source: u32, worker: u8, wants: bool) {
        put(&mut self.asked, source, worker, wants);
    }

    /// This worker's part has ended.
    pub fn forget(&mut self, conference: u32) {
        self.conferences.remove(&conference);
    }

    pub fn is_empty(&self) -> bool {
        self.conferences.is_empty()
    }

    /// Whether any other worker has a part of the conference.
    pub fn is_split(&self, conference: u32) -> bool {
        self.conferences.contains_key(&conference)
    }

    /// The workers that something of the conference concerns.
    pub fn concerned(&self, conference: u32, concerns: Concerns) -> impl Iterator<Item = u8> {
        let others = self.conferences.get(&conference).copied().unwrap_or(0);
        let mut left = match concerns {
            Concerns::All => others,
            Concerns::WhoAsked(source) => others & self.asked.get(&source).copied().unwrap_or(0),
            Concerns::Nobody => 0,
        };
        std::iter::from_fn(move || {
            let worker = left.trailing_zeros() as u8;
            left &= left.wrapping_sub(1);
            (worker < 32).then_some(worker)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concerned(parts: &Parts, concerns: Concerns) -> Vec<u8> {
        parts.concerned(7, concerns).collect()
    }

    #[test]
    fn sound_goes_to_all_parts_and_pictures_to_who_asked() {
        let mut parts = Parts::default();
        assert!(parts.is_empty() && !parts.is_split(7));
        for worker in [0, 3, 31] {
            parts.note(7, worker, true);
        }
        assert_eq!(concerned(&parts, Concerns::All), [0, 3, 31]);
        assert!(concerned(&parts, Concerns::WhoAsked(5)).is_empty());
        assert!(concerned(&parts, Concerns::Nobody).is_empty());
        for worker in [0, 2, 31] {
            parts.note_asked(5, worker, true);
        }
        assert_eq!(concerned(&parts, Concerns::WhoAsked(5)), [0, 31]);
        parts.note_asked(5, 31, false);
        assert_eq!(concerned(&parts, Concerns::WhoAsked(5)), [0]);
        parts.note(7, 0, false);
        assert!(concerned(&parts, Concerns::WhoAsked(5)).is_empty());
    }

    #[test]
    fn nothing_is_left_of_what_has_ended() {
        let mut parts = Parts::default();
        for conference in 0..100 {
            parts.note(conference, 1, true);
            parts.note_asked(conference, 1, true);
            parts.note_asked(conference, 1, false);
            if conference % 2 == 0 {
                parts.note(conference, 1, false);
            } else {
                parts.forget(conference);
            }
        }
        assert!(parts.is_empty() && parts.asked.is_empty());
        // Nobody is asked by a worker that there cannot be.
        parts.note(1, 32, true);
        assert!(!parts.is_split(1));
    }
}
