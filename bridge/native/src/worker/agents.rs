//! The agents of ICE: what they receive, and what comes of what they find out.

use crate::engine::Event;
use crate::ice::{self, Agent, Outcome, Path};
use crate::media::{self, Time};
use crate::outgoing::IceOutput;
use crate::stun::{Class, Message};
use crate::transports::Era;

use super::Worker;

impl Worker {
    /// Let an agent do something, then act on what it has found out.
    pub(super) fn with_agent<T>(
        &mut self,
        now: Time,
        id: u32,
        era: Era,
        action: impl FnOnce(&mut Agent, &mut IceOutput<'_>) -> T,
    ) -> Option<T> {
        let transport = self.transports.get_mut(id)?;
        let mut out = IceOutput { outgoing: &mut self.outgoing, events: &mut self.ice_events };
        let agent = transport.agent_of(era)?;
        let result = action(agent, &mut out);
        if era == Era::Current {
            transport.destination = agent.destination();
        }
        let mut events = std::mem::take(&mut self.ice_events);
        for event in events.drain(..) {
            let event = match (event, era) {
                (ice::Event::PathOpened(path), _) => {
                    self.transports.open(path, id);
                    continue;
                }
                (ice::Event::PathClosed(path), _) => {
                    self.transports.close(path, id);
                    continue;
                }
                (ice::Event::Valid { path, rtt }, Era::Current | Era::Next) => {
                    Event::IceValid { transport: id, remote: path.remote, rtt }
                }
                (ice::Event::Selected { path, relayed }, Era::Current | Era::Next) => {
                    if era == Era::Next {
                        self.transports.take_over(now, id);
                    }
                    Event::IceSelected { transport: id, remote: path.remote, relayed }
                }
                (ice::Event::Failed, Era::Current) => Event::IceFailed { transport: id },
                (ice::Event::Failed, Era::Next) => {
                    self.transports.give_up(id);
                    continue;
                }
                (_, Era::Former) => continue,
            };
            self.outgoing.events.push(event);
        }
        self.ice_events = events;
        let due = self.transports.get_mut(id).and_then(|transport| transport.next_timeout());
        self.next_ice = self.next_ice.min(due.unwrap_or(Time::MAX));
        Some(result)
    }

    pub(super) fn stun(&mut self, now: Time, path: Path, datagram: &[u8]) {
        let counters = &mut self.outgoing.counters;
        let Some(message) = Message::parse(datagram) else {
            counters.dropped_stun_malformed += 1;
            return;
        };
        // By user fragment even when the address is known, so that a restart from an unchanged
        // address reaches the new agent.
        let (id, eras): (u32, &[Era]) = if message.class == Class::Request {
            let ufrag = message.ufrags().map(|(receiver, _)| receiver).unwrap_or_default();
            let Some(id) = self.transports.by_ufrag(ufrag) else {
                if !self.is_elsewhere(self.handover.by_ufrag(ufrag), path, datagram) {
                    self.outgoing.counters.dropped_stun_unknown_ufrag += 1;
                }
                return;
            };
            match self.transports.get_mut(id).map(|transport| transport.era_of(ufrag)) {
                Some(Era::Next) => (id, &[Era::Next]),
                Some(Era::Former) => (id, &[Era::Former]),
                _ => (id, &[Era::Current]),
            }
        } else {
            // A transport's agents share its tag.
            let id = Agent::tag_of(&message.transaction) ^ self.tag_mask;
            if self.is_elsewhere(self.handover.by_transport(id), path, datagram) {
                return;
            }
            (id, &[Era::Current, Era::Next, Era::Former])
        };
        let mut outcome = None;
        for era in eras {
            let found = self.with_agent(now, id, *era, |agent, out| {
                let outcome = agent.receive(now, path, &message, out);
                (outcome, agent.take_round_trip())
            });
            outcome = found.or(outcome);
            if found.is_some_and(|(outcome, _)| outcome != Outcome::Unexpected) {
                break;
            }
        }
        let Some((outcome, rtt)) = outcome else {
            self.outgoing.counters.dropped_stun_unexpected += 1;
            return;
        };
        let counters = &mut self.outgoing.counters;
        match outcome {
            Outcome::Answered => counters.stun_requests += 1,
            Outcome::Confirmed => counters.stun_responses += 1,
            Outcome::Conflict => counters.stun_role_conflicts += 1,
            Outcome::Unauthentic => counters.dropped_stun_unauthentic += 1,
            Outcome::Unexpected => counters.dropped_stun_unexpected += 1,
            Outcome::Malformed => counters.dropped_stun_malformed += 1,
        }
        if outcome == Outcome::Confirmed {
            // A path that another transport took over, and has left, is this one's again.
            self.transports.open(path, id);
            if let Some(transport) = self.transports.get_mut(id) {
                transport.last_activity = Some(now);
            }
        }
        if let Some(rtt) = rtt {
            self.apply(now, media::Command::SetRoundTrip { transport: id, rtt });
        }
    }
}
