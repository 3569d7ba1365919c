//! Layers within one stream: VP9's, and those that dependency descriptors tell of.

use super::*;

const DEPENDENCY: &str =
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";

/// A room that VP9 (101) and AV1 (41) are negotiated in, with dependency descriptors as 11.
fn room() -> Room {
    let mut room = Room::new();
    let entry = |id, codec: &str| PayloadType {
        id,
        codec: codec.into(),
        clock_rate: 90_000,
        retransmits: None,
        nack: true,
        pli: true,
        transport_cc: false,
    };
    for transport in [SENDER, RECEIVER] {
        let payload_types = vec![entry(101, "vp9"), entry(41, "av1")];
        room.apply(Command::SetPayloadTypes { transport, payload_types });
        let extensions = vec![HeaderExtension { id: 11, uri: DEPENDENCY.into() }];
        room.apply(Command::SetHeaderExtensions { transport, extensions });
    }
    room
}

fn limit(room: &mut Room, max_encoding: i32, max_spatial: u8, max_temporal: u8) {
    room.apply(Command::SetRoute {
        receiver: RECEIVER,
        source: VIDEO,
        ssrc: SLOT,
        rtx_ssrc: None,
        max_encoding,
        max_spatial,
        max_temporal,
    });
}

/// A sender of VP9 with three spatial layers of one packet each.
struct Vp9 {
    encoding: u32,
    sequence: u16,
    picture: u16,
    tl0: u8,
    /// Only keyframes refer to the layer below (k-SVC).
    key_only: bool,
    layers: u8,
}

impl Vp9 {
    fn new(key_only: bool) -> Self {
        Vp9 { encoding: 0, sequence: 9, picture: 0x7ffd, tl0: 254, key_only, layers: 3 }
    }

    fn payload(&self, key: bool, spatial: u8, temporal: u8, up: bool) -> Vec<u8> {
        let inter_layer = spatial > 0 && (key || !self.key_only);
        let referenced = spatial + 1 < self.layers && (key || !self.key_only);
        let structure = key && spatial == 0;
        let first = 0xa0
            | if key { 0 } else { 0x40 }
            | 0x0c
            | if structure { 0x02 } else { 0 }
            | u8::from(!referenced);
        let layers = temporal << 5 | u8::from(up) << 4 | spatial << 1 | u8::from(inter_layer);
        let [high, low] = (self.picture | 0x8000).to_be_bytes();
        let mut payload = vec![first, high, low, layers, self.tl0];
        if structure {
            payload.push((self.layers - 1) << 5 | 0x10);
            for layer in 0..self.layers {
                payload.extend((320u16 << layer).to_be_bytes());
                payload.extend((180u16 << layer).to_be_bytes());
            }
        }
        payload.extend([spatial; 400]);
        payload
    }

    /// What the receiver gets of one picture.
    fn send(&mut self, room: &mut Room, key: bool, temporal: u8, up: bool) -> Vec<Rtp> {
        self.picture = (self.picture + 1) & 0x7fff;
        self.tl0 = self.tl0.wrapping_add(u8::from(temporal == 0));
        let at = u32::from(self.picture) * 3000;
        let mut sent = Vec::new();
        for spatial in 0..self.layers {
            self.sequence = self.sequence.wrapping_add(1);
            let payload = self.payload(key, spatial, temporal, up);
            let last = spatial + 1 == self.layers;
            let ssrc = 600 + self.encoding;
            sent.extend(room.rtp(SENDER, packet(101, ssrc, self.sequence, at, last, &payload)));
        }
        room.now += 33 * MS;
        sent
    }
}

fn spatials(sent: &[Rtp]) -> Vec<u8> {
    sent.iter().map(|one| one.payload[3] >> 1 & 7).collect()
}

fn markers(sent: &[Rtp]) -> Vec<bool> {
    sent.iter().map(|one| one.marker).collect()
}

fn no_gap(sent: &[Rtp]) {
    for pair in sent.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
    }
}

