//! Attempts as lines of text.

use crate::{Access, Attempt, Id, Outcome, Seen};

#[test]
fn an_attempt_comes_back_from_its_line() {
    for outcome in [Outcome::Committed, Outcome::Refused, Outcome::Unknown] {
        let attempt = Attempt {
            id: Id(u64::MAX),
            start: 0,
            end: u64::MAX,
            outcome,
            accesses: vec![
                Access::changed(-7, Seen::by(Id(0), 3)),
                Access::read(i64::MIN, Seen::at(-1)),
                Access::wrote(i64::MAX, i64::MIN),
                Access::blind(0),
            ],
        };
        assert_eq!(attempt.to_string().parse(), Ok(attempt));
    }
}

#[test]
fn the_form_is_the_documented_one() {
    let line = "17 1000 2500 committed 1:3@16:4 2:7:- 3:-:5";
    let attempt: Attempt = line.parse().unwrap();
    assert_eq!(attempt.accesses[0], Access::changed(1, Seen::by(Id(16), 3)));
    assert_eq!(attempt.accesses[1], Access::read(2, Seen::at(7)));
    assert_eq!(attempt.accesses[2], Access::wrote(3, 5));
    assert_eq!(attempt.to_string(), line);
    let idle: Attempt = "1 2 3 refused".parse().unwrap();
    assert!(idle.accesses.is_empty());
}

#[test]
fn half_a_line_is_no_attempt() {
    for line in ["", "1 2 3", "1 2 3 done", "1 2 x refused", "-1 2 3 refused"] {
        assert!(line.parse::<Attempt>().is_err(), "{line}");
    }
    for access in ["1", "1:2", "1:2:3:4", "1:2@:3", "1:@2:3", "x:2:3", "1::2"] {
        let err = format!("1 2 3 refused {access}").parse::<Attempt>().unwrap_err();
        assert!(err.to_string().contains(access));
    }
}
