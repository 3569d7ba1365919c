//! What the layers of a source cost: frames and bytes counted for a second at a time.

use super::codec::Frame;
use super::interface::{LayerFigures, Time, SECOND};

pub const INTERVAL: Time = SECOND;
/// What a packet costs besides its payload, as bandwidth is estimated: RTP header with extensions,
/// IP, UDP and the tag of SRTP.
const OVERHEAD: usize = 12 + 12 + 44;
const SPATIAL: usize = 4;
const TEMPORAL: usize = 4;
/// Layers of one encoding that can be told of.
pub const LAYERS: usize = SPATIAL * TEMPORAL;

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    seen: bool,
    frames: u32,
    bytes: u64,
    /// Of them, what spatial layers above need as well.
    shared: u64,
}

/// One encoding.
#[derive(Debug, Default)]
pub struct Meter {
    cells: [[Cell; TEMPORAL]; SPATIAL],
    heights: [u16; SPATIAL],
    /// The last frame counted, by timestamp and spatial layer.
    last: Option<(u32, u8)>,
}

impl Meter {
    /// Count a packet with a payload of so many octets.
    #[inline]
    pub fn count(&mut self, frame: &Frame, timestamp: u32, payload: usize) {
        let bytes = payload + OVERHEAD;
        let (spatial, temporal) = frame.layer();
        let layers = self.cells.get_mut(usize::from(spatial));
        let Some(cell) = layers.and_then(|layers| layers.get_mut(usize::from(temporal))) else {
            return;
        };
        cell.seen = true;
        cell.bytes += bytes as u64;
        if frame.is_referenced() {
            cell.shared += bytes as u64;
        }
        if self.last != Some((timestamp, spatial)) {
            self.last = Some((timestamp, spatial));
            cell.frames += 1;
        }
        for (place, height) in self.heights.iter_mut().zip(frame.heights()) {
            if height > 0 {
                *place = height;
            }
        }
    }

    /// Tell the figures of every layer ever seen and begin anew; `elapsed` since the last time.
    pub fn tell(&mut self, encoding: u8, elapsed: Time, figures: &mut Vec<LayerFigures>) {
        let seconds = elapsed.max(1) as f64 / SECOND as f64;
        let mut below = [0u64; TEMPORAL];
        for (spatial, layers) in self.cells.iter_mut().enumerate() {
            let (mut frames, mut own) = (0u32, 0u64);
            for (temporal, cell) in layers.iter_mut().enumerate() {
                frames += cell.frames;
                own += cell.bytes;
                if cell.seen {
                    let flows = cell.bytes > 0;
                    let bytes =
                        if flows { own + below[..=temporal].iter().sum::<u64>() } else { 0 };
                    figures.push(LayerFigures {
                        encoding,
                        spatial: spatial as u8,
                        temporal: temporal as u8,
                        height: self.heights[spatial],
                        frame_rate: f64::from(frames) / seconds,
                        bitrate: (bytes as f64 * 8.0 / seconds) as u32,
                    });
                }
            }
            for (place, cell) in below.iter_mut().zip(layers.iter_mut()) {
                *place += cell.shared;
                (cell.frames, cell.bytes, cell.shared) = (0, 0, 0);
            }
        }
    }
}
