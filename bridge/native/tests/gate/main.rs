//! The gate: so many inputs of each kind, and nothing breaks.
//!
//! A hundredth of each number by default, the whole with `XMPPCONF_FUZZ=full` (`script/fuzz`);
//! with `XMPPCONF_RESULTS` each row of the table of results is added to that file.

#[path = "../common/mod.rs"]
mod common;
mod inputs;
mod parsers;
mod participants;
mod strangers;
