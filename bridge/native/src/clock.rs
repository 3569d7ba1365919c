//! The only place that asks the system for the time; everything else is told.

use rustix::time::{clock_gettime, ClockId, Timespec};

use crate::media::Time;

fn clock(id: ClockId) -> Time {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(id);
    let seconds = Time::try_from(tv_sec).unwrap_or(0);
    seconds.wrapping_mul(1_000_000_000).wrapping_add(Time::try_from(tv_nsec).unwrap_or(0))
}

/// Nanoseconds of CLOCK_MONOTONIC.
pub fn monotonic() -> Time {
    clock(ClockId::Monotonic)
}

/// Nanoseconds of processor that this thread has had.
pub fn thread_time() -> Time {
    clock(ClockId::ThreadCPUTime)
}

/// Nanoseconds that this thread could have run in and had to wait for a processor; 0 where the
/// system does not say.
pub fn thread_wait() -> Time {
    let file = std::fs::read_to_string("/proc/thread-self/schedstat");
    file.ok().as_deref().and_then(waited).unwrap_or(0)
}

/// The second of three figures: run, waited, how often (Documentation/scheduler/sched-stats.rst).
fn waited(schedstat: &str) -> Option<Time> {
    schedstat.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Nanoseconds of CLOCK_REALTIME, which is the one that the kernel stamps datagrams with.
pub fn realtime() -> Time {
    clock(ClockId::Realtime)
}

/// Do nothing until `due` by [`monotonic`].
pub fn sleep_until(due: Time) {
    let left = due.saturating_sub(monotonic());
    if left > 0 {
        std::thread::sleep(std::time::Duration::from_nanos(left));
    }
}

/// The start of a stage that is timed in builds for profiling.
#[derive(Clone, Copy)]
pub struct Stage(Time);

impl Stage {
    pub fn begin() -> Self {
        Self(if cfg!(feature = "profile") { monotonic() } else { 0 })
    }

    pub fn end(self, total: &mut u64) {
        if cfg!(feature = "profile") {
            *total += monotonic().saturating_sub(self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_the_second_figure() {
        assert_eq!(waited("1697058 3718193 2\n"), Some(3_718_193));
        for other in ["", "1697058", "1697058 -1 2", "run waited often"] {
            assert_eq!(waited(other), None);
        }
    }
}
