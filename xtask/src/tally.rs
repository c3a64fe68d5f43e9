//! The sum of what every test binary of a run reported.

use std::fmt;

/// Displays as the line that closes a test run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    /// Adds the counts of a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; …`;
    /// any other line counts nothing.
    pub(crate) fn add(&mut self, line: &str) {
        let Some(result) = line.trim().strip_prefix("test result: ") else {
            return;
        };
        // The verdict ends in a full stop and may be wrapped in colours; the counts never are.
        for part in result.split(['.', ';']) {
            let mut words = part.split_whitespace();
            let (Some(number), Some(what)) = (words.next(), words.next()) else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    fn tally(output: &str) -> Tally {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.add(line));
        tally
    }

    #[test]
    fn sums_every_binary_and_the_doc_tests() {
        let output = "\
running 3 tests
test version::tests::overflow_is_an_error ... ok
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

     Running tests/it/main.rs (target/debug/deps/it-0123)
test result: FAILED. 40 passed; 2 failed; 1 ignored; 0 measured; 7 filtered out; finished in 12.34s

   Doc-tests optlock
test result: ok. 5 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.51s
all doctests ran in 0.90s; merged doctests compilation took 0.38s
";
        assert_eq!(
            tally(output),
            Tally {
                passed: 48,
                failed: 2,
                skipped: 3
            }
        );
    }

    #[test]
    fn reads_a_coloured_verdict() {
        let line = "test result: \u{1b}[32mok\u{1b}(B\u{1b}[m. 12 passed; 0 failed; 3 ignored; 0 measured";
        assert_eq!(
            tally(line),
            Tally {
                passed: 12,
                failed: 0,
                skipped: 3
            }
        );
    }

    #[test]
    fn ignores_lines_that_only_mention_results() {
        assert_eq!(
            tally("the test result: ok. 12 passed; 0 failed\n3 passed\n"),
            Tally::default()
        );
    }

    #[test]
    fn displays_the_closing_line() {
        let tally = Tally {
            passed: 48,
            failed: 2,
            skipped: 3,
        };
        assert_eq!(tally.to_string(), "48 passed, 2 failed, 3 skipped");
    }
}
