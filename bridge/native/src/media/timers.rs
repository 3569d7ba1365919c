//! What happens because time has passed: reports to senders, repeated requests, silence, levels.

use super::engine::Media;
use super::feedback::MAX_FEEDBACK;
use super::interface::*;
use super::rtcp::{ReportBlock, REPORT_BLOCK};
use super::rtcp_write::{self, MAX_BLOCKS};

const SILENT_AFTER: Time = 2 * SECOND;
const LEVELS_INTERVAL: Time = 40 * MILLISECOND;

fn earlier(next: &mut Option<Time>, at: Option<Time>) {
    if let Some(at) = at {
        *next = Some(next.map_or(at, |next| next.min(at)));
    }
}

impl Media {
    /// When to call [`Media::timeout`] at the latest; None while there is nothing to wait for.
    pub fn next_timeout(&self) -> Option<Time> {
        match (self.next, self.pace_at) {
            (Some(next), Some(pace)) => Some(next.min(pace)),
            (next, pace) => next.or(pace),
        }
    }

    /// Do what is due.  Cheap if nothing is.
    pub fn timeout(&mut self, now: Time, out: &mut impl Output) {
        if self.pace_at.is_some_and(|at| at <= now) {
            self.pace(now, out);
        }
        match self.next {
            Some(next) if next <= now => {}
            _ => return,
        }
        self.next = None;
        let mut next = None;
        for index in 0..self.transports.len() {
            let Some(transport) = self.transports.get(index) else {
                continue;
            };
            let arrivals = |transport: &super::transport::Transport| {
                transport.arrivals.as_ref().and_then(|arrivals| arrivals.deadline())
            };
            if arrivals(transport).is_some_and(|deadline| deadline <= now) {
                self.report_arrivals(now, index, out);
            }
            let Some(transport) = self.transports.get_mut(index) else {
                continue;
            };
            earlier(&mut next, arrivals(transport));
            match transport.report_at {
                Some(at) if at <= now => {
                    transport.report_at = None; // the next packet arms it again
                    self.report_reception(now, index, out);
                }
                at => earlier(&mut next, at),
            }
        }
        for index in 0..self.sources.len() {
            let deadline = self.source_timers(now, index, out);
            earlier(&mut next, deadline);
        }
        for conference in self.conferences.values_mut() {
            let Some(since) = conference.levels_since else {
                continue;
            };
            if since + LEVELS_INTERVAL <= now {
                let capacity = conference.levels.len();
                let records =
                    std::mem::replace(&mut conference.levels, Vec::with_capacity(capacity));
                conference.levels_since = None;
                out.event(Event::Levels { conference: conference.id, records });
            } else {
                earlier(&mut next, Some(since + LEVELS_INTERVAL));
            }
        }
        if let Some(next) = next {
            self.wake(next);
        }
    }

    fn source_timers(&mut self, now: Time, index: usize, out: &mut impl Output) -> Option<Time> {
        let mut next = None;
        let count = self.sources.get(index)?.encodings.len();
        for encoding in 0..count {
            let incoming = self.sources.get(index)?.encodings.get(encoding)?;
            if incoming.nack_at.is_some_and(|at| at <= now) {
                self.ask_again(now, index, encoding, out);
            }
            let source = self.sources.get_mut(index)?;
            let incoming = source.encodings.get_mut(encoding)?;
            earlier(&mut next, incoming.nack_at);
            if let (true, Some(last)) = (incoming.active, incoming.last_packet) {
                if last + SILENT_AFTER <= now {
                    incoming.active = false;
                    if source.is_own() {
                        let encoding = encoding as u8;
                        out.event(Event::SourceSilent { source: source.id, encoding });
                    }
                } else {
                    earlier(&mut next, Some(last + SILENT_AFTER));
                }
            }
        }
        let source = self.sources.get_mut(index)?;
        if source.measured_at().is_some_and(|at| at <= now) {
            if let Some(layers) = source.measure(now) {
                out.event(Event::Layers { source: source.id, layers });
            }
        }
        earlier(&mut next, source.measured_at());
        if source.keyframes.due(now) {
            self.ask_keyframe(index, out);
        }
        let source = self.sources.get(index)?;
        earlier(&mut next, source.keyframes.deadline());
        next
    }

    /// Send the transport-wide feedback that has been gathered.
    pub(super) fn report_arrivals(&mut self, now: Time, index: usize, out: &mut impl Output) {
        let Some(transport) = self.transports.get_mut(index) else {
            return;
        };
        let Some(conference) = self.conferences.get(transport.conference) else {
            return;
        };
        let Some(arrivals) = &mut transport.arrivals else {
            return;
        };
        let mut buffer = [0; MAX_FEEDBACK];
        while let Some(length) = arrivals.write(now, conference.video_ssrc, &mut buffer) {
            out.send_rtcp(transport.id, &buffer[..length]);
            self.stats.tcc_sent += 1;
            self.stats.rtcp_sent += 1;
        }
    }

    /// Send receiver reports about everything that came since the last ones.
    fn report_reception(&mut self, now: Time, index: usize, out: &mut impl Output) {
        let Some(transport) = self.transports.get_mut(index) else {
            return;
        };
        let Some(conference) = self.conferences.get(transport.conference) else {
            return;
        };
        let mut worst = None;
        for (kind, sender_ssrc) in
            [(Kind::Audio, conference.audio_ssrc), (Kind::Video, conference.video_ssrc)]
        {
            let mut blocks = [ReportBlock::default(); MAX_BLOCKS];
            let mut count = 0;
            let mut buffer = [0; 8 + REPORT_BLOCK * MAX_BLOCKS];
            let mut send = |blocks: &[ReportBlock]| {
                let length = rtcp_write::receiver_report(&mut buffer, sender_ssrc, blocks);
                out.send_rtcp(transport.id, &buffer[..length]);
                self.stats.receiver_reports_sent += 1;
                self.stats.rtcp_sent += 1;
            };
            for id in &transport.sources {
                let source = self.sources.index(*id).and_then(|at| self.sources.get_mut(at));
                let Some(source) = source.filter(|source| source.kind == kind) else {
                    continue;
                };
                for incoming in &mut source.encodings {
                    let Some(block) = incoming.reception.report(now, incoming.ssrc) else {
                        continue;
                    };
                    worst = worst.max(Some(block.fraction_lost));
                    if count == MAX_BLOCKS {
                        send(&blocks);
                        count = 0;
                    }
                    blocks[count] = block;
                    count += 1;
                }
            }
            if count > 0 {
                send(&blocks[..count]);
            }
        }
        if let Some(worst) = worst {
            transport.stats.fraction_lost_received = f64::from(worst) / 256.0;
        }
    }
}
