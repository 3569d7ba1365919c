//! The limits of a stream with spatial layers that the tables of its codecs go through.

use super::*;

pub const fn limits(spatial: u8, temporal: u8) -> Limits {
    Limits { spatial, temporal }
}

pub const ALL_OF_IT: Limits = limits(ALL, ALL);

/// By name: what was allowed before, and what is now.
pub const STATES: [(&str, Limits, Limits); 8] = [
    ("the least", limits(0, 0), limits(0, 0)),
    ("all", ALL_OF_IT, ALL_OF_IT),
    ("the second size", limits(1, ALL), limits(1, ALL)),
    ("larger ones allowed", limits(0, ALL), ALL_OF_IT),
    ("one more allowed", limits(1, ALL), ALL_OF_IT),
    ("smaller ones wanted", ALL_OF_IT, limits(0, ALL)),
    ("more pictures allowed", limits(ALL, 0), ALL_OF_IT),
    ("fewer pictures wanted", ALL_OF_IT, limits(ALL, 0)),
];
