//! The payload types of a transport, and how a sender's map to a receiver's.

use super::codec::Codec;
use super::interface::PayloadType;

/// What an incoming payload type means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    pub codec: Codec,
    pub clock_rate: u32,
    /// Of `rtx` and `red`: the payload type within.
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
            let carries = matches!(codec, Codec::Rtx | Codec::Red);
            if entry.clock_rate == 0 || (carries && entry.retransmits.is_none()) {
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

    /// What to send packets without content as: the first video codec that has transport-wide
    /// feedback.
    pub fn padding(&self) -> Option<u8> {
        let video = |entry: &&PayloadType| {
            let codec = Codec::from_name(&entry.codec);
            entry.transport_cc && entry.id < 128 && !codec.is_audio() && codec != Codec::Rtx
        };
        self.list.iter().find(video).map(|entry| entry.id)
    }

    /// How to send to `receiver` what comes as `payload_type`: the same number if it means the
    /// same there, otherwise the first of the same name and clock rate; None if there is none.
    ///
    /// What comes as `red` goes on as such only if the blocks within mean the same there,
    /// otherwise as what they carry.
    pub fn map(&self, payload_type: u8, receiver: &PayloadTypes) -> Option<Mapping> {
        let ours = self.list.iter().find(|entry| entry.id == payload_type)?;
        if let (Codec::Red, Some(primary)) = (Codec::from_name(&ours.codec), ours.retransmits) {
            let plain = self.map_plain(
                self.list.iter().find(|entry| {
                    entry.id == primary && Codec::from_name(&entry.codec) == Codec::Audio
                })?,
                receiver,
            )?;
            let red = self.map_plain(ours, receiver).filter(|red| {
                let within = receiver.meaning(red.payload_type).map(|red| red.retransmits);
                plain.payload_type == primary && within == Some(primary)
            });
            return Some(red.unwrap_or(plain));
        }
        self.map_plain(ours, receiver)
    }

    fn map_plain(&self, ours: &PayloadType, receiver: &PayloadTypes) -> Option<Mapping> {
        let payload_type = ours.id;
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
    fn red_goes_on_only_where_its_blocks_mean_the_same() {
        let opus = |id| entry(id, "opus", None);
        let sender = PayloadTypes::new(vec![opus(111), entry(63, "red", Some(111))]);
        let mapped = |receiver: Vec<PayloadType>| {
            sender.map(63, &PayloadTypes::new(receiver)).map(|to| (to.codec, to.payload_type))
        };
        let red = |id, within| entry(id, "red", within);
        assert_eq!(mapped(vec![red(63, Some(111)), opus(111)]), Some((Codec::Red, 63)));
        assert_eq!(mapped(vec![red(64, Some(111)), opus(111)]), Some((Codec::Red, 64)));
        assert_eq!(mapped(vec![opus(111)]), Some((Codec::Audio, 111)));
        assert_eq!(mapped(vec![red(63, Some(109)), opus(109)]), Some((Codec::Audio, 109)));
        assert_eq!(mapped(vec![red(63, None), opus(111)]), Some((Codec::Audio, 111)));
        assert_eq!(mapped(vec![red(63, Some(111))]), None);
        // Red within red is none, and red of nothing is not even taken.
        let nested = PayloadTypes::new(vec![red(63, Some(63)), opus(111)]);
        assert_eq!(nested.map(63, &nested), None);
        assert_eq!(PayloadTypes::new(vec![red(63, None), opus(111)]).meaning(63), None);
    }

    #[test]
    fn impossible_entries_mean_nothing() {
        let table = PayloadTypes::new(vec![entry(200, "vp8", None), entry(96, "rtx", None)]);
        assert_eq!(table.meaning(96), None);
        assert_eq!(table.map(200, &table), None);
    }
}
