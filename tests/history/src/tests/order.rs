//! Histories against the clock.

use super::{assert_clean, history, judged, only};
use crate::{Violation, check, check_within};

#[test]
fn what_began_after_an_acknowledged_write_has_seen_it() {
    let violation = only(judged(
        &[(1, 2)],
        "1 0 10 committed 1:1:2
         2 11 20 committed 1:1:-",
    ));
    assert_eq!(
        violation.to_string(),
        "#2 began at 11 and saw key 1 at version 1, but #1 had known of version 2 by 10"
    );
}

#[test]
fn at_the_same_time_either_will_do() {
    assert_clean(&judged(&[(1, 2)], "1 0 10 committed 1:1:2\n2 10 20 committed 1:1:-"));
}

#[test]
fn clocks_may_differ() {
    let history = history(&[(1, 2)], "1 0 10 committed 1:1:2\n2 15 20 committed 1:1:-");
    assert_clean(&check_within(&history, 5));
    assert!(!check_within(&history, 4).is_clean());
}

#[test]
fn somebody_who_was_refused_has_seen_it_as_well() {
    let violation = only(judged(&[(1, 2)], "1 0 10 committed 1:1:2\n2 11 20 refused 1:1:2"));
    assert!(matches!(violation, Violation::OutOfOrder { .. }));
}

#[test]
fn what_was_read_is_not_unread() {
    let violation = only(judged(
        &[(1, 2)],
        "1 0 100 committed 1:1:2
         2 5 10 committed 1:2:-
         3 20 30 committed 1:1:-",
    ));
    assert!(matches!(violation, Violation::OutOfOrder { .. }));
}

#[test]
fn a_write_without_a_look_comes_after_those_that_are_known() {
    let violation = only(judged(&[(1, 3)], "1 11 20 committed 1:-:2\n2 0 10 committed 1:-:3"));
    assert!(matches!(violation, Violation::OutOfOrder { saw: 1, version: 3, .. }));
}

#[test]
fn an_unknown_write_is_known_to_nobody() {
    assert_clean(&check(&history(
        &[(1, 2)],
        "1 0 10 unknown 1:1:2\n2 11 20 committed 1:1:-",
    )));
}
