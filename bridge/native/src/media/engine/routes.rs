//! The commands that say which sources a receiver gets, and under which numbers: routes begin,
//! change, and are taken away, while the slots of receivers keep what continues.

use super::Media;
use crate::media::interface::*;
use crate::media::projection::Projection;
use crate::media::selection::Limits;
use crate::media::source::{Route, Source};

impl Media {
    pub(super) fn set_route(
        &mut self,
        now: Time,
        (receiver_id, source_id): (u32, u32),
        ssrc: u32,
        rtx_ssrc: Option<u32>,
        (max_encoding, layers): (i32, Limits),
        out: &mut impl Output,
    ) {
        let (Some(receiver), Some(source)) =
            (self.transports.index(receiver_id), self.sources.index(source_id))
        else {
            return;
        };
        let conference = self.transports.get(receiver).map(|receiver| receiver.conference);
        if conference != self.sources.get(source).map(|source| source.conference) {
            return;
        }
        let known = self.sources.get_mut(source).and_then(|source| source.route_to(receiver));
        if known.as_ref().is_some_and(|route| route.ssrc != ssrc) {
            self.park(receiver, source, out);
        }
        let random = self.random();
        let Some(slot) = self
            .transports
            .get_mut(receiver)
            .and_then(|transport| transport.slot_or_new(ssrc, random))
        else {
            self.stats.dropped_routes += 1;
            return;
        };
        if let Some(other) = slot.source.filter(|other| *other != source) {
            self.park(receiver, other, out);
        }
        let Some(slot) =
            self.transports.get_mut(receiver).and_then(|transport| transport.slot(ssrc))
        else {
            return;
        };
        let Some(target) = self.sources.get_mut(source) else {
            return;
        };
        let mid = slot.mid;
        if slot.source != Some(source) {
            slot.source = Some(source);
            let projection = match target.kind {
                Kind::Audio => Projection::audio(slot.numbers),
                Kind::Video => Projection::video(slot.numbers),
            };
            target.routes.push(Route::new(receiver, receiver_id, ssrc, projection));
        }
        let flowing = target.flowing;
        let Some(route) = target.route_to(receiver) else {
            return;
        };
        if std::mem::replace(&mut route.rtx_ssrc, rtx_ssrc) != rtx_ssrc {
            // What waited for the pacer cannot be repeated without RTX.
            route.projection.forget();
        }
        route.mid = mid;
        route.projection.limit(max_encoding, layers);
        let starts = route.projection.current().is_none() && max_encoding >= 0;
        ask(target, out);
        if target.kind == Kind::Video && (starts || route_waits(target, receiver, flowing)) {
            self.want_keyframe(now, source, out);
        }
    }

    pub(super) fn set_mid(&mut self, receiver: u32, ssrc: u32, mid: Mid) {
        let random = self.random();
        let Some(receiver) = self.transports.index(receiver) else {
            return;
        };
        let slot = self.transports.get_mut(receiver).and_then(|one| one.slot_or_new(ssrc, random));
        let Some(slot) = slot else {
            self.stats.dropped_routes += 1;
            return;
        };
        slot.mid = Some(mid);
        let source = slot.source.and_then(|source| self.sources.get_mut(source));
        let route = source.and_then(|source| source.route_under(receiver, ssrc));
        if let Some(route) = route.filter(|route| route.mid != Some(mid)) {
            route.mid = Some(mid);
            // A retransmission without RTX repeats the packet byte for byte.
            route.projection.forget();
        }
    }

    /// Take a route away; its slot keeps the numbers.
    pub(super) fn park(&mut self, receiver: usize, source: usize, out: &mut impl Output) {
        self.park_if(receiver, source, |_| true, out);
    }

    /// Take those routes away that `which` is true of.
    fn park_if(
        &mut self,
        receiver: usize,
        source: usize,
        which: impl Fn(&Route) -> bool,
        out: &mut impl Output,
    ) {
        let Some(source) = self.sources.get_mut(source) else {
            return;
        };
        let mut at = 0;
        while let Some(route) = source.routes.get(at) {
            if route.receiver != receiver || !which(route) {
                at += 1;
                continue;
            }
            let route = source.routes.swap_remove(at);
            let slot = self.transports.get_mut(receiver).and_then(|owner| owner.slot(route.ssrc));
            if let Some(slot) = slot {
                slot.numbers = route.projection.numbers;
                slot.source = None;
            }
        }
        ask(source, out);
    }

    /// Send the encodings in the bit mask to another bridge, and no others.
    pub(super) fn set_relay(
        &mut self,
        receiver_id: u32,
        source_id: u32,
        mask: u8,
        out: &mut impl Output,
    ) {
        let (Some(receiver), Some(source)) =
            (self.transports.index(receiver_id), self.sources.index(source_id))
        else {
            return;
        };
        let conference = self.transports.get(receiver).map(|receiver| receiver.conference);
        let Some(target) = self.sources.get(source) else {
            return;
        };
        if conference != Some(target.conference) {
            return;
        }
        let wanted = |index: usize| mask & (1u8 << (index % 8)) != 0;
        let kind = target.kind;
        let encodings: Vec<_> =
            target.encodings.iter().map(|one| (one.ssrc, one.rtx_ssrc)).collect();
        let kept = |route: &Route| {
            let index = encodings.iter().position(|(ssrc, _)| *ssrc == route.ssrc);
            route.is_relay && index.is_some_and(wanted)
        };
        self.park_if(receiver, source, |route| !kept(route), out);
        for (index, (ssrc, rtx_ssrc)) in encodings.into_iter().enumerate() {
            let random = self.random();
            let Some(target) = self.sources.get_mut(source) else {
                return;
            };
            if !wanted(index) || target.route_under(receiver, ssrc).is_some() {
                continue;
            }
            let slot =
                self.transports.get_mut(receiver).and_then(|one| one.slot_or_new(ssrc, random));
            let Some(slot) = slot.filter(|slot| slot.source.is_none()) else {
                self.stats.dropped_routes += 1;
                continue;
            };
            slot.source = Some(source);
            let projection = match kind {
                Kind::Audio => Projection::audio(slot.numbers),
                Kind::Video => Projection::video(slot.numbers),
            };
            let projection = projection.relay(index as u8);
            let mut route = Route::new(receiver, receiver_id, ssrc, projection);
            route.rtx_ssrc = rtx_ssrc;
            route.is_relay = true;
            target.routes.push(route);
            ask(target, out);
        }
    }
}

/// Ask the worker that a source is a mirror of for what its routes need.
pub(super) fn ask(source: &mut Source, out: &mut impl Output) {
    if let Some((worker, ask)) = source.ask() {
        out.ask(worker, ask);
    }
}

fn route_waits(source: &mut Source, receiver: usize, flowing: u8) -> bool {
    source.route_to(receiver).is_some_and(|route| route.projection.waits(flowing))
}
