//! What an agent does with what comes from the peer: it answers requests, and takes the answers to
//! its checks.

use super::*;

impl Agent {
    /// Take a message that is addressed to this agent: a request by its user name, a response
    /// by its transaction id.
    pub fn receive(
        &mut self,
        now: Time,
        path: Path,
        message: &Message<'_>,
        out: &mut impl Output,
    ) -> Outcome {
        let outcome = match message.class {
            Class::Request => self.request(now, path, message, out),
            Class::Success | Class::Error => self.response(now, path, message, out),
        };
        if matches!(outcome, Outcome::Answered | Outcome::Conflict | Outcome::Confirmed) {
            self.advance(now, out);
        }
        outcome
    }

    fn request(
        &mut self,
        now: Time,
        path: Path,
        message: &Message<'_>,
        out: &mut impl Output,
    ) -> Outcome {
        let Some((_, sender)) = message.ufrags().filter(|(to, _)| *to == self.ufrag) else {
            return Outcome::Unauthentic;
        };
        if !message.authentic(&self.key) {
            return Outcome::Unauthentic;
        }
        let Some(priority) = message.priority.filter(|_| !message.unknown) else {
            return Outcome::Malformed;
        };
        // RFC 8445, 7.3.1.1.
        let conflict = match (self.controlling, message.controlling, message.controlled) {
            (true, Some(theirs), _) => Some(self.tie_breaker >= theirs),
            (false, _, Some(theirs)) => Some(self.tie_breaker < theirs),
            (_, None, None) => return Outcome::Malformed,
            _ => None,
        };
        match conflict {
            Some(true) => {
                let writer = Writer::new(Class::Error, message.transaction);
                let mut writer = writer.error(487, "Role Conflict");
                out.send(path, writer.finish(&self.key));
                return Outcome::Conflict;
            }
            Some(false) => self.switch_role(!self.controlling),
            None => {}
        }
        let mut writer = Writer::new(Class::Success, message.transaction).mapped(path.remote);
        out.send(path, writer.finish(&self.key));

        // A check of a newer generation than the one signalled is answered but forms no pair:
        // its password is not known yet.
        if self.remote.as_ref().is_some_and(|remote| remote.ufrag != sender) {
            return Outcome::Answered;
        }
        let known = self.pair(path).is_some();
        if !known && !self.add_pair(now, path, priority, false) {
            return Outcome::Answered;
        }
        let nominates = message.use_candidate && !self.controlling;
        let ready = self.remote.is_some();
        let mut start = false;
        if let Some(pair) = self.pair_mut(path) {
            pair.last_request = now;
            pair.wanted |= nominates;
            match pair.state {
                State::Waiting => start = ready,
                State::Failed => {
                    pair.state = State::Waiting;
                    start = ready;
                }
                State::InProgress | State::Succeeded => {}
            }
        }
        if start {
            self.start_check(now, path, false, false, out);
        } else if nominates && self.pair(path).is_some_and(|pair| pair.state == State::Succeeded) {
            self.select(now, path, out);
        }
        Outcome::Answered
    }

    fn response(
        &mut self,
        now: Time,
        path: Path,
        message: &Message<'_>,
        out: &mut impl Output,
    ) -> Outcome {
        let pending = self.pairs.iter().position(|pair| {
            let check = pair.check.as_ref();
            check.is_some_and(|check| check.transaction == message.transaction)
        });
        let Some(remote) = &self.remote else {
            return Outcome::Unexpected;
        };
        let Some(pair) = pending.and_then(|index| self.pairs.get_mut(index)) else {
            return Outcome::Unexpected;
        };
        if !message.authentic(&remote.key) {
            return Outcome::Unauthentic;
        }
        // RFC 8445, 7.2.5.2.1: the answer must come back the way the request went.
        if pair.path != path {
            return Outcome::Unexpected;
        }
        let Some(check) = pair.check.take() else {
            return Outcome::Unexpected;
        };
        if message.class == Class::Error {
            if message.error == Some(487) {
                pair.state = if pair.open { State::Succeeded } else { State::Waiting };
                // Soon, but not at the pace at which a peer goes on refusing.
                pair.next_consent = now.saturating_add(PACE);
                if self.nominating == Some(path) {
                    self.nominating = None;
                }
                self.switch_role(!check.controlling);
            } else if check.consent {
                pair.next_consent = now.saturating_add(CONSENT_RETRY);
            } else {
                self.fail_pair(path, out);
            }
            return Outcome::Conflict;
        }
        if message.mapped.is_none() {
            pair.check = Some(check);
            return Outcome::Malformed;
        }
        let rtt = now.saturating_sub(check.sent);
        // An answer to a repeated request may belong to any of them.
        if check.tries == 1 {
            self.round_trip = Some(rtt);
            self.round_trip_is_new = true;
        }
        let opened = !pair.open;
        let wanted = pair.wanted;
        pair.state = State::Succeeded;
        pair.open = true;
        pair.last_answer = now;
        pair.proven = now;
        pair.next_consent = now.saturating_add(consent_interval(&mut self.random));
        if opened {
            out.event(Event::PathOpened(path));
            // A new path may mean that the old one is dying: ask there at once.
            if let Some(old) = self.selected {
                if let Some(old) = self.pair_mut(old).filter(|old| old.check.is_none()) {
                    old.next_consent = now;
                }
            }
        }
        if !self.announced {
            self.announced = true;
            self.first_valid = now;
            out.event(Event::Valid { path, rtt });
        }
        if self.controlling {
            if check.nominate {
                self.select(now, path, out);
            }
        } else if wanted {
            self.select(now, path, out);
        }
        Outcome::Confirmed
    }

    fn switch_role(&mut self, controlling: bool) {
        if self.controlling != controlling {
            self.controlling = controlling;
            self.tie_breaker = self.random.draw();
            self.nominating = None;
        }
    }
}