#[test]
fn a_smaller_size_of_vp9_is_a_stream_of_its_own() {
    let mut room = room();
    limit(&mut room, 0, 1, 7);
    let mut sender = Vp9::new(true);
    let key = sender.send(&mut room, true, 0, true);
    assert_eq!((spatials(&key), markers(&key)), (vec![0, 1], vec![false, true]));
    // Between keyframes nothing refers to the layer below.
    let next = sender.send(&mut room, false, 0, true);
    assert_eq!((spatials(&next), markers(&next)), (vec![1], vec![true]));
    let mut all = [key, next].concat();
    for _ in 0..5 {
        all.extend(sender.send(&mut room, false, 0, true));
    }
    no_gap(&all);
    let ids: Vec<_> =
        all[1..].iter().map(|one| u16::from_be_bytes([one.payload[1], one.payload[2]])).collect();
    for pair in ids.windows(2) {
        assert_eq!(pair[1] & 0x7fff, (pair[0] + 1) & 0x7fff);
    }
}

#[test]
fn more_of_vp9_begins_with_a_keyframe_that_is_asked_for() {
    let mut room = room();
    limit(&mut room, 0, 0, 7);
    let mut sender = Vp9::new(false);
    let mut all = sender.send(&mut room, true, 0, true);
    all.extend(sender.send(&mut room, false, 0, true));
    assert_eq!(spatials(&all), [0, 0]);
    room.advance(SECOND);
    let plis = room.out.plis().len();
    limit(&mut room, 0, 2, 7);
    let waiting = sender.send(&mut room, false, 0, true);
    assert_eq!(spatials(&waiting), [0]);
    assert_eq!(room.out.plis().len(), plis + 1);
    let key = sender.send(&mut room, true, 0, true);
    assert_eq!((spatials(&key), markers(&key)), (vec![0, 1, 2], vec![false, false, true]));
    // Less needs none where the lower layers are forwarded anyway.
    let plis = room.out.plis().len();
    limit(&mut room, 0, 1, 7);
    let less = sender.send(&mut room, false, 0, true);
    assert_eq!((spatials(&less), markers(&less)), (vec![0, 1], vec![false, true]));
    room.advance(SECOND);
    assert_eq!(room.out.plis().len(), plis);
    no_gap(&[all, waiting, key, less].concat());
}

#[test]
fn what_vp9_does_not_refer_to_is_gone_on_with_until_a_keyframe() {
    let mut room = room();
    limit(&mut room, 0, 2, 7);
    let mut sender = Vp9::new(true);
    sender.send(&mut room, true, 0, true);
    assert_eq!(spatials(&sender.send(&mut room, false, 0, true)), [2]);
    room.advance(SECOND);
    let plis = room.out.plis().len();
    limit(&mut room, 0, 0, 7);
    assert_eq!(spatials(&sender.send(&mut room, false, 0, true)), [2]);
    assert_eq!(room.out.plis().len(), plis + 1);
    let key = sender.send(&mut room, true, 0, true);
    assert_eq!((spatials(&key), markers(&key)), (vec![0], vec![true]));
    assert_eq!(spatials(&sender.send(&mut room, false, 0, true)), [0]);
}

#[test]
fn frames_of_vp9_are_left_out_and_taken_up_where_it_says_so() {
    let mut room = room();
    limit(&mut room, 0, 7, 0);
    let mut sender = Vp9::new(true);
    sender.layers = 1;
    let mut all = sender.send(&mut room, true, 0, true);
    assert_eq!(sender.send(&mut room, false, 2, false), []);
    assert_eq!(sender.send(&mut room, false, 1, false), []);
    all.extend(sender.send(&mut room, false, 0, false));
    limit(&mut room, 0, 7, 7);
    assert_eq!(sender.send(&mut room, false, 1, false), []); // may need what was left out
    all.extend(sender.send(&mut room, false, 0, true));
    all.extend(sender.send(&mut room, false, 2, false));
    all.extend(sender.send(&mut room, false, 1, false));
    assert_eq!(all.len(), 5);
    no_gap(&all);
    // Picture ids keep the distances that references are told by.
    let ids: Vec<_> = all
        .iter()
        .map(|one| u16::from_be_bytes([one.payload[1], one.payload[2]]) & 0x7fff)
        .collect();
    let steps: Vec<_> = ids.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]) & 0x7fff).collect();
    assert_eq!(steps, [3, 2, 1, 1]);
}

