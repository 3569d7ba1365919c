//! What was sent to one receiver under which transport-wide number, until it is acknowledged.

use super::super::interface::Time;
use super::super::sequence;

/// Packets that are remembered; a power of two.  At the highest rate about two seconds.
const PACKETS: u64 = 4096;
/// Streams that are remembered; a power of two.
const STREAMS: usize = 128;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Unused,
    InFlight,
    /// Reported as not received; it may be reported as received yet.
    Lost,
    /// The same, of a stream that the receiver did not know.
    Unheard,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    number: u64,
    sent_at: Time,
    ssrc: u32,
    /// In bytes on the way.
    size: u16,
    /// Of a probe, 0 for none.
    cluster: u8,
    state: State,
}

/// What a receiver says of one packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrival {
    pub sent_at: Time,
    /// In nanoseconds of a clock of the receiver's; None: not received.
    pub arrived: Option<i64>,
    /// In bytes.
    pub size: u32,
    pub cluster: u8,
    /// It was said before that it was not received: it only came late.
    pub given_up: bool,
    /// It was not received, like everything so far of its stream: receivers that have not been
    /// told of a stream yet throw its packets away before they count them.
    pub unheard: bool,
}

/// The streams of which something has come.  Of two with one place the later one stays.
#[derive(Debug)]
struct Heard([u32; STREAMS]);

impl Heard {
    fn place(ssrc: u32) -> usize {
        (ssrc.wrapping_mul(0x9e37_79b1) >> 25) as usize % STREAMS
    }

    fn add(&mut self, ssrc: u32) {
        self.0[Self::place(ssrc)] = ssrc;
    }

    fn contains(&self, ssrc: u32) -> bool {
        self.0[Self::place(ssrc)] == ssrc
    }
}

#[derive(Debug)]
pub struct History {
    sent: Box<[Sent]>,
    /// The number of the next packet, never below 2^16.
    next: u64,
    heard: Heard,
}

impl Default for History {
    fn default() -> Self {
        History {
            sent: vec![Sent::default(); PACKETS as usize].into(),
            next: sequence::first(1),
            heard: Heard([0; STREAMS]),
        }
    }
}

impl History {
    /// Note a packet that goes out now, and give it its number.
    pub fn record(&mut self, now: Time, ssrc: u32, size: usize, cluster: u8) -> u16 {
        let number = self.next;
        self.next += 1;
        self.sent[(number % PACKETS) as usize] = Sent {
            number,
            sent_at: now,
            ssrc,
            size: u16::try_from(size).unwrap_or(u16::MAX),
            cluster,
            state: State::InFlight,
        };
        number as u16
    }

    /// What is known of a packet that the receiver speaks of; None if it is not remembered, or
    /// nothing new is said.
    pub fn resolve(&mut self, number: u16, arrived: Option<i64>) -> Option<Arrival> {
        let number = sequence::extend(self.next - 1, number);
        let sent = &mut self.sent[(number % PACKETS) as usize];
        if sent.number != number || sent.state == State::Unused {
            return None;
        }
        let reported = matches!(sent.state, State::Lost | State::Unheard);
        if arrived.is_none() && reported {
            return None;
        }
        let given_up = sent.state == State::Lost;
        if arrived.is_some() {
            self.heard.add(sent.ssrc);
        }
        let unheard = !self.heard.contains(sent.ssrc);
        sent.state = match arrived {
            Some(_) => State::Unused,
            None if unheard => State::Unheard,
            None => State::Lost,
        };
        Some(Arrival {
            sent_at: sent.sent_at,
            arrived,
            size: u32::from(sent.size),
            cluster: sent.cluster,
            given_up,
            unheard,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_found_once_across_the_wrap() {
        let mut history = History::default();
        assert_eq!(history.record(1, 5, 100, 0), 1);
        for at in 2..=70_000u64 {
            history.record(at, 5, 100, 0);
        }
        let last = (70_000 % 65_536) as u16;
        assert_eq!(history.resolve(last, Some(5)).map(|sent| sent.sent_at), Some(70_000));
        assert_eq!(history.resolve(last, Some(5)), None);
        assert_eq!(history.resolve(last.wrapping_add(1), Some(5)), None, "not sent yet");
        assert_eq!(history.resolve(last.wrapping_sub(4096), Some(5)), None, "forgotten");
        assert!(history.resolve(last.wrapping_sub(4095), Some(5)).is_some());
    }

    #[test]
    fn a_packet_that_was_given_up_may_come_yet() {
        let mut history = History::default();
        let first = history.record(6, 5, 100, 0);
        assert!(history.resolve(first, Some(8)).is_some());
        let number = history.record(7, 5, 100, 3);
        assert_eq!(history.resolve(number, None).map(|sent| sent.arrived), Some(None));
        assert_eq!(history.resolve(number, None), None);
        assert_eq!(history.resolve(number, Some(9)).map(|sent| sent.cluster), Some(3));
        assert_eq!(history.resolve(number, None), None);
    }

    #[test]
    fn what_a_receiver_does_not_know_is_told_from_what_is_lost() {
        let mut history = History::default();
        let early: Vec<u16> = (0..3).map(|at| history.record(at, 5, 100, 0)).collect();
        let of_another = history.record(3, 6, 100, 0);
        assert!(!history.resolve(of_another, Some(1)).unwrap().unheard);
        assert!(history.resolve(early[0], None).unwrap().unheard);
        assert_eq!(history.resolve(early[0], None), None, "said once");
        assert!(!history.resolve(early[1], Some(2)).unwrap().unheard);
        assert!(!history.resolve(early[2], None).unwrap().unheard);
        let late = history.resolve(early[0], Some(3)).unwrap();
        assert!(!late.given_up, "it never counted as lost");
    }
}

#[cfg(test)]
mod table;
