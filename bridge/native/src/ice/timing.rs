//! What an agent does because time has passed: new and repeated checks, nomination, consent, and
//! giving up.

use std::cmp::Reverse;

use super::*;

impl Agent {
    /// When to call `timeout` next; `None` while there is nothing to wait for.
    pub fn next_timeout(&self) -> Option<Time> {
        self.next
    }

    pub fn timeout(&mut self, now: Time, out: &mut impl Output) {
        if self.next.is_some_and(|next| next <= now) {
            self.advance(now, out);
        }
    }

    /// Do everything that is due and find out when something will be.
    pub(super) fn advance(&mut self, now: Time, out: &mut impl Output) {
        self.next = None;
        if self.remote.is_none() {
            return;
        }
        self.repeat_checks(now, out);
        self.expire(now, out);
        self.start_next(now, out);
        self.nominate(now, out);
        self.ask_consent(now, out);
        if !self.failed && self.deadline != 0 && now >= self.deadline && !self.settled {
            let alive = self.pairs.iter().any(|pair| pair.open && pair.state == State::Succeeded);
            // A controlled agent may wait for its nomination as long as a pair works.
            if !alive {
                self.fail(out);
            }
        }
        self.next = self.next_due(now);
    }

    fn fail(&mut self, out: &mut impl Output) {
        self.failed = true;
        self.announced = false;
        self.settled = false;
        self.selected = None;
        self.nominating = None;
        for pair in &mut self.pairs {
            pair.check = None;
            pair.state = State::Failed;
            if std::mem::take(&mut pair.open) {
                out.event(Event::PathClosed(pair.path));
            }
        }
        out.event(Event::Failed);
    }

    fn repeat_checks(&mut self, now: Time, out: &mut impl Output) {
        for index in 0..self.pairs.len() {
            let Some(pair) = self.pairs.get_mut(index) else {
                return;
            };
            let path = pair.path;
            let Some(check) = pair.check.as_mut().filter(|check| check.next <= now) else {
                continue;
            };
            if !check.consent && check.tries >= MAX_TRIES {
                pair.failures = pair.failures.saturating_add(1);
                if pair.open {
                    // It has worked; only consent decides whether it still does.
                    pair.check = None;
                    pair.state = State::Succeeded;
                    if self.nominating == Some(path) {
                        self.nominating = None;
                    }
                } else if !self.announced && now < self.deadline {
                    pair.check = None;
                    pair.state = State::Waiting;
                } else {
                    self.fail_pair(path, out);
                }
                continue;
            }
            check.tries = check.tries.saturating_add(1);
            if !check.consent {
                check.rto = (check.rto * 2).min(LAST_RTO);
            }
            check.next = now.saturating_add(check.rto);
            self.send_check(path, out);
        }
    }

    fn expire(&mut self, now: Time, out: &mut impl Output) {
        let had = self.destination();
        let active = had;
        for pair in &mut self.pairs {
            let last = if Some(pair.path) == active {
                pair.consent_end()
            } else {
                pair.last_answer.max(pair.last_request).saturating_add(IDLE_PAIR)
            };
            if pair.open && now >= last {
                pair.open = false;
                pair.state = State::Failed;
                pair.check = None;
                out.event(Event::PathClosed(pair.path));
            }
        }
        if let Some(lost) = had.filter(|path| !self.pair(*path).is_some_and(|pair| pair.open)) {
            if self.selected == Some(lost) {
                self.selected = None;
                self.settled = false;
            }
            if self.nominating == Some(lost) {
                self.nominating = None;
            }
            if self.destination().is_none() {
                self.fail(out);
            }
        }
        self.pairs.retain(|pair| {
            let idle = pair.last_answer.max(pair.last_request).saturating_add(IDLE_PAIR) <= now;
            pair.open || pair.state != State::Failed || !idle
        });
    }

    fn start_next(&mut self, now: Time, out: &mut impl Output) {
        if now < self.next_start {
            return;
        }
        let waiting = self.pairs.iter().filter(|pair| pair.state == State::Waiting);
        let best = waiting.max_by_key(|pair| self.priority(pair)).map(|pair| pair.path);
        if let Some(path) = best {
            self.start_check(now, path, false, false, out);
            self.next_start = now.saturating_add(PACE);
        }
    }

    fn nominate(&mut self, now: Time, out: &mut impl Output) {
        if !self.controlling || self.nominating.is_some() {
            return;
        }
        let path = if self.settled {
            self.better_than_suspect(now)
        } else {
            let good = self.pairs.iter().filter(|pair| pair.state == State::Succeeded);
            let best = good
                .max_by_key(|pair| (!pair.relayed, Reverse(pair.failures), self.priority(pair)));
            let hurry = self.relayed_hurry(now);
            best.filter(|pair| !pair.relayed || hurry).map(|pair| pair.path)
        };
        if let Some(path) = path {
            self.nominating = Some(path);
            self.start_check(now, path, true, false, out);
        }
    }

    fn relayed_hurry(&self, now: Time) -> bool {
        let undecided = |pair: &Pair| matches!(pair.state, State::Waiting | State::InProgress);
        now >= self.first_valid.saturating_add(RELAYED_WAIT) || !self.pairs.iter().any(undecided)
    }

    /// The selected pair has stopped answering; a pair that the peer has just checked may do.
    fn better_than_suspect(&self, now: Time) -> Option<Path> {
        let selected = self.pair(self.selected?)?;
        let check = selected.check.as_ref()?;
        if check.tries <= SUSPECT_TRIES {
            return None;
        }
        let usable = self.pairs.iter().filter(|pair| {
            pair.path != selected.path
                && pair.state == State::Succeeded
                && pair.check.is_none()
                && pair.last_request.max(pair.last_answer).saturating_add(RECENT) > now
        });
        usable.max_by_key(|pair| pair.last_request).map(|pair| pair.path)
    }

    fn ask_consent(&mut self, now: Time, out: &mut impl Output) {
        let Some(path) = self.destination() else {
            return;
        };
        let due = self.pair(path).is_some_and(|pair| {
            pair.check.is_none() && pair.state == State::Succeeded && pair.next_consent <= now
        });
        if due {
            self.start_check(now, path, false, true, out);
        }
    }

    fn next_due(&self, now: Time) -> Option<Time> {
        let active = self.destination();
        let mut next = Time::MAX;
        for pair in &self.pairs {
            if let Some(check) = &pair.check {
                next = next.min(check.next);
            }
            if pair.state == State::Waiting {
                next = next.min(self.next_start.max(now.saturating_add(MS)));
            }
            if Some(pair.path) == active {
                next = next.min(pair.consent_end());
                if pair.check.is_none() && pair.state == State::Succeeded {
                    next = next.min(pair.next_consent);
                }
            } else {
                next = next.min(pair.last_answer.max(pair.last_request).saturating_add(IDLE_PAIR));
            }
        }
        if self.controlling && !self.settled && self.nominating.is_none() && active.is_some() {
            next = next.min(self.first_valid.saturating_add(RELAYED_WAIT));
        }
        if !self.failed && !self.settled && active.is_none() {
            next = next.min(self.deadline);
        }
        (next != Time::MAX).then_some(next.max(now.saturating_add(MS)))
    }
}
