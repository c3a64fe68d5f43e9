//! Rust text with its comments or strings blanked out, so that a search finds code only.

use std::ops::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Comment,
    String,
}

/// `text` with spaces in place of comments. Every offset and line stays where it was.
pub(super) fn without_comments(text: &str) -> String {
    blank(text, |part| part == Part::Comment)
}

/// `text` with spaces in place of comments and of string literals.
pub(super) fn without_comments_and_strings(text: &str) -> String {
    blank(text, |_| true)
}

fn blank(text: &str, unwanted: impl Fn(Part) -> bool) -> String {
    let mut code = String::with_capacity(text.len());
    for (part, range) in parts(text) {
        if part.is_some_and(&unwanted) {
            code.extend(text[range].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        } else {
            code.push_str(&text[range]);
        }
    }
    code
}

/// Splits `text` into comments, strings, and what is neither.
fn parts(text: &str) -> Vec<(Option<Part>, Range<usize>)> {
    let mut parts = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let (part, length) = first_part(&text[start..]);
        parts.push((part, start..start + length));
        start += length;
    }
    parts
}

/// What `text` begins with, and how long that is. Code comes a character, or a character literal, at a time.
fn first_part(text: &str) -> (Option<Part>, usize) {
    if text.starts_with("//") {
        return (Some(Part::Comment), text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return (Some(Part::Comment), block_comment(text));
    }
    if text.starts_with('"') {
        return (Some(Part::String), quoted(text, '"'));
    }
    if let Some(length) = raw_string(text) {
        return (Some(Part::String), length);
    }
    (
        None,
        character_literal(text)
            .or_else(|| text.chars().next().map(char::len_utf8))
            .unwrap_or(text.len()),
    )
}

/// The length of a block comment, which may contain others.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut position = 0;
    while position < text.len() {
        let rest = &text.as_bytes()[position..];
        if rest.starts_with(b"/*") {
            depth += 1;
            position += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            position += 2;
            if depth == 0 {
                return position;
            }
        } else {
            position += 1;
        }
    }
    text.len()
}

/// The length of a literal between `quote`s, in which a backslash escapes.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (position, character) in text.char_indices().skip(1) {
        if character == quote && !escaped {
            return position + quote.len_utf8();
        }
        escaped = character == '\\' && !escaped;
    }
    text.len()
}

fn raw_string(text: &str) -> Option<usize> {
    let after_r = text.strip_prefix('r')?;
    let hashes = after_r.len() - after_r.trim_start_matches('#').len();
    let content = after_r[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = content
        .find(&end)
        .map_or(content.len(), |position| position + end.len());
    Some("r\"".len() + hashes + length)
}

/// The length of a literal such as `'"'`; none for a lifetime.
fn character_literal(text: &str) -> Option<usize> {
    let content = text.strip_prefix('\'')?;
    let character = content.chars().next()?;
    let is_literal = character == '\\' || content[character.len_utf8()..].starts_with('\'');
    is_literal.then(|| quoted(text, '\''))
}

#[cfg(test)]
mod tests {
    use super::{without_comments, without_comments_and_strings};

    #[test]
    fn blanks_comments_and_keeps_every_line() {
        let text = "a // b\n/* c /* d */\n e */ f /// g\n\"//\"";
        let code = without_comments(text);
        assert_eq!(code.len(), text.len());
        assert_eq!(
            code.lines().map(str::trim).collect::<Vec<_>>(),
            ["a", "", "f", "\"//\""]
        );
    }

    #[test]
    fn blanks_strings_of_every_form() {
        let text = r##"f("a // \" b", r#"c " d"#, b"e") // g"##;
        let code = without_comments_and_strings(text);
        assert_eq!(code.len(), text.len());
        assert_eq!(code.split_whitespace().collect::<String>(), "f(,,b)");
    }

    #[test]
    fn a_string_is_no_comment() {
        let text = "let url = \"https://example.org\";";
        assert_eq!(without_comments(text), text);
    }

    #[test]
    fn a_quote_character_opens_no_string_and_a_lifetime_no_character() {
        let text = "fn f<'a>(x: &'a str) { g('\"', '\\'', h) } // i";
        assert_eq!(
            without_comments_and_strings(text).trim_end(),
            "fn f<'a>(x: &'a str) { g('\"', '\\'', h) }"
        );
    }
}
