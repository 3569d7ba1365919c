//! Redundant audio (RFC 2198): a packet that carries, besides its own frame, those before it.

/// Redundant blocks that are read; encoders send one to three.
pub const MAX_BLOCKS: usize = 8;

/// A redundant block; positions are within the packet's payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    pub payload_type: u8,
    /// How much older than the packet, in timestamp units.
    pub age: u32,
    pub start: usize,
    pub end: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Red {
    blocks: [Block; MAX_BLOCKS],
    count: usize,
    /// The packet's own frame.
    pub primary: Block,
}

impl Red {
    /// Read a payload; None if it is none, has too many blocks or no frame of its own.
    pub fn parse(payload: &[u8]) -> Option<Red> {
        let mut blocks = [Block::default(); MAX_BLOCKS];
        let mut count = 0;
        let mut at = 0;
        let own = loop {
            let first = *payload.get(at)?;
            if first & 0x80 == 0 {
                at += 1;
                break first;
            }
            let [_, high, middle, low] = *payload.get(at..at + 4)? else {
                return None;
            };
            let length = usize::from(middle & 0x03) << 8 | usize::from(low);
            *blocks.get_mut(count)? = Block {
                payload_type: first & 0x7f,
                age: u32::from(high) << 6 | u32::from(middle >> 2),
                start: 0,
                end: length,
            };
            count += 1;
            at += 4;
        };
        for block in blocks.iter_mut().take(count) {
            block.start = at;
            block.end += at;
            at = block.end;
        }
        if at >= payload.len() {
            return None;
        }
        let primary = Block { payload_type: own, age: 0, start: at, end: payload.len() };
        Some(Red { blocks, count, primary })
    }

    /// The frame of the packet so many before this one, of the same codec.  Encoders put the
    /// oldest first and leave none out.
    pub fn before(&self, distance: usize) -> Option<Block> {
        let block = *self.blocks.get(..self.count)?.get(self.count.checked_sub(distance)?)?;
        let fits = block.payload_type == self.primary.payload_type
            && block.start < block.end
            && block.age > 0;
        fits.then_some(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks as (payload type, age, data), then the primary's.
    fn red(blocks: &[(u8, u16, &[u8])], own: u8, primary: &[u8]) -> Vec<u8> {
        let mut payload = Vec::new();
        for (kind, age, data) in blocks {
            let low = u32::from(*age) << 10 | data.len() as u32;
            payload.extend((u32::from(0x80 | kind) << 24 | low).to_be_bytes());
        }
        payload.push(own);
        blocks.iter().for_each(|(_, _, data)| payload.extend(*data));
        payload.extend(primary);
        payload
    }

    #[test]
    fn blocks_are_found_from_the_newest() {
        let payload = red(&[(111, 1920, &[1, 2]), (111, 960, &[3])], 111, &[4, 5, 6]);
        let red = Red::parse(&payload).unwrap();
        let data = |block: Block| payload[block.start..block.end].to_vec();
        assert_eq!((red.primary.payload_type, data(red.primary)), (111, vec![4, 5, 6]));
        let newest = red.before(1).unwrap();
        assert_eq!((newest.age, data(newest)), (960, vec![3]));
        let oldest = red.before(2).unwrap();
        assert_eq!((oldest.age, data(oldest)), (1920, vec![1, 2]));
        assert_eq!((red.before(3), red.before(0)), (None, None));
    }

    #[test]
    fn the_example_packet_of_rfc_2198() {
        // DVI4 (5) of 84 bytes, and 14 bytes of LPC (7) that are 20 ms older at 8 kHz.
        let mut payload = vec![0x87, 160 >> 6, (160 & 0x3f) << 2, 14, 5];
        payload.extend([7; 14]);
        payload.extend([5; 84]);
        let red = Red::parse(&payload).unwrap();
        assert_eq!((red.primary.payload_type, red.primary.end - red.primary.start), (5, 84));
        assert_eq!(red.before(1), None, "of another codec");
    }

    #[test]
    fn what_lies_about_its_length_is_refused() {
        let whole = red(&[(111, 960, &[3, 3, 3])], 111, &[4]);
        for length in 0..whole.len() {
            assert_eq!(Red::parse(&whole[..length]), None, "{length}");
        }
        assert!(Red::parse(&whole).is_some());
        assert!(Red::parse(&red(&[], 111, &[4])).is_some());
        assert_eq!(Red::parse(&red(&[], 111, &[])), None);
        let many = vec![(111u8, 960u16, &[1u8][..]); MAX_BLOCKS + 1];
        assert_eq!(Red::parse(&red(&many, 111, &[4])), None);
        assert!(Red::parse(&red(&many[1..], 111, &[4])).is_some());
    }

    #[test]
    fn empty_and_unaged_blocks_recover_nothing() {
        let payload = red(&[(111, 0, &[1]), (111, 960, &[])], 111, &[4]);
        let red = Red::parse(&payload).unwrap();
        assert_eq!((red.before(1), red.before(2)), (None, None));
    }
}
