//! What the gate is tried with: chance, the committed corpora, and packets.

use std::fs;
use std::path::Path;

use xmppconf_native::ice;
use xmppconf_native::srtp::{Profile, Receiver, Sender};

pub struct Chance(ice::Random);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(ice::Random(seed))
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.0.draw() % limit.max(1) as u64) as usize
    }

    pub fn one_in(&mut self, odds: usize) -> bool {
        self.below(odds) == 0
    }

    pub fn fill(&mut self, data: &mut [u8]) {
        for chunk in data.chunks_mut(8) {
            let random = self.0.draw().to_le_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
    }

    /// Change, cut or lengthen.
    pub fn damage(&mut self, data: &mut Vec<u8>) {
        for _ in 0..1 + self.below(4) {
            let at = self.below(data.len());
            match self.below(5) {
                0 => data.truncate(at),
                1 => data.extend((0..self.below(20)).map(|byte| byte as u8)),
                _ => {
                    let random = self.0.draw() as u8;
                    if let Some(byte) = data.get_mut(at) {
                        *byte = random;
                    }
                }
            }
        }
    }
}

pub fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/fuzz").join(name);
    let files = fs::read_dir(folder).expect("the corpus is committed");
    files.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
}

/// Damaged inputs of a corpus, and one in eight of nothing but chance.
pub fn damaged(name: &str, count: u64, target: fn(&[u8])) {
    let inputs = corpus(name);
    let mut chance = Chance::new(count);
    for _ in 0..count {
        let mut data = inputs[chance.below(inputs.len())].clone();
        if chance.one_in(8) {
            data.resize(chance.below(300), 0);
            chance.fill(&mut data);
        } else {
            chance.damage(&mut data);
        }
        target(&data);
    }
}

/// Offset and length of level and of transport sequence number.
pub type Places = [Option<(usize, usize)>; 2];

/// A packet, its extensions, and where its payload begins and ends.
pub fn header(chance: &mut Chance) -> (Vec<u8>, Places, usize, usize) {
    let (csrcs, padding) = (chance.below(16), chance.below(4) * chance.below(20));
    let mut data = vec![0; 12 + 4 * csrcs];
    chance.fill(&mut data);
    data[0] = 0x80 | csrcs as u8;
    let mut found = [None; 2];
    if chance.one_in(2) {
        data[0] |= 0x10;
        let two = chance.one_in(2);
        let profile = if two { 0x1000 | chance.below(16) as u16 } else { 0xbede };
        let start = data.len();
        data.extend(profile.to_be_bytes());
        data.extend([0, 0]);
        for _ in 0..chance.below(6) {
            let id = [0, 1, 2, 5, 14][chance.below(5)];
            let length = if two { chance.below(40) } else { 1 + chance.below(16) };
            if id == 0 {
                data.push(0); // padding between elements
                continue;
            }
            if two {
                data.extend([id as u8, length as u8]);
            } else {
                data.push((id << 4 | (length - 1)) as u8);
            }
            match id {
                1 => found[0] = Some((data.len(), length)),
                5 => found[1] = Some((data.len(), length)),
                _ => {}
            }
            data.extend((0..length).map(|byte| byte as u8));
        }
        while data.len() % 4 != 0 {
            data.push(0);
        }
        let words = ((data.len() - start - 4) / 4) as u16;
        data[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
    }
    let begin = data.len();
    data.extend((0..chance.below(60)).map(|byte| byte as u8));
    let end = data.len();
    if padding > 0 {
        data[0] |= 0x20;
        data.extend(vec![0; padding - 1]);
        data.push(padding as u8);
    }
    (data, found, begin, end)
}

pub fn rtp(ssrc: u32, sequence: u16, body: u8) -> Vec<u8> {
    let mut packet = vec![0x80, 111];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0; 4]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend([body; 20]);
    packet
}

pub fn protection(profile: Profile, first: u8) -> (Sender, Receiver) {
    let (key, salt) = profile.lengths();
    let (key, salt) = (vec![first; key], vec![first ^ 0xff; salt]);
    (Sender::new(profile, &key, &salt).unwrap(), Receiver::new(profile, &key, &salt).unwrap())
}
