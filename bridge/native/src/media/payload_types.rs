//! The payload types of a transport, and how a sender's map to a receiver's.

use super::codec::Codec;
use super::interface::PayloadType;

/// What an incoming payload type means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    pub codec: Codec,
    pub clock_rate: u32,
    pub retransmits: u8,
    pub nack: bool,
    pub transport_cc: bool,
}

/// How a receiver wants a codec sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub codec: Codec,
    pub payload_type: u8,
    pub rtx: Option<u8>,
    pub nack: bool,
    pub transport_cc: bool,
}

#[derive(Clone, Debug, Default)]
pub struct PayloadTypes {
    list: Vec<PayloadType>,
    meanings: Vec<Option<Meaning>>,
}

impl PayloadTypes {
    /// Entries with an id above 127 or clock rate 0 are left out.
    pub fn new(list: Vec<PayloadType>) -> Self {
        let mut meanings = vec![None; 128];
        for entry in &list {
            let Some(place) = meanings.get_mut(usize::from(entry.id)) else {
                continue;
            };
            let codec = Codec::from_name(&entry.codec);
            if entry.clock_rate == 0 || (codec == Codec::Rtx && entry.retransmits.is_none()) {
                continue;
            }
            *place = Some(Meaning {
                codec,
                clock_rate: entry.clock_rate,
                retransmits: entry.retransmits.unwrap_or(0),
                nack: entry.nack,
                transport_cc: entry.transport_cc,
            });
        }
        PayloadTypes { list, meanings }
    }

    pub fn meaning(&self, payload_type: u8) -> Option<Meaning> {
        self.meanings.get(usize::from(payload_type)).copied().flatten()
    }

    /// Whether any payload type wants transport-wide feedback.
    pub fn transport_cc(&self) -> bool {
        self.list.iter().any(|entry| entry.transport_cc)
    }

    /// How to send to `receiver` what comes as `payload_type`: the same number if it means the
    /// same there, otherwise the first of the same name and clock rate; None if there is none.
    pub fn map(&self, payload_type: u8, receiver: &PayloadTypes) -> Option<Mapping> {
        let ours = self.list.iter().find(|entry| entry.id == payload_type)?;
        let same = |theirs: &&PayloadType| {
            theirs.codec == ours.codec && theirs.clock_rate == ours.clock_rate && theirs.id < 128
        };
        let theirs = receiver
            .list
            .iter()
            .filter(same)
            .find(|theirs| theirs.id == payload_type)
            .or_else(|| receiver.list.iter().find(same))?;
        let rtx = receiver.list.iter().find(|entry| {
            entry.codec == "rtx" && entry.retransmits == Some(theirs.id) && entry.id < 128
        });
        Some(Mapping {
            codec: Codec::from_name(&theirs.codec),
            payload_type: theirs.id,
            rtx: rtx.map(|entry| entry.id),
            nack: theirs.nack,
            transport_cc: theirs.transport_cc,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: u8, codec: &str, retransmits: Option<u8>) -> PayloadType {
        PayloadType {
            id,
            codec: codec.into(),
            clock_rate: 90_000,
            retransmits,
            nack: retransmits.is_none(),
            pli: true,
            transport_cc: true,
        }
    }

    #[test]
    fn numbers_are_kept_or_mapped_by_name() {
        let sender = PayloadTypes::new(vec![
            entry(100, "vp8", None),
            entry(96, "rtx", Some(100)),
            entry(101, "vp9", None),
            entry(102, "vp9", None),
        ]);
        let receiver = PayloadTypes::new(vec![
            entry(98, "vp8", None),
            entry(99, "rtx", Some(98)),
            entry(101, "vp9", None),
            entry(102, "vp9", None),
        ]);
        let mapped = sender.map(100, &receiver).unwrap();
        assert_eq!((mapped.payload_type, mapped.rtx), (98, Some(99)));
        let mapped = sender.map(102, &receiver).unwrap();
        assert_eq!((mapped.payload_type, mapped.rtx), (102, None));
        assert_eq!(sender.map(41, &receiver), None);
        assert_eq!(sender.map(101, &PayloadTypes::default()), None);
        assert_eq!(sender.meaning(96).map(|meaning| meaning.retransmits), Some(100));
        assert_eq!(sender.meaning(97), None);
    }

    #[test]
    fn impossible_entries_mean_nothing() {
        let table = PayloadTypes::new(vec![entry(200, "vp8", None), entry(96, "rtx", None)]);
        assert_eq!(table.meaning(96), None);
        assert_eq!(table.map(200, &table), None);
    }
}
