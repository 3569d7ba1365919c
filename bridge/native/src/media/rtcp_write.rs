//! Writing RTCP packets.  Each writer fills the beginning of a buffer and gives the length; a
//! buffer that is too small gets nothing and 0.

use super::rtcp::{ReportBlock, REPORT_BLOCK};

/// Blocks in one report (RFC 3550, 6.4.1).
pub const MAX_BLOCKS: usize = 31;
/// Numbers in one NACK, so that it fits a datagram even if each takes an item.
pub const MAX_NACKED: usize = 128;

fn header(buffer: &mut [u8], length: usize, count: u8, kind: u8) -> Option<&mut [u8]> {
    let packet = buffer.get_mut(..length)?;
    packet[0] = 0x80 | count & 0x1f;
    packet[1] = kind;
    packet[2..4].copy_from_slice(&((length / 4 - 1) as u16).to_be_bytes());
    Some(packet)
}

fn put(packet: &mut [u8], at: usize, value: u32) {
    packet[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

/// RFC 3550, 6.4.2; blocks beyond 31 are left out.
pub fn receiver_report(buffer: &mut [u8], ssrc: u32, blocks: &[ReportBlock]) -> usize {
    let blocks = &blocks[..blocks.len().min(MAX_BLOCKS)];
    let length = 8 + REPORT_BLOCK * blocks.len();
    let Some(packet) = header(buffer, length, blocks.len() as u8, 201) else {
        return 0;
    };
    put(packet, 4, ssrc);
    for (index, block) in blocks.iter().enumerate() {
        let at = 8 + REPORT_BLOCK * index;
        put(packet, at, block.ssrc);
        let lost = u32::from(block.fraction_lost) << 24 | block.cumulative_lost.min(0x7f_ffff);
        put(packet, at + 4, lost);
        put(packet, at + 8, block.highest);
        put(packet, at + 12, block.jitter);
        put(packet, at + 16, block.last_sender_report);
        put(packet, at + 20, block.delay);
    }
    length
}

/// RFC 3550, 6.4.1, without report blocks.
pub fn sender_report(
    buffer: &mut [u8],
    ssrc: u32,
    ntp: u64,
    timestamp: u32,
    packets: u32,
    octets: u32,
) -> usize {
    let Some(packet) = header(buffer, 28, 0, 200) else {
        return 0;
    };
    put(packet, 4, ssrc);
    packet[8..16].copy_from_slice(&ntp.to_be_bytes());
    put(packet, 16, timestamp);
    put(packet, 20, packets);
    put(packet, 24, octets);
    28
}

/// RFC 4585, 6.3.1.
pub fn pli(buffer: &mut [u8], sender_ssrc: u32, media_ssrc: u32) -> usize {
    let Some(packet) = header(buffer, 12, 1, 206) else {
        return 0;
    };
    put(packet, 4, sender_ssrc);
    put(packet, 8, media_ssrc);
    12
}

/// RFC 4585, 6.2.1; `numbers` ascending, those beyond [`MAX_NACKED`] are left out.
pub fn nack(buffer: &mut [u8], sender_ssrc: u32, media_ssrc: u32, numbers: &[u16]) -> usize {
    let mut items = [(0u16, 0u16); MAX_NACKED];
    let mut used = 0;
    for &number in numbers.iter().take(MAX_NACKED) {
        if let Some((id, mask)) = items[..used].last_mut() {
            let ahead = number.wrapping_sub(*id);
            if (1..=16).contains(&ahead) {
                *mask |= 1 << (ahead - 1);
                continue;
            }
        }
        items[used] = (number, 0);
        used += 1;
    }
    let length = 12 + 4 * used;
    let Some(packet) = header(buffer, length, 1, 205) else {
        return 0;
    };
    put(packet, 4, sender_ssrc);
    put(packet, 8, media_ssrc);
    for (index, (id, mask)) in items[..used].iter().enumerate() {
        put(packet, 12 + 4 * index, u32::from(*id) << 16 | u32::from(*mask));
    }
    length
}
