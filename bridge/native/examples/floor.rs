//! What nobody can do without: the kernel's sending, and encryption with it.
//!
//!     cargo run --release --example floor [SECONDS]
//!
//! Prints the CPU time of this thread for a datagram of 1140 octets to each of 50 sockets over
//! loopback, which includes delivery into their buffers: one datagram for each in a call, as
//! when packets come one by one, and 20 for each, with segmentation and without; with nothing
//! done to the data, and encrypted in its slot under a key for each.  Nobody reads, so that
//! nothing else runs; full buffers drop after delivery would have begun, so each round empties
//! them, which is not counted.

use std::time::Duration;

use rustix::time::{clock_gettime, ClockId};
use xmppconf_native::ice::Path;
use xmppconf_native::socket::{Lane, ReceiveBatch, SendBatch, Socket};
use xmppconf_native::srtp::{Profile, Sender};

const RECEIVERS: usize = 50;
/// On the wire; GCM's tag is 16 of them.
const OCTETS: usize = 1140;
const TAG: usize = 16;
const HEADER: usize = 12;
const PAUSE: Duration = Duration::from_micros(3300);

/// How the datagrams are sent.
#[derive(Clone, Copy)]
struct Way {
    segmentation: bool,
    each: usize,
    pause: Duration,
}

const WAYS: [(&str, Way); 4] = [
    ("1 each, 300 times a second", Way { segmentation: true, each: 1, pause: PAUSE }),
    ("1 each, without a pause", Way { segmentation: true, each: 1, pause: Duration::ZERO }),
    ("20 each, one by one", Way { segmentation: false, each: 20, pause: Duration::ZERO }),
    (
        "20 each, segmented by the kernel",
        Way { segmentation: true, each: 20, pause: Duration::ZERO },
    ),
];

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Encrypt a packet in the batch's next slot.
fn encrypt(sender: &mut Sender, batch: &mut SendBatch, sequence: u16) {
    let Some(slot) = batch.slot() else { return };
    slot[..HEADER].copy_from_slice(&[0x80, 100, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0xe8]);
    slot[2..4].copy_from_slice(&sequence.to_be_bytes());
    let length = sender.protect_rtp(slot, HEADER, OCTETS - TAG);
    assert_eq!(length, Ok(OCTETS), "refused to encrypt");
}

fn measure(way: Way, encrypted: bool, budget: Duration) -> std::io::Result<f64> {
    let bind = || Socket::bind(([127, 0, 0, 1], 0).into(), 4 << 20, 4 << 20);
    let mut from = [bind()?];
    from[0].set_segmentation(way.segmentation);
    let receivers = (0..RECEIVERS).map(|_| bind()).collect::<Result<Vec<_>, _>>()?;
    let mut keys = Vec::new();
    for number in 0..if encrypted { RECEIVERS as u8 } else { 0 } {
        keys.extend(Sender::new(Profile::AeadAes128Gcm, &[number; 16], &[number; 12]));
    }
    let mut batch = SendBatch::default();
    let mut received = ReceiveBatch::default();
    let (mut used, mut sent, mut sequence) = (Duration::ZERO, 0, 0u16);
    let begin = std::time::Instant::now();
    while used < budget && begin.elapsed() < 4 * budget {
        let mut lanes = [Lane::default(); RECEIVERS];
        let start = cpu();
        for _ in 0..way.each {
            sequence = sequence.wrapping_add(1);
            for (number, (receiver, lane)) in receivers.iter().zip(&mut lanes).enumerate() {
                if let Some(sender) = keys.get_mut(number) {
                    encrypt(sender, &mut batch, sequence);
                }
                let path = Path { socket: 0, remote: receiver.local() };
                batch.commit(OCTETS, path, lane);
            }
        }
        sent += batch.flush(&mut from).packets;
        used += cpu().saturating_sub(start);
        for receiver in &receivers {
            while received.receive(receiver)? > 0 {}
        }
        std::thread::sleep(way.pause);
    }
    Ok(used.as_secs_f64() * 1e6 / sent.max(1) as f64)
}

fn main() -> std::io::Result<()> {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1.0);
    let budget = Duration::from_secs_f64(seconds);
    println!("{:34}{:>12}{:>12}   us of CPU a datagram", "", "sent", "encrypted");
    for (what, way) in WAYS {
        let sent = measure(way, false, budget)?;
        let encrypted = measure(way, true, budget)?;
        println!("{what:34}{sent:12.2}{encrypted:12.2}");
    }
    Ok(())
}
