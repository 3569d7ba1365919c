//! No input breaks the machine, whatever it is.

use super::*;

/// xorshift, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

const ROUNDS: usize = if cfg!(debug_assertions) { 100_000 } else { 5_000_000 };

#[test]
fn parsers_survive_every_length_and_random_bytes() {
    let map =
        crate::media::extension::ExtensionMap::new(&[HeaderExtension { id: 1, uri: TCC.into() }]);
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut data = [0u8; 2048];
    let mut round = 0;
    while round < ROUNDS {
        round += 1;
        let length = if round <= 2049 { round - 1 } else { random.next() as usize % 120 };
        for chunk in data[..length].chunks_mut(8) {
            chunk.copy_from_slice(&random.next().to_le_bytes()[..chunk.len()]);
        }
        if length > 12 && random.next() % 4 != 0 {
            data[0] = 0x80 | data[0] & 0x3f;
            data[1] = [data[1], 200, 201, 205, 206][random.next() as usize % 5];
            data[2..4].copy_from_slice(&((length as u16 / 4).saturating_sub(1)).to_be_bytes());
        }
        let input = &data[..length];
        if let Some(header) = crate::media::rtp::Header::parse(input, &map) {
            assert!(header.payload_start <= header.payload_end && header.payload_end <= length);
        }
        for packet in rtcp::parse(input) {
            match packet {
                Rtcp::SenderReport { reports, .. } | Rtcp::ReceiverReport { reports } => {
                    assert!(rtcp::report_blocks(reports).count() <= 31);
                }
                Rtcp::Nack { items, .. } => assert!(rtcp::nacked(items).count() <= 17 * 512),
                Rtcp::Fir { entries } => assert!(rtcp::fir_ssrcs(entries).count() <= 256),
                _ => {}
            }
        }
        crate::media::fuzzing::codecs(input);
    }
}

#[test]
fn the_whole_path_survives_hostile_participants() {
    let mut room = Room::new();
    room.route(RECEIVER, VIDEO, SLOT, 2);
    room.route(RECEIVER, AUDIO, SLOT + 2, 0);
    room.route(12, VIDEO, SLOT, 1);
    let mut random = Random(99);
    for _ in 0..ROUNDS / 5 {
        let mut packet = packet(
            [111, 100, 96, 107, 127][random.next() as usize % 5],
            [500, 600, 601, 602, 700, 701, 702, 9][random.next() as usize % 8],
            random.next() as u16 >> (random.next() % 12),
            random.next() as u32,
            random.next() % 2 == 0,
            &random.next().to_be_bytes()[..random.next() as usize % 9],
        );
        packet[0] = 0x80 | (random.next() as u8 & random.next() as u8 & 0x3f);
        room.now += random.next() % (MS << (random.next() % 12));
        room.media.receive_rtp(room.now, SENDER, &mut packet, &mut room.out);
        let mut compound = [0; 32];
        for chunk in compound.chunks_mut(8) {
            chunk.copy_from_slice(&random.next().to_be_bytes());
        }
        compound[0] = 0x80 | compound[0] & 0x1f;
        compound[1] = [200, 201, 205, 206][random.next() as usize % 4];
        compound[2..4].copy_from_slice(&[0, 7]);
        compound[8..12].copy_from_slice(&(SLOT + (random.next() % 3) as u32).to_be_bytes());
        room.media.receive_rtcp(room.now, RECEIVER, &compound, &mut room.out);
        if room.media.next_timeout().is_some_and(|at| at <= room.now) {
            room.media.timeout(room.now, &mut room.out);
        }
        room.out = Collected::default();
    }
    assert!(room.media.stats().rtp_forwarded > 0);
}
