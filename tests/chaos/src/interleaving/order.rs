//! The order of two clients' steps.

use std::fmt::Write as _;

use super::way::Way;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Ann,
    Bob,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Ann, Self::Bob];

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Ann => 0,
            Self::Bob => 1,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Ann => "Ann",
            Self::Bob => "Bob",
        }
    }
}

/// Whose turn it is, step by step: four of each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order([Side; 8]);

impl Order {
    /// All 70 of them.
    pub(crate) fn all() -> Vec<Self> {
        let bobs = (0..=u8::MAX).filter(|bits| bits.count_ones() == 4);
        bobs.map(|bits| {
            Self(std::array::from_fn(|step| {
                if bits >> step & 1 == 0 { Side::Ann } else { Side::Bob }
            }))
        })
        .collect()
    }

    pub(crate) fn turns(self) -> impl Iterator<Item = Side> {
        self.0.into_iter()
    }

    /// In words.
    pub(crate) fn of<W: Way>(self, way: W) -> String {
        let [first, second] = if way.reads_first() {
            ["reads", "begins"]
        } else {
            ["begins", "reads"]
        };
        let (mut done, mut text) = ([0, 0], String::new());
        for side in self.turns() {
            let end = if way.rolls_back(side) { "rolls back" } else { "commits" };
            let step = [first, second, "writes", end][done[side.index()]];
            let _ = write!(
                text,
                "{}{} {step}",
                if text.is_empty() { "" } else { ", " },
                side.name()
            );
            done[side.index()] += 1;
        }
        text
    }
}
