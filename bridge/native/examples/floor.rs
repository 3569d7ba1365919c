//! What the kernel alone takes to send: the engine's batches with nothing done to the data.
//!
//!     cargo run --release --example floor [SECONDS]
//!
//! Prints the CPU time of this thread for a datagram of 1140 octets to each of 50 sockets over
//! loopback, which includes delivery into their buffers: one datagram for each in a call, as
//! when packets come one by one, and 20 for each, with segmentation and without.  Nobody reads,
//! so that nothing else runs; full buffers drop after delivery would have begun, so each round
//! empties them, which is not counted.

use std::time::Duration;

use rustix::time::{clock_gettime, ClockId};
use xmppconf_native::ice::Path;
use xmppconf_native::socket::{Lane, ReceiveBatch, SendBatch, Socket};

const RECEIVERS: usize = 50;
const OCTETS: usize = 1140;

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn measure(
    segmentation: bool,
    each: usize,
    pause: Duration,
    budget: Duration,
) -> std::io::Result<f64> {
    let bind = || Socket::bind(([127, 0, 0, 1], 0).into(), 4 << 20, 4 << 20);
    let mut from = [bind()?];
    from[0].set_segmentation(segmentation);
    let receivers = (0..RECEIVERS).map(|_| bind()).collect::<Result<Vec<_>, _>>()?;
    let mut batch = SendBatch::default();
    let mut received = ReceiveBatch::default();
    let (mut used, mut sent) = (Duration::ZERO, 0);
    let begin = std::time::Instant::now();
    while used < budget && begin.elapsed() < 4 * budget {
        let mut lanes = [Lane::default(); RECEIVERS];
        let start = cpu();
        for _ in 0..each {
            for (receiver, lane) in receivers.iter().zip(&mut lanes) {
                let path = Path { socket: 0, remote: receiver.local() };
                batch.commit(OCTETS, path, lane);
            }
        }
        sent += batch.flush(&mut from).packets;
        used += cpu().saturating_sub(start);
        for receiver in &receivers {
            while received.receive(receiver)? > 0 {}
        }
        std::thread::sleep(pause);
    }
    Ok(used.as_secs_f64() * 1e6 / sent.max(1) as f64)
}

fn main() -> std::io::Result<()> {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1.0);
    let budget = Duration::from_secs_f64(seconds);
    let pause = Duration::from_micros(3300);
    for (what, segmentation, each, pause) in [
        ("1 each, 300 times a second", true, 1, pause),
        ("1 each, without a pause", true, 1, Duration::ZERO),
        ("20 each, one by one", false, 20, Duration::ZERO),
        ("20 each, segmented by the kernel", true, 20, Duration::ZERO),
    ] {
        let cost = measure(segmentation, each, pause, budget)?;
        println!("{what:34}{cost:6.2} us of CPU a datagram");
    }
    Ok(())
}
