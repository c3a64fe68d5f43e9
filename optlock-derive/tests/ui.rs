//! What the macros accept and what they refuse, one rule a file: `ui/pass/` compiles, `ui/fail/` fails with the message
//! beside it. `TRYBUILD=overwrite cargo test -p optlock-derive --test ui` writes the messages anew.

#[test]
fn entities_that_keep_the_rules_compile_and_each_mistake_has_its_message() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
