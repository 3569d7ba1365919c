//! Reading RTCP compound packets (RFC 3550, 6; RFC 4585; RFC 5104; REMB).

/// One report block (RFC 3550, 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    pub ssrc: u32,
    /// In 1/256.
    pub fraction_lost: u8,
    /// At most 2^23 - 1; what others report as negative is 0 here.
    pub cumulative_lost: u32,
    pub highest: u32,
    pub jitter: u32,
    pub last_sender_report: u32,
    /// In 1/65536 s.
    pub delay: u32,
}

pub const REPORT_BLOCK: usize = 24;

/// One packet of a compound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rtcp<'a> {
    SenderReport {
        ssrc: u32,
        ntp: u64,
        timestamp: u32,
        reports: &'a [u8],
    },
    ReceiverReport {
        reports: &'a [u8],
    },
    /// `items` are pairs of packet id and bit mask (RFC 4585, 6.2.1), see [`nacked`].
    Nack {
        media_ssrc: u32,
        items: &'a [u8],
    },
    Pli {
        media_ssrc: u32,
    },
    /// `entries` are 8 bytes each, beginning with the SSRC.
    Fir {
        entries: &'a [u8],
    },
    /// `bitrate` in bit/s, saturating.
    Remb {
        bitrate: u64,
        ssrcs: &'a [u8],
    },
    TransportFeedback {
        body: &'a [u8],
    },
    Other,
}

/// The packets of a compound; ends at the first malformed one.
#[derive(Clone, Copy, Debug)]
pub struct Compound<'a> {
    rest: &'a [u8],
}

pub fn parse(compound: &[u8]) -> Compound<'_> {
    Compound { rest: compound }
}

fn word(data: &[u8], at: usize) -> Option<u32> {
    let bytes = data.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

impl<'a> Compound<'a> {
    /// The next packet's kind, its count or format, and its body without padding.
    fn packet(&mut self) -> Option<(u8, u8, &'a [u8])> {
        let header = word(self.rest, 0)?;
        let first = (header >> 24) as u8;
        let length = 4 * (header as usize & 0xffff) + 4;
        if first >> 6 != 2 || length > self.rest.len() {
            self.rest = &[];
            return None;
        }
        let (packet, rest) = self.rest.split_at(length);
        self.rest = rest;
        let mut body = packet.get(4..)?;
        if first & 0x20 != 0 {
            let padding = usize::from(body.last().copied().unwrap_or(0));
            if padding == 0 || padding > body.len() {
                self.rest = &[];
                return None;
            }
            body = body.get(..body.len() - padding)?;
        }
        Some(((header >> 16) as u8, first & 0x1f, body))
    }
}

impl<'a> Iterator for Compound<'a> {
    type Item = Rtcp<'a>;

    fn next(&mut self) -> Option<Rtcp<'a>> {
        let (kind, count, body) = self.packet()?;
        Some(read(kind, usize::from(count), body).unwrap_or(Rtcp::Other))
    }
}

/// The packets of a compound that are understood, each as a header that fits and its body without
/// what somebody may have appended.
pub fn understood(compound: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut packets = parse(compound);
    let packets = std::iter::from_fn(move || packets.packet());
    packets.filter_map(|(kind, count, body)| {
        let length = match read(kind, usize::from(count), body)? {
            Rtcp::SenderReport { reports, .. } => 24 + reports.len(),
            Rtcp::ReceiverReport { reports } => 4 + reports.len(),
            Rtcp::Nack { items, .. } => 8 + items.len(),
            Rtcp::Pli { .. } => 8,
            Rtcp::Fir { entries } => 8 + entries.len(),
            Rtcp::Remb { ssrcs, .. } => 16 + ssrcs.len(),
            Rtcp::TransportFeedback { body } => 4 + body.len(),
            Rtcp::Other => return None,
        };
        let words = length / 4;
        let [high, low] = u16::try_from(words).ok()?.to_be_bytes();
        Some(([0x80 | count, kind, high, low], body.get(..4 * words)?))
    })
}

fn read(kind: u8, count: usize, body: &[u8]) -> Option<Rtcp<'_>> {
    Some(match (kind, count) {
        (200, _) => Rtcp::SenderReport {
            ssrc: word(body, 0)?,
            ntp: u64::from(word(body, 4)?) << 32 | u64::from(word(body, 8)?),
            timestamp: word(body, 12)?,
            reports: body.get(24..24 + REPORT_BLOCK * count)?,
        },
        (201, _) => Rtcp::ReceiverReport { reports: body.get(4..4 + REPORT_BLOCK * count)? },
        (205, 1) => Rtcp::Nack { media_ssrc: word(body, 4)?, items: body.get(8..)? },
        (205, 15) => Rtcp::TransportFeedback { body: body.get(4..)? },
        (206, 1) => Rtcp::Pli { media_ssrc: word(body, 4)? },
        (206, 4) => Rtcp::Fir { entries: body.get(8..)? },
        (206, 15) if body.get(8..12)? == b"REMB" => {
            let numbers = word(body, 12)?;
            let (exponent, mantissa) = (numbers >> 18 & 0x3f, u64::from(numbers & 0x3_ffff));
            Rtcp::Remb {
                bitrate: if mantissa.leading_zeros() >= exponent {
                    mantissa << exponent
                } else if mantissa == 0 {
                    0
                } else {
                    u64::MAX
                },
                ssrcs: body.get(16..16 + 4 * (numbers >> 24) as usize)?,
            }
        }
        _ => Rtcp::Other,
    })
}

