//! Which transactions come before which, as the rows show it.

use crate::attempt::{Key, Version};
use crate::happened::Happened;
use crate::place::{Place, Row, Rows};
use crate::violation::{Dependency, Edge};

/// All that were done, and an edge from each to those that come after it.
pub(crate) struct Graph {
    arrows: Vec<Arrow>,
    /// Where the arrows of each attempt begin, and the end.
    starts: Vec<usize>,
}

/// An edge, of places in the history.
#[derive(Clone, Copy)]
pub(crate) struct Arrow {
    pub(crate) from: usize,
    pub(crate) to: usize,
    dependency: Dependency,
    key: Key,
    before: Version,
    after: Version,
}

impl Graph {
    /// As many edges as there are reads and writes: between writers, only those of neighbours.
    ///
    /// Of several writers of a version, which is a violation by itself, one counts; the others are readers only.
    pub(crate) fn of(rows: &Rows<'_>, happened: &Happened) -> Self {
        let mut arrows = Vec::new();
        for (key, row) in &rows.by_key {
            arrows_of_row(*key, row, rows, happened, &mut arrows);
        }
        arrows.sort_by_key(|arrow| arrow.from);
        let mut starts = vec![0; rows.attempts.len() + 1];
        for arrow in &arrows {
            starts[arrow.from + 1] += 1;
        }
        for index in 1..starts.len() {
            starts[index] += starts[index - 1];
        }
        Self { arrows, starts }
    }

    pub(crate) fn nodes(&self) -> usize {
        self.starts.len() - 1
    }

    pub(crate) fn after(&self, node: usize) -> &[Arrow] {
        &self.arrows[self.starts[node]..self.starts[node + 1]]
    }
}

impl Arrow {
    pub(crate) fn edge(&self, rows: &Rows<'_>) -> Edge {
        Edge {
            from: rows.id(self.from),
            to: rows.id(self.to),
            dependency: self.dependency,
            key: self.key,
            before: self.before,
            after: self.after,
        }
    }
}

fn arrows_of_row(key: Key, row: &Row, rows: &Rows<'_>, happened: &Happened, arrows: &mut Vec<Arrow>) {
    let mut add = |dependency, (from, before): (usize, Version), (to, after): (usize, Version)| {
        if from != to {
            arrows.push(Arrow {
                from,
                to,
                dependency,
                key,
                before,
                after,
            });
        }
    };
    let mut last_writer: Option<(usize, Version)> = None;
    // Readers of versions whose successor has not come yet.
    let mut last_readers: Vec<(usize, Version)> = Vec::new();
    for (version, place) in &row.places {
        if let Some(writer) = writer(place, rows, happened) {
            let next = (writer, *version);
            if let Some(last) = last_writer.replace(next) {
                add(Dependency::WriteWrite, last, next);
            }
            for reader in last_readers.drain(..) {
                add(Dependency::ReadWrite, reader, next);
            }
        }
        for reader in place.readers.iter().filter(|reader| happened.has(**reader)) {
            if let Some(writer) = last_writer.filter(|(_, written)| written == version) {
                add(Dependency::WriteRead, writer, (*reader, *version));
            }
            last_readers.push((*reader, *version));
        }
    }
}

/// The one who wrote this version: whom the row names, or who was the first to know.
fn writer(place: &Place, rows: &Rows<'_>, happened: &Happened) -> Option<usize> {
    let writers = happened.writers(place);
    let is_named = |index: &&usize| place.tokens.contains(&rows.id(**index));
    let first = || writers.iter().min_by_key(|index| rows.attempts[**index].end);
    writers.iter().find(is_named).or_else(first).copied()
}