#[test]
fn a_size_that_vp9_stops_sending_is_done_without() {
    let mut room = room();
    limit(&mut room, 0, 2, 7);
    let mut sender = Vp9::new(false);
    assert_eq!(sender.send(&mut room, true, 0, true).len(), 3);
    sender.layers = 2;
    let sent = sender.send(&mut room, false, 0, true);
    assert_eq!((spatials(&sent), markers(&sent)), (vec![0, 1], vec![false, true]));
    room.advance(SECOND);
    let plis = room.out.plis().len();
    for _ in 0..40 {
        assert_eq!(sender.send(&mut room, false, 0, true).len(), 2);
    }
    assert_eq!(room.out.plis().len(), plis);
}

#[test]
fn vp9_goes_on_from_one_encoding_to_another() {
    let mut room = room();
    limit(&mut room, 0, 7, 7);
    let mut small = Vp9 { layers: 1, ..Vp9::new(true) };
    let mut large =
        Vp9 { encoding: 1, sequence: 30_000, picture: 77, tl0: 3, layers: 1, key_only: true };
    let mut all = small.send(&mut room, true, 0, true);
    all.extend(small.send(&mut room, false, 0, true));
    limit(&mut room, 1, 7, 7);
    all.extend(large.send(&mut room, true, 0, true));
    all.extend(large.send(&mut room, false, 0, true));
    no_gap(&all);
    let numbers: Vec<_> = all
        .iter()
        .map(|one| (u16::from_be_bytes([one.payload[1], one.payload[2]]) & 0x7fff, one.payload[4]))
        .collect();
    for pair in numbers.windows(2) {
        assert_eq!(pair[1], ((pair[0].0 + 1) & 0x7fff, pair[0].1.wrapping_add(1)));
    }
}

#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn put(&mut self, value: u32, count: usize) -> &mut Self {
        self.0.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| {
            bits.iter().enumerate().fold(0, |byte, (at, bit)| byte | u8::from(*bit) << (7 - at))
        };
        self.0.chunks(8).map(byte).collect()
    }
}

/// A sender of AV1 with three spatial layers, in the manner of L3T1 or L3T1_KEY.
struct Av1 {
    encoding: u32,
    sequence: u16,
    frame: u16,
    offset: u8,
    key_only: bool,
}

/// Three templates of keyframes and three of others, by spatial layer; three decode targets.
impl Av1 {
    fn indications(&self, template: u8) -> [u32; 3] {
        let (key, spatial) = (template < 3, template % 3);
        [0, 1, 2].map(|target| match (spatial.cmp(&target), key || !self.key_only) {
            (std::cmp::Ordering::Equal, true) if !key => 3, // it needs what came before
            (std::cmp::Ordering::Equal, _) => 2,
            (std::cmp::Ordering::Less, true) => 3,
            _ => 0,
        })
    }

    fn references(&self, template: u8) -> Vec<u32> {
        match (template, self.key_only) {
            (0, _) => vec![],
            (1 | 2, _) => vec![1],
            (3, _) | (_, true) => vec![3],
            (_, false) => vec![1, 3],
        }
    }

    fn descriptor(&self, template: u8, attached: bool) -> Vec<u8> {
        let mut bits = Bits::default();
        bits.put(3, 2).put(u32::from((template + self.offset) & 63), 6);
        bits.put(u32::from(self.frame), 16);
        if attached {
            bits.put(0b10000, 5).put(u32::from(self.offset), 6).put(2, 5);
            // Templates in the order of spatial layers: 0 3 1 4 2 5 is not how they are numbered,
            // so keyframes' and others' of one layer share it.
            for next in [0, 2, 0, 2, 0, 3] {
                bits.put(next, 2);
            }
            for template in ORDER {
                for indication in self.indications(template) {
                    bits.put(indication, 2);
                }
            }
            for template in ORDER {
                for reference in self.references(template) {
                    bits.put(1, 1).put(reference - 1, 4);
                }
                bits.put(0, 1);
            }
            bits.put(0, 2); // no chains, of at most 3
            bits.put(1, 1);
            for layer in 0..3 {
                bits.put((320 << layer) - 1, 16).put((180 << layer) - 1, 16);
            }
        }
        bits.bytes()
    }

