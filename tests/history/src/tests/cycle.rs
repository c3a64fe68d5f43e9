//! Transactions that no order explains.

use super::{assert_clean, judged, only};
use crate::{Dependency, Violation};

/// The dependencies of the cycle that is the only violation.
fn dependencies(violation: &Violation) -> Vec<Dependency> {
    let Violation::Cycle(edges) = violation else {
        panic!("no cycle: {violation}");
    };
    assert_eq!(edges[0].from, edges[edges.len() - 1].to);
    assert!(edges.windows(2).all(|two| two[0].to == two[1].from));
    let mut dependencies: Vec<_> = edges.iter().map(|edge| edge.dependency).collect();
    dependencies.sort_by_key(|dependency| *dependency as u8);
    dependencies
}

#[test]
fn write_skew() {
    let violation = only(judged(
        &[(1, 2), (2, 2)],
        "1 0 10 committed 1:1:- 2:1:2
         2 0 10 committed 1:1:2 2:1:-",
    ));
    assert_eq!(
        violation.to_string(),
        "a cycle of 2 transactions:\
         \n  #1 read version 1 of key 1, and #2 wrote 2 (rw)\
         \n  #2 read version 1 of key 2, and #1 wrote 2 (rw)"
    );
}

#[test]
fn a_torn_read() {
    let violation = only(judged(
        &[(1, 2), (2, 2)],
        "1 0 10 committed 1:1:2 2:1:2
         2 0 10 committed 1:2:- 2:1:-",
    ));
    assert_eq!(dependencies(&violation), [Dependency::WriteRead, Dependency::ReadWrite]);
}

#[test]
fn writes_in_two_orders() {
    let violation = only(judged(
        &[(1, 3), (2, 3)],
        "1 0 10 committed 1:-:2 2:-:3
         2 0 10 committed 1:-:3 2:-:2",
    ));
    assert_eq!(dependencies(&violation), [Dependency::WriteWrite; 2]);
}

#[test]
fn a_version_in_between_is_read() {
    let violation = only(judged(
        &[(1, 3)],
        "1 0 10 committed 1:1:2 1:2@1:3
         2 0 10 committed 1:2:-",
    ));
    assert_eq!(dependencies(&violation), [Dependency::WriteRead, Dependency::ReadWrite]);
}

#[test]
fn an_unknown_transaction_that_was_done_takes_part() {
    let attempts = "1 0 10 unknown 1:1:- 2:1:2
                    2 0 10 committed 1:1:2 2:1:-";
    assert_eq!(
        dependencies(&only(judged(&[(1, 2), (2, 2)], attempts))),
        [Dependency::ReadWrite; 2]
    );
    assert_clean(&judged(&[(1, 2), (2, 1)], attempts));
}

#[test]
fn somebody_refused_does_not() {
    assert_clean(&judged(
        &[(1, 2), (2, 1)],
        "1 0 10 refused 1:1:- 2:1:2
         2 0 10 committed 1:1:2 2:1:-",
    ));
}

#[test]
fn the_shortest_of_several_is_told() {
    // A cycle of four over the keys 1 to 4; one of three over 5 to 7; and one of both, since 14 reads what 21 writes.
    let violation = only(judged(
        &[(1, 2), (2, 2), (3, 2), (4, 2), (5, 2), (6, 2), (7, 2), (8, 2)],
        "11 0 10 committed 1:1:- 2:1:2
         12 0 10 committed 2:1:- 3:1:2 8:1:2
         13 0 10 committed 3:1:- 4:1:2
         14 0 10 committed 4:1:- 1:1:2
         21 0 10 committed 5:1:- 6:1:2
         22 0 10 committed 6:1:- 7:1:2
         23 0 10 committed 7:1:- 5:1:2 8:1:-",
    ));
    assert_eq!(dependencies(&violation), [Dependency::ReadWrite; 3]);
    assert!(violation.to_string().contains("#21"));
}
