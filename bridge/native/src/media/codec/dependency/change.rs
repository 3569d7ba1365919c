//! Changing a descriptor for a receiver: its numbers, and which decode targets it says are active.

use super::{read_structure, Bits, Layout, FLAGS, MANDATORY, MAX_DESCRIPTOR};

/// How to change a descriptor for a receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub frame: u16,
    /// Added to template ids.
    pub templates: u8,
    /// Which of `targets` are active, if that is to be said (`targets` > 0).
    pub mask: u32,
    pub targets: u8,
}

/// The number of a descriptor's frame.
pub fn frame_number(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(1)?, *bytes.get(2)?]))
}

/// How far the bits before the mask go in a descriptor that was sent; see [`Layout`].
pub fn layout(bytes: &[u8]) -> Option<Layout> {
    let mut bits = Bits { bytes, at: MANDATORY };
    let mut layout = Layout { structure_end: MANDATORY as u16, ..Layout::default() };
    if bytes.len() > MANDATORY / 8 {
        layout.structure = bits.flag()?;
        layout.says_active = bits.flag()?;
        bits.at = MANDATORY + FLAGS;
        if layout.structure {
            read_structure(&mut bits)?;
        }
        layout.structure_end = bits.at as u16;
    }
    Some(layout)
}

struct Writer<'a> {
    bytes: &'a mut [u8; MAX_DESCRIPTOR],
    at: usize,
}

impl Writer<'_> {
    fn write(&mut self, value: u32, count: usize) -> Option<()> {
        for bit in (0..count).rev() {
            let place = self.bytes.get_mut(self.at / 8)?;
            *place |= ((value >> bit & 1) as u8) << (7 - self.at % 8);
            self.at += 1;
        }
        Some(())
    }

    fn copy(&mut self, bits: &mut Bits<'_>, mut count: usize) -> Option<()> {
        while count > 0 {
            let step = count.min(24);
            let value = bits.read(step)?;
            self.write(value, step)?;
            count -= step;
        }
        Some(())
    }
}

/// Write `bytes` changed into `out`; the length, or None if it does not fit or was never a
/// descriptor.
pub fn rewrite(
    bytes: &[u8],
    layout: Layout,
    change: &Change,
    out: &mut [u8; MAX_DESCRIPTOR],
) -> Option<usize> {
    let [first, _, _, rest @ ..] = bytes else {
        return None;
    };
    let template = first.wrapping_add(change.templates) & 0x3f;
    let [high, low] = change.frame.to_be_bytes();
    out[..3].copy_from_slice(&[first & 0xc0 | template, high, low]);
    let adds_mask = change.targets > 0;
    if rest.is_empty() && !adds_mask {
        return Some(3);
    }
    if !layout.structure && !adds_mask {
        out.get_mut(3..bytes.len())?.copy_from_slice(rest);
        return Some(bytes.len());
    }
    out[3..].fill(0);
    let mut writer = Writer { bytes: out, at: MANDATORY };
    if rest.is_empty() {
        writer.write(0b01000, FLAGS)?;
        writer.write(change.mask, usize::from(change.targets))?;
        return Some(writer.at.div_ceil(8));
    }
    let mut bits = Bits { bytes, at: MANDATORY };
    let flags = bits.read(FLAGS)?;
    writer.write(if adds_mask { flags | 0b01000 } else { flags }, FLAGS)?;
    if layout.structure {
        let offset = (bits.read(6)? as u8).wrapping_add(change.templates) & 0x3f;
        writer.write(u32::from(offset), 6)?;
    }
    let structure = usize::from(layout.structure_end).checked_sub(bits.at)?;
    writer.copy(&mut bits, structure)?;
    if adds_mask {
        writer.write(change.mask, usize::from(change.targets))?;
        if layout.says_active {
            bits.read(usize::from(change.targets))?;
        }
    }
    let left = (8 * bytes.len()).checked_sub(bits.at)?;
    writer.copy(&mut bits, left)?;
    Some(writer.at.div_ceil(8))
}
