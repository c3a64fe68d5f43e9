//! Histories in which all is as it should be.

use super::{assert_clean, history, judged};
use crate::{Id, Seen, check};

#[test]
fn nothing_happened() {
    assert_clean(&judged(&[(1, 1), (2, 1)], ""));
}

#[test]
fn each_writer_decided_on_the_version_before() {
    let verdict = judged(
        &[(1, 4)],
        "1 0 10 committed 1:1:2
         2 5 20 committed 1:2:3
         3 0 25 committed 1:3:4",
    );
    assert_clean(&verdict);
    assert_eq!((verdict.committed, verdict.refused, verdict.unknown), (3, 0, 0));
}

#[test]
fn who_loses_is_refused() {
    let verdict = judged(
        &[(1, 2)],
        "1 0 10 committed 1:1:2
         2 0 20 refused 1:1:2
         3 0 20 refused 1:1:2",
    );
    assert_clean(&verdict);
    assert_eq!(verdict.refused, 2);
}

#[test]
fn an_unknown_attempt_was_not_done() {
    let verdict = judged(
        &[(1, 2)],
        "1 0 10 unknown 1:1:2
         2 0 20 committed 1:1:2
         3 0 30 unknown 1:2:3",
    );
    assert_clean(&verdict);
    assert_eq!((verdict.unknown, verdict.unknown_that_happened), (2, 0));
}

#[test]
fn an_unknown_attempt_was_done() {
    let verdict = judged(
        &[(1, 3)],
        "1 0 10 unknown 1:1:2
         2 0 20 committed 1:2:3",
    );
    assert_clean(&verdict);
    assert_eq!(verdict.unknown_that_happened, 1);
}

#[test]
fn one_of_several_unknown_attempts_was_done() {
    let verdict = judged(
        &[(1, 2)],
        "1 0 10 unknown 1:1:2
         2 0 20 unknown 1:1:2",
    );
    assert_clean(&verdict);
    assert_eq!(verdict.unknown_that_happened, 1);
}

#[test]
fn an_unknown_attempt_is_counted_once_for_all_its_rows() {
    let verdict = judged(
        &[(1, 2), (2, 2)],
        "1 0 10 unknown 1:1:2 2:1:2
         2 0 20 unknown 1:1:2",
    );
    assert_clean(&verdict);
    assert_eq!(verdict.unknown_that_happened, 1);
}

#[test]
fn a_row_says_who_of_the_unknown_it_was() {
    let mut history = history(
        &[(1, 3)],
        "1 0 10 unknown 1:1:2
         2 0 20 unknown 1:1:2
         3 0 30 committed 1:2@2:3",
    );
    history.last.insert(1, Seen::by(Id(3), 3));
    let verdict = check(&history);
    assert_clean(&verdict);
    assert_eq!(verdict.unknown_that_happened, 1);
}

#[test]
fn a_write_without_a_look_fits_anywhere_if_its_outcome_is_unknown() {
    let verdict = judged(
        &[(1, 5)],
        "1 0 10 committed 1:-:2
         2 0 20 unknown 1:-:-
         3 0 20 unknown 1:-:-
         4 0 20 unknown 1:-:-
         5 0 30 committed 1:-:4",
    );
    assert_clean(&verdict);
    assert_eq!(verdict.unknown_that_happened, 2);
}

#[test]
fn a_transaction_writes_a_row_twice() {
    assert_clean(&judged(
        &[(1, 4)],
        "1 0 10 committed 1:1:2 1:2@1:3
         2 0 20 committed 1:3@1:4",
    ));
}

#[test]
fn rows_are_inserted_and_deleted() {
    let mut history = history(
        &[(1, 1), (2, 2)],
        "1 0 10 committed 2:-:1
         2 20 30 committed 2:1:2
         3 0 10 committed 1:1:2",
    );
    history.first.remove(&2);
    history.last.remove(&1);
    assert_clean(&check(&history));
}

#[test]
fn transactions_are_one_after_another() {
    assert_clean(&judged(
        &[(1, 3), (2, 3)],
        "1 0 10 committed 1:1:2 2:1:2
         2 0 20 committed 1:2:3 2:2:3
         3 0 30 committed 1:3:- 2:3:-
         4 0 30 committed 1:1:- 2:1:-",
    ));
}
