//! One history for each thing that must not be to a row.

use super::{history, judged, only};
use crate::{Id, Seen, Violation, check};

/// Elle, `list_append_test.clj`: two transactions read the same list of x, and both append to it.
#[test]
fn a_lost_update_as_in_elle_s_lists() {
    // The database counts by itself, so both writes are there, and the second has not seen the first.
    let verdict = judged(
        &[(1, 3)],
        "1 0 10 committed 1:1:2
         2 0 10 committed 1:1:3",
    );
    assert!(verdict.violations.contains(&Violation::LostUpdate {
        key: 1,
        read: 1,
        by: vec![(Id(1), 2), (Id(2), 3)],
    }));
    assert!(verdict.violations.contains(&Violation::StaleRead {
        key: 1,
        by: Id(2),
        read: 1,
        wrote: 3,
    }));
}

/// Elle, `rw_register_test.clj`: two transactions read the same value of x, and both write it; a third writes y as well.
#[test]
fn a_lost_update_as_in_elle_s_registers() {
    let violation = only(judged(
        &[(1, 2), (2, 2)],
        "1 0 10 committed 1:1:2
         2 0 10 committed 1:1:2 2:1:2
         3 0 10 committed 2:1:-",
    ));
    assert_eq!(
        violation.to_string(),
        "lost update of key 1: read at version 1 and written by each of #1 (as 2), #2 (as 2)"
    );
}

#[test]
fn an_unknown_attempt_that_was_done_loses_an_update() {
    let mut history = history(
        &[(1, 2)],
        "1 0 10 unknown 1:1:2
         2 0 10 committed 1:1:2",
    );
    history.last.insert(1, Seen::by(Id(1), 2));
    assert!(matches!(only(check(&history)), Violation::LostUpdate { .. }));
}

#[test]
fn a_version_is_written_twice() {
    let violation = only(judged(
        &[(1, 2)],
        "1 0 10 committed 1:-:2
         2 0 10 committed 1:-:2",
    ));
    assert_eq!(
        violation.to_string(),
        "version 2 of key 1 was written by each of #1, #2"
    );
}

#[test]
fn a_version_is_another_s_than_whoever_was_told() {
    let violation = only(judged(
        &[(1, 3)],
        "1 0 10 committed 1:1:2
         2 0 10 unknown 1:-:-
         3 0 20 committed 1:2@2:3",
    ));
    assert_eq!(
        violation,
        Violation::WrittenTwice {
            key: 1,
            version: 2,
            by: vec![Id(1), Id(2)],
        }
    );
}

#[test]
fn a_version_is_skipped() {
    let violation = only(judged(
        &[(1, 5)],
        "1 0 10 committed 1:1:2
         2 0 10 committed 1:-:5",
    ));
    assert_eq!(
        violation.to_string(),
        "nobody wrote version 3 to 4 of key 1, which is there"
    );
}

#[test]
fn a_version_that_nobody_wrote_is_read() {
    let violation = only(judged(&[(1, 3)], "1 0 10 committed 1:2:3"));
    assert_eq!(
        violation.to_string(),
        "nobody wrote version 2 of key 1, which is there, and was read by #1"
    );
}

#[test]
fn a_version_is_of_somebody_in_no_log() {
    let violation = only(judged(&[(1, 3)], "1 0 10 committed 1:2@77:3"));
    assert!(matches!(
        violation,
        Violation::Skipped {
            from: 2,
            to: 2,
            unlogged: Some(Id(77)),
            ..
        }
    ));
}

#[test]
fn a_row_ends_beyond_all_that_was_done() {
    let attempts = "1 0 10 committed 1:1:2
                    2 0 10 unknown 1:2:3
                    3 0 10 unknown 1:2:3";
    assert_eq!(judged(&[(1, 3)], attempts).violations, []);
    assert_eq!(
        only(judged(&[(1, 5)], attempts)),
        Violation::Surplus {
            key: 1,
            explained: 3,
            last: 5,
        }
    );
    let blind = "1 0 10 unknown 1:-:-";
    assert_eq!(judged(&[(1, 2)], blind).violations, []);
    assert!(matches!(only(judged(&[(1, 3)], blind)), Violation::Surplus { .. }));
}

#[test]
fn a_committed_write_is_gone() {
    let violation = only(judged(
        &[(1, 2)],
        "1 0 10 committed 1:1:2
         2 0 20 committed 1:2:3",
    ));
    assert_eq!(violation.to_string(), "key 1 ends at version 2, but #2 wrote version 3");
}