    fn send(&mut self, room: &mut Room, key: bool) -> Vec<Described> {
        let mut sent = Vec::new();
        let picture = u32::from(self.frame / 3);
        for spatial in 0..3 {
            self.sequence = self.sequence.wrapping_add(1);
            self.frame = self.frame.wrapping_add(1);
            let template = if key { spatial } else { spatial + 3 };
            let place = ORDER.iter().position(|one| *one == template).unwrap() as u8;
            let value = self.descriptor(place, key && spatial == 0);
            let ssrc = 600 + self.encoding;
            let mut bytes = packet(41, ssrc, self.sequence, picture * 3000, spatial == 2, &[]);
            bytes[0] = 0x90;
            let words = (2 + value.len()).div_ceil(4);
            bytes.extend([0x10, 0, 0, words as u8, 11, value.len() as u8]);
            bytes.extend(&value);
            bytes.resize(16 + 4 * words, 0);
            bytes.extend([0x10, spatial, 7, 7]);
            let before = room.out.raw.len();
            let plain = room.rtp(SENDER, bytes);
            for (raw, plain) in room.out.raw[before..].iter().zip(plain) {
                sent.push(Described::read(raw, plain));
            }
        }
        room.now += 33 * MS;
        sent
    }
}

/// Templates as they are numbered.
const ORDER: [u8; 6] = [0, 3, 1, 4, 2, 5];

#[derive(Debug, Clone)]
struct Described {
    plain: Rtp,
    value: Vec<u8>,
}

impl Described {
    fn read(raw: &[u8], plain: Rtp) -> Self {
        let extensions = vec![HeaderExtension { id: 11, uri: DEPENDENCY.into() }];
        let map = super::super::extension::ExtensionMap::new(&extensions);
        let header = super::super::rtp::Header::parse(raw, &map).unwrap();
        let kind = super::super::extension::Extension::DependencyDescriptor;
        Described { plain, value: header.extensions.get(kind, raw).unwrap().to_vec() }
    }

    fn spatial(&self) -> u8 {
        self.plain.payload[1]
    }

    fn frame(&self) -> u16 {
        u16::from_be_bytes([self.value[1], self.value[2]])
    }

    fn template(&self) -> u8 {
        self.value[0] & 63
    }
}

/// What a receiver makes of it: each descriptor readable in turn, (spatial, active targets).
fn decoded(sent: &[Described]) -> Vec<(u8, u32)> {
    let mut memory = super::super::codec::Memory::default();
    sent.iter()
        .map(|one| {
            let codec = super::super::codec::Codec::Av1;
            let value = Some(&one.value[..]);
            let frame = super::super::codec::inspect(codec, &[], value, &mut memory, true);
            match frame.detail {
                super::super::codec::Detail::Dependency(frame) => {
                    assert_eq!(frame.spatial, one.spatial());
                    (frame.spatial, frame.targets.active)
                }
                other => panic!("{other:?}"),
            }
        })
        .collect()
}

fn av1(key_only: bool) -> Av1 {
    Av1 { encoding: 0, sequence: 65_530, frame: 65_528, offset: 60, key_only }
}

#[test]
fn a_smaller_size_of_av1_is_a_stream_of_its_own() {
    for key_only in [true, false] {
        let mut room = room();
        limit(&mut room, 0, 1, 7);
        let mut sender = av1(key_only);
        let mut all = sender.send(&mut room, true);
        assert_eq!(all.iter().map(Described::spatial).collect::<Vec<_>>(), [0, 1]);
        for _ in 0..5 {
            let sent = sender.send(&mut room, false);
            let expected: &[u8] = if key_only { &[1] } else { &[0, 1] };
            assert_eq!(sent.iter().map(Described::spatial).collect::<Vec<_>>(), expected);
            assert!(sent.last().unwrap().plain.marker);
            all.extend(sent);
        }
        no_gap(&all.iter().map(|one| one.plain.clone()).collect::<Vec<_>>());
        assert!(decoded(&all).iter().all(|(_, active)| *active == 0b011));
    }
}