/// The report blocks of a sender or receiver report.
pub fn report_blocks(reports: &[u8]) -> impl Iterator<Item = ReportBlock> + '_ {
    reports.chunks_exact(REPORT_BLOCK).filter_map(|block| {
        let lost = word(block, 4)?;
        let cumulative = lost & 0xff_ffff;
        Some(ReportBlock {
            ssrc: word(block, 0)?,
            fraction_lost: (lost >> 24) as u8,
            cumulative_lost: if cumulative & 0x80_0000 == 0 { cumulative } else { 0 },
            highest: word(block, 8)?,
            jitter: word(block, 12)?,
            last_sender_report: word(block, 16)?,
            delay: word(block, 20)?,
        })
    })
}

/// The sequence numbers of the items of a NACK.
pub fn nacked(items: &[u8]) -> impl Iterator<Item = u16> + '_ {
    items.chunks_exact(4).flat_map(|item| {
        let id = u16::from_be_bytes([item[0], item[1]]);
        let mask = u32::from(u16::from_be_bytes([item[2], item[3]])) << 1 | 1;
        (0..17u16).filter(move |bit| mask & (1 << bit) != 0).map(move |bit| id.wrapping_add(bit))
    })
}

/// The SSRCs that the entries of a FIR name.
pub fn fir_ssrcs(entries: &[u8]) -> impl Iterator<Item = u32> + '_ {
    entries.chunks_exact(8).filter_map(|entry| word(entry, 0))
}

#[cfg(test)]
mod tests {
    use super::super::rtcp_write;
    use super::*;

    #[test]
    fn what_is_written_can_be_read_again() {
        let block = ReportBlock {
            ssrc: 1,
            fraction_lost: 2,
            cumulative_lost: 3,
            highest: 4,
            jitter: 5,
            last_sender_report: 6,
            delay: 7,
        };
        let mut buffer = [0; 1200];
        let mut at = rtcp_write::receiver_report(&mut buffer, 9, &[block, block]);
        at += rtcp_write::sender_report(&mut buffer[at..], 8, 0x1_0000_0002, 3, 4, 5);
        at += rtcp_write::pli(&mut buffer[at..], 9, 77);
        let numbers = [65_530, 65_531, 65_535, 11, 12, 500];
        at += rtcp_write::nack(&mut buffer[at..], 9, 78, &numbers);
        let packets: Vec<_> = parse(&buffer[..at]).collect();
        assert_eq!(packets.len(), 4);
        let Rtcp::ReceiverReport { reports } = packets[0] else { panic!("{packets:?}") };
        assert_eq!(report_blocks(reports).collect::<Vec<_>>(), [block, block]);
        let ntp = 0x1_0000_0002;
        assert_eq!(packets[1], Rtcp::SenderReport { ssrc: 8, ntp, timestamp: 3, reports: &[] });
        assert_eq!(packets[2], Rtcp::Pli { media_ssrc: 77 });
        let Rtcp::Nack { media_ssrc: 78, items } = packets[3] else { panic!("{packets:?}") };
        assert_eq!(nacked(items).collect::<Vec<_>>(), numbers);
        assert_eq!(items.len(), 12);
    }

    #[test]
    fn counts_that_lie() {
        let mut report = vec![0x9f, 201, 0, 1, 0, 0, 0, 1];
        assert_eq!(parse(&report).collect::<Vec<_>>(), [Rtcp::Other]);
        report[3] = 2;
        assert_eq!(parse(&report).count(), 0);
        let remb = [
            0x8f, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, b'R', b'E', b'M', b'B', 0xff, 0xff, 0xff, 0xff,
        ];
        assert_eq!(parse(&remb).collect::<Vec<_>>(), [Rtcp::Other]);
        let mut none = remb;
        none[16] = 0;
        let found: Vec<_> = parse(&none).collect();
        assert_eq!(found, [Rtcp::Remb { bitrate: u64::MAX, ssrcs: &[] }]);
    }

    #[test]
    fn fir_and_padding() {
        let fir = [0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 42, 1, 0, 0, 0];
        let Some(Rtcp::Fir { entries }) = parse(&fir).next() else { panic!() };
        assert_eq!(fir_ssrcs(entries).collect::<Vec<_>>(), [42]);
        let padded = [0xa1, 206, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 4];
        assert_eq!(parse(&padded).collect::<Vec<_>>(), [Rtcp::Pli { media_ssrc: 2 }]);
        let over = [0xa1, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 200];
        assert_eq!(parse(&over).count(), 0);
    }
}