#[test]
fn a_version_that_was_read_is_gone() {
    let violation = only(judged(&[(1, 1)], "1 0 10 unknown 1:1:2\n2 0 20 committed 1:2:-"));
    assert_eq!(violation.to_string(), "key 1 ends at version 1, but #2 read version 2");
}

#[test]
fn one_half_of_an_unknown_transaction_is_gone() {
    let violation = only(judged(
        &[(1, 3), (2, 1)],
        "1 0 10 unknown 1:1:2 2:1:2
         2 0 20 committed 1:2@1:3",
    ));
    assert!(matches!(
        violation,
        Violation::Vanished {
            key: 2,
            by: Id(1),
            is_write: true,
            ..
        }
    ));
}

#[test]
fn a_write_is_below_the_first_version() {
    let mut history = history(&[(1, 1)], "1 0 10 committed 1:3:4");
    history.first.insert(1, Seen::at(4));
    history.last.insert(1, Seen::at(4));
    let verdict = check(&history);
    let rewound = Violation::Rewound {
        key: 1,
        version: 3,
        first: 4,
        by: Id(1),
        is_write: false,
    };
    assert!(verdict.violations.contains(&rewound), "{verdict}");
    history.attempts = vec!["1 0 10 committed 1:-:4".parse().unwrap()];
    assert!(matches!(
        only(check(&history)),
        Violation::Rewound {
            version: 4,
            is_write: true,
            ..
        }
    ));
}

#[test]
fn a_stale_read_is_accepted() {
    let verdict = judged(
        &[(1, 3)],
        "1 0 10 committed 1:1:2
         2 5 20 committed 1:1:3",
    );
    let stale = Violation::StaleRead {
        key: 1,
        by: Id(2),
        read: 1,
        wrote: 3,
    };
    assert!(verdict.violations.contains(&stale), "{verdict}");
    assert_eq!(
        stale.to_string(),
        "#2 decided on version 1 of key 1, and its write stored 3"
    );
}

#[test]
fn a_version_is_not_advanced() {
    let verdict = judged(&[(1, 1)], "1 0 10 committed 1:1:1");
    assert!(
        verdict
            .violations
            .iter()
            .any(|violation| matches!(violation, Violation::StaleRead { .. }))
    );
}

#[test]
fn an_unknown_attempt_is_counted_twice() {
    let mut history = history(
        &[(1, 3)],
        "1 0 10 unknown 1:1:2
         2 0 20 committed 1:2@1:-",
    );
    history.last.insert(1, Seen::by(Id(1), 3));
    assert_eq!(
        only(check(&history)).to_string(),
        "#1 is the writer of several versions of key 1: 2, 3"
    );
}

#[test]
fn a_write_without_a_look_is_counted_twice() {
    let mut history = history(
        &[(1, 3)],
        "1 0 10 unknown 1:-:-
         2 0 20 committed 1:2@1:-",
    );
    history.last.insert(1, Seen::by(Id(1), 3));
    assert!(matches!(only(check(&history)), Violation::CountedTwice { .. }));
}

#[test]
fn an_attempt_is_seen_elsewhere_than_it_says() {
    let mut history = history(
        &[(1, 3)],
        "1 0 10 unknown 1:1:2
         2 0 20 committed 1:1:2",
    );
    history.last.insert(1, Seen::by(Id(1), 3));
    let verdict = check(&history);
    let misplaced = Violation::Misplaced {
        key: 1,
        by: Id(1),
        said: vec![2],
        seen: vec![3],
    };
    assert!(verdict.violations.contains(&misplaced), "{verdict}");
}

#[test]
fn a_write_of_somebody_refused_is_seen() {
    let verdict = judged(
        &[(1, 3)],
        "1 0 10 refused 1:1:2
         2 0 20 committed 1:2@1:3",
    );
    assert_eq!(
        only(verdict).to_string(),
        "version 2 of key 1 is there, and only who was refused can have written it: #1"
    );
}

#[test]
fn a_version_is_there_that_only_somebody_refused_wanted_to_write() {
    let violation = only(judged(
        &[(1, 3)],
        "1 0 10 refused 1:1:2
         2 0 10 refused 1:1:2
         3 0 20 committed 1:2:3",
    ));
    assert_eq!(
        violation,
        Violation::RefusedSeen {
            key: 1,
            version: 2,
            by: vec![Id(1), Id(2)],
        }
    );
}

#[test]
fn two_attempts_have_one_name() {
    let verdict = judged(&[(1, 3)], "1 0 10 committed 1:1:2\n1 0 20 committed 1:2:3");
    assert!(verdict.violations.contains(&Violation::SameId(Id(1))));
    assert!(
        verdict
            .to_string()
            .starts_with("2 committed, 0 refused, 0 unknown (0 of them done), ")
    );
}