#[test]
fn more_of_av1_begins_with_a_keyframe_and_less_where_it_can() {
    let mut room = room();
    limit(&mut room, 0, 0, 7);
    let mut sender = av1(false);
    let mut all = sender.send(&mut room, true);
    all.extend(sender.send(&mut room, false));
    assert_eq!(all.len(), 2);
    room.advance(SECOND);
    let plis = room.out.plis().len();
    limit(&mut room, 0, 2, 7);
    let waiting = sender.send(&mut room, false);
    assert_eq!(waiting.iter().map(Described::spatial).collect::<Vec<_>>(), [0]);
    assert_eq!(room.out.plis().len(), plis + 1);
    all.extend(waiting);
    all.extend(sender.send(&mut room, true));
    all.extend(sender.send(&mut room, false));
    assert_eq!(all.len(), 9);
    let told = decoded(&all);
    assert_eq!(told[0].1, 0b001);
    assert_eq!(told[8].1, 0b111);
    no_gap(&all.iter().map(|one| one.plain.clone()).collect::<Vec<_>>());
}

#[test]
fn frame_numbers_and_templates_go_on_from_one_encoding_to_another() {
    let mut room = room();
    limit(&mut room, 0, 7, 7);
    let mut small = av1(false);
    let mut large = Av1 { encoding: 1, sequence: 100, frame: 3000, offset: 7, key_only: false };
    let mut all = small.send(&mut room, true);
    all.extend(small.send(&mut room, false));
    limit(&mut room, 1, 7, 7);
    all.extend(large.send(&mut room, true));
    all.extend(large.send(&mut room, false));
    assert_eq!(all.len(), 12);
    for pair in all.windows(2) {
        assert_eq!(pair[1].frame(), pair[0].frame().wrapping_add(1));
    }
    // No template of the second stream can be taken for one of the first.
    let ids = |part: &[Described]| part.iter().map(Described::template).collect::<Vec<_>>();
    assert!(ids(&all[..6]).iter().all(|id| !ids(&all[6..]).contains(id)));
    decoded(&all);
    // A retransmission is the same, byte for byte.
    let sent = room.out.raw.last().unwrap().clone();
    room.now += 200 * MS;
    let mut compound = vec![0x81, 205, 0, 3, 0, 0, 0, 1];
    compound.extend(SLOT.to_be_bytes());
    compound.extend(&sent[2..4]);
    compound.extend([0, 0]);
    room.rtcp(RECEIVER, &compound);
    assert_eq!(*room.out.raw.last().unwrap(), sent);
    assert_eq!(room.media.stats().resend_sent, 1);
}

#[test]
fn layers_are_measured_with_what_they_need() {
    let mut room = room();
    limit(&mut room, 0, 7, 7);
    let mut sender = Vp9 { layers: 3, ..Vp9::new(false) };
    sender.send(&mut room, true, 0, true);
    for _ in 0..29 {
        sender.send(&mut room, false, 0, true);
    }
    room.advance(SECOND);
    let layers = room.out.events.iter().find_map(|event| match event {
        Event::Layers { layers, .. } => Some(layers.clone()),
        _ => None,
    });
    let layers = layers.unwrap();
    assert_eq!(layers.iter().map(|one| one.height).collect::<Vec<_>>(), [180, 360, 720]);
    assert_eq!(layers.iter().map(|one| one.spatial).collect::<Vec<_>>(), [0, 1, 2]);
    let rates: Vec<_> = layers.iter().map(|one| one.bitrate).collect();
    assert!(rates[1] > rates[0] * 19 / 10 && rates[2] > rates[1] * 14 / 10, "{rates:?}");
    assert!(layers.iter().all(|one| (25.0..31.0).contains(&one.frame_rate)), "{layers:?}");
}
