//! The versions of one row, from the first to the last: each has one writer, who decided on the one before.

use std::collections::BTreeMap;

use crate::attempt::{Access, Id, Key, Outcome, Version};
use crate::happened::Happened;
use crate::place::{Place, Row, Rows};
use crate::violation::Violation;

pub(crate) fn violations(rows: &Rows<'_>, happened: &Happened) -> Vec<Violation> {
    let mut violations = stale_reads(rows);
    for (key, row) in &rows.by_key {
        let chain = Chain {
            rows,
            happened,
            key: *key,
            row,
        };
        violations.extend(
            row.places
                .iter()
                .filter_map(|(version, place)| chain.lost_update(*version, place)),
        );
        violations.extend(
            row.places
                .iter()
                .filter_map(|(version, place)| chain.written_twice(*version, place)),
        );
        violations.extend(chain.vanished());
        violations.extend(chain.rewound());
        violations.extend(chain.unexplained());
        violations.extend(chain.misplaced());
    }
    violations
}

struct Chain<'a> {
    rows: &'a Rows<'a>,
    happened: &'a Happened,
    key: Key,
    row: &'a Row,
}

impl Chain<'_> {
    fn lost_update(&self, read: Version, place: &Place) -> Option<Violation> {
        let by = self.changers(place);
        (by.len() > 1).then_some(Violation::LostUpdate {
            key: self.key,
            read,
            by,
        })
    }

    /// Who has surely changed this version, each once.
    fn changers(&self, place: &Place) -> Vec<(Id, Version)> {
        let certain = place.changers.iter().filter(|(index, _)| self.happened.has(*index));
        let mut by: Vec<_> = certain.map(|(index, wrote)| (self.rows.id(*index), *wrote)).collect();
        by.sort_unstable();
        by.dedup_by_key(|(id, _)| *id);
        by
    }

    fn written_twice(&self, version: Version, place: &Place) -> Option<Violation> {
        let mut by = self.rows.ids(&self.happened.writers(place));
        by.extend(&place.tokens);
        by.sort_unstable();
        by.dedup();
        if by.len() < 2 {
            return None;
        }
        // Told already, as a lost update.
        let before = version.checked_sub(1).and_then(|before| self.row.places.get(&before));
        let rivals = before.map(|place| self.changers(place)).unwrap_or_default();
        let is_told = by.iter().all(|id| rivals.contains(&(*id, version)));
        (!is_told).then_some(Violation::WrittenTwice {
            key: self.key,
            version,
            by,
        })
    }

    /// The highest version that is gone.
    fn vanished(&self) -> Option<Violation> {
        let last = self.row.last?;
        let mut above = self.row.places.range(last.checked_add(1)?..).rev();
        let (version, (by, is_write)) = above.find_map(|(version, place)| Some((*version, self.witness(place)?)))?;
        Some(Violation::Vanished {
            key: self.key,
            version,
            last,
            by,
            is_write,
        })
    }

    fn rewound(&self) -> Option<Violation> {
        let first = self.row.first?;
        let (version, (by, is_write)) = self.row.places.range(..=first).find_map(|(version, place)| {
            let witness = self.witness(place)?;
            // That it is read is how it should be.
            (*version < first || witness.1).then_some((*version, witness))
        })?;
        Some(Violation::Rewound {
            key: self.key,
            version,
            first,
            by,
            is_write,
        })
    }

    /// Somebody who wrote or read it, and whether it was a write.
    fn witness(&self, place: &Place) -> Option<(Id, bool)> {
        let writer = self.happened.writers(place).first().copied();
        let committed = |index: &&usize| self.rows.outcome(**index) == Outcome::Committed;
        let reader = || place.readers.iter().find(committed).copied();
        let write = writer.map(|index| (self.rows.id(index), true));
        write.or_else(|| reader().map(|index| (self.rows.id(index), false)))
    }

    /// Versions that are there without anybody who can have written them.
    fn unexplained(&self) -> Vec<Violation> {
        let mut blind = self.row.free_blind(self.rows).len();
        let mut found = Vec::new();
        let Some(top) = self.row.top() else {
            return found;
        };
        // Of a row that was not there at first, the first version may be any.
        let mut explained = self.row.first;
        for (version, place) in &self.row.places {
            if !self.row.has_been_at(*version) {
                continue;
            }
            let unlogged = place.tokens.iter().find(|token| !self.rows.ids.contains_key(*token));
            let is_explained = place.has_writer() && unlogged.is_none();
            let from = explained.map_or(*version, |explained| explained + 1);
            let to = if is_explained { version - 1 } else { *version };
            if from <= to {
                let skipped = Gap {
                    from,
                    to,
                    unlogged: unlogged.copied(),
                };
                found.extend(self.gap(&skipped, place, top, &mut blind));
            }
            explained = Some(*version);
        }
        found
    }

    fn gap(&self, gap: &Gap, place: &Place, top: Version, blind: &mut usize) -> Option<Violation> {
        let versions = usize::try_from(gap.to.saturating_sub(gap.from))
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        if gap.unlogged.is_none() {
            let filled = versions.min(*blind);
            *blind -= filled;
            if filled == versions {
                return None;
            }
        }
        let is_one = versions == 1;
        if is_one
            && gap.unlogged.is_none()
            && let Some(suspects) = self.refused(gap.from)
        {
            return Some(Violation::RefusedSeen {
                key: self.key,
                version: gap.from,
                by: suspects,
            });
        }
        if gap.to == top && gap.unlogged.is_none() && place.readers.is_empty() {
            return Some(Violation::Surplus {
                key: self.key,
                explained: gap.from - 1,
                last: top,
            });
        }
        Some(Violation::Skipped {
            key: self.key,
            from: gap.from,
            to: gap.to,
            read_by: place.readers.first().map(|index| self.rows.id(*index)),
            unlogged: gap.unlogged,
        })
    }

    fn refused(&self, version: Version) -> Option<Vec<Id>> {
        let place = self.row.places.get(&version)?;
        (!place.refused.is_empty()).then(|| self.rows.ids(&place.refused))
    }

    /// What rows say of their writers, compared to what these say.
    fn misplaced(&self) -> Vec<Violation> {
        let mut seen: BTreeMap<Id, Vec<Version>> = BTreeMap::new();
        for (version, place) in &self.row.places {
            for token in &place.tokens {
                seen.entry(*token).or_default().push(*version);
            }
        }
        let logged = seen.into_iter().filter(|(by, _)| self.rows.ids.contains_key(by));
        logged
            .filter_map(|(by, versions)| self.misplaced_by(by, versions))
            .collect()
    }

    fn misplaced_by(&self, by: Id, seen: Vec<Version>) -> Option<Violation> {
        let key = self.key;
        let attempt = &self.rows.attempts[self.rows.ids[&by]];
        let accesses = attempt.accesses.iter().filter(|access| access.key == key);
        if attempt.outcome == Outcome::Refused {
            return Some(Violation::RefusedSeen {
                key,
                version: seen[0],
                by: vec![by],
            });
        }
        let said: Vec<Version> = accesses.clone().filter_map(|access| access.wrote).collect();
        let blind = accesses.filter(|access| access.is_blind()).count();
        let elsewhere = seen.iter().filter(|version| !said.contains(version)).count();
        if elsewhere <= blind {
            return None;
        }
        Some(if seen.len() > (said.len() + blind).max(1) {
            Violation::CountedTwice {
                key,
                by,
                versions: seen,
            }
        } else {
            Violation::Misplaced { key, by, said, seen }
        })
    }
}

struct Gap {
    from: Version,
    to: Version,
    unlogged: Option<Id>,
}

/// Writes that did not store the version after the one that they decided on.
fn stale_reads(rows: &Rows<'_>) -> Vec<Violation> {
    let committed = rows
        .attempts
        .iter()
        .filter(|attempt| attempt.outcome == Outcome::Committed);
    let of_access = |by, access: &Access| {
        let (read, wrote) = (access.read?.version, access.wrote?);
        (read.checked_add(1) != Some(wrote)).then_some(Violation::StaleRead {
            key: access.key,
            by,
            read,
            wrote,
        })
    };
    committed
        .flat_map(|attempt| {
            attempt
                .accesses
                .iter()
                .filter_map(move |access| of_access(attempt.id, access))
        })
        .collect()
}
