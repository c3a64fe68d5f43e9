//! Whether what a query returns are rows of its tables, read off its SQL: sea-query keeps the parts of a query to itself.

use crate::backend::Quotes;

/// The clauses that turn rows into something else, by the words that they begin with at the top level of a query.
const CLAUSES: [(&[&str], &str); 9] = [
    (&["WITH"], "WITH"),
    (&["SELECT", "DISTINCT"], "DISTINCT"),
    (&["SELECT", "DISTINCTROW"], "DISTINCT"),
    (&["GROUP", "BY"], "GROUP BY"),
    (&["HAVING"], "HAVING"),
    (&["UNION"], "UNION"),
    (&["INTERSECT"], "INTERSECT"),
    (&["EXCEPT"], "EXCEPT"),
    (&["WINDOW"], "WINDOW"),
];

/// The aggregates of the three databases. One of an extension or of the user's own is left for the server to refuse.
const AGGREGATES: [&str; 56] = [
    "ANY_VALUE",
    "ARRAY_AGG",
    "AVG",
    "BIT_AND",
    "BIT_OR",
    "BIT_XOR",
    "BOOL_AND",
    "BOOL_OR",
    "CORR",
    "COUNT",
    "COVAR_POP",
    "COVAR_SAMP",
    "CUME_DIST",
    "DENSE_RANK",
    "EVERY",
    "GROUP_CONCAT",
    "JSONB_AGG",
    "JSONB_GROUP_ARRAY",
    "JSONB_GROUP_OBJECT",
    "JSONB_OBJECT_AGG",
    "JSON_AGG",
    "JSON_ARRAYAGG",
    "JSON_GROUP_ARRAY",
    "JSON_GROUP_OBJECT",
    "JSON_OBJECTAGG",
    "JSON_OBJECT_AGG",
    "MAX",
    "MEDIAN",
    "MIN",
    "MODE",
    "PERCENTILE_CONT",
    "PERCENTILE_DISC",
    "PERCENT_RANK",
    "RANGE_AGG",
    "RANGE_INTERSECT_AGG",
    "RANK",
    "REGR_AVGX",
    "REGR_AVGY",
    "REGR_COUNT",
    "REGR_INTERCEPT",
    "REGR_R2",
    "REGR_SLOPE",
    "REGR_SXX",
    "REGR_SXY",
    "REGR_SYY",
    "STD",
    "STDDEV",
    "STDDEV_POP",
    "STDDEV_SAMP",
    "STRING_AGG",
    "SUM",
    "TOTAL",
    "VARIANCE",
    "VAR_POP",
    "VAR_SAMP",
    "XMLAGG",
];

/// What the query has that rules a lock on its rows out.
pub(super) fn obstacle(sql: &str, quotes: Quotes) -> Option<&'static str> {
    let words = words(sql, quotes);
    let top: Vec<&str> = words
        .iter()
        .filter(|word| word.depth == 0)
        .map(|word| word.text)
        .collect();
    let clause = CLAUSES
        .iter()
        .find(|(begin, _)| top.windows(begin.len()).any(|words| words == *begin));
    if let Some((_, name)) = clause {
        return Some(name);
    }
    if words.iter().any(|word| word.text == "OVER") {
        return Some("a window function");
    }
    // SQLite has functions of several values of the same names.
    let is_of_one = |word: &Word<'_>| !matches!(word.text, "MAX" | "MIN") || !word.has_several_arguments;
    let is_aggregate = |word: &Word<'_>| word.is_called && names_aggregate(word.text) && is_of_one(word);
    words.iter().any(is_aggregate).then_some("an aggregate")
}

/// In any case: what the caller writes by hand is as it was written.
fn names_aggregate(word: &str) -> bool {
    AGGREGATES.iter().any(|name| name.eq_ignore_ascii_case(word))
}

/// The sides of a query's joins whose rows may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OuterJoins {
    /// Rows of the table that is selected from.
    pub(super) first: bool,
    /// Rows of any table.
    pub(super) any: bool,
}

pub(super) fn outer_joins(sql: &str, quotes: Quotes) -> OuterJoins {
    let top = top_level(sql, quotes);
    let has = |side: &str| {
        let begins = |words: &[&str]| words[0] == side && matches!(words[1], "JOIN" | "OUTER");
        top.windows(2).any(begins)
    };
    let first = has("RIGHT") || has("FULL");
    OuterJoins {
        first,
        any: first || has("LEFT"),
    }
}

/// Whether the query says which index to use, so that nobody else can.
pub(crate) fn has_index_hint(sql: &str, quotes: Quotes) -> bool {
    let is_hint = |words: &[&str]| matches!(words[0], "USE" | "FORCE" | "IGNORE") && words[1] == "INDEX";
    top_level(sql, quotes).windows(2).any(is_hint)
}

fn top_level(sql: &str, quotes: Quotes) -> Vec<&str> {
    let words = words(sql, quotes).into_iter();
    words.filter(|word| word.depth == 0).map(|word| word.text).collect()
}

struct Word<'a> {
    text: &'a str,
    /// How many parentheses it is in.
    depth: usize,
    /// Whether an opening parenthesis follows.
    is_called: bool,
    /// Whether there is a comma in those parentheses.
    has_several_arguments: bool,
}

/// An open parenthesis.
struct Open {
    /// The word in front of it.
    called: Option<usize>,
    /// Whether it, or one around it, holds a query.
    is_query: bool,
}

/// The words of a statement that are outside quotes and subqueries. sea-query writes keywords and functions in upper
/// case, and quotes every name.
fn words(sql: &str, quotes: Quotes) -> Vec<Word<'_>> {
    let mut words: Vec<Word<'_>> = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let is_part = |character: char| character.is_alphanumeric() || character == '_';
        let mut taken = first.len_utf8();
        match first {
            '(' => {
                let inner = rest[1..].trim_start();
                let is_query = ["SELECT", "WITH", "VALUES"].iter().any(|word| inner.starts_with(word));
                open.push(Open {
                    called: words.len().checked_sub(1).filter(|last| words[*last].is_called),
                    is_query: is_query || open.last().is_some_and(|around| around.is_query),
                });
            }
            ')' => drop(open.pop()),
            ',' => {
                if let Some(word) = open.last().and_then(|open| words.get_mut(open.called?)) {
                    word.has_several_arguments = true;
                }
            }
            '\'' | '"' | '`' => {
                let escapes =
                    first == '\'' && (quotes == Quotes::Backslash || sql[..sql.len() - rest.len()].ends_with('E'));
                taken += quoted(&rest[1..], first, escapes);
            }
            _ if is_part(first) => {
                taken = rest.find(|character| !is_part(character)).unwrap_or(rest.len());
                if !open.last().is_some_and(|around| around.is_query) {
                    words.push(Word {
                        text: &rest[..taken],
                        depth: open.len(),
                        is_called: rest[taken..].starts_with('('),
                        has_several_arguments: false,
                    });
                }
            }
            _ => {}
        }
        rest = &rest[taken..];
    }
    words
}

/// How many bytes a quoted text has, with the quote at its end. A quote within quotes is doubled, which looks like the end of one
/// and the beginning of another.
fn quoted(text: &str, quote: char, escapes: bool) -> usize {
    let mut chars = text.char_indices();
    while let Some((position, character)) = chars.next() {
        if character == quote {
            return position + quote.len_utf8();
        }
        if escapes && character == '\\' {
            chars.next();
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn obstacle(sql: &str) -> Option<&'static str> {
        super::obstacle(sql, Quotes::Doubled)
    }

    #[test]
    fn rows_of_tables_can_be_locked() {
        for sql in [
            r#"SELECT "item"."id", "item"."group" FROM "item" WHERE "item"."id" IN (SELECT DISTINCT "x" FROM "y" GROUP BY "x")"#,
            r#"SELECT CAST("item"."kind" AS "text") FROM "item" INNER JOIN "box" ON "a" = "b" ORDER BY "id" LIMIT 3 OFFSET 1"#,
            r#"SELECT "id" FROM "item" WHERE "name" = 'it''s a UNION' AND "a" IS DISTINCT FROM "b" AND MAX("a", "b") > 1"#,
            r#"SELECT MAX("a", COALESCE("b", 1)), (SELECT COUNT(*) FROM "box") FROM "item""#,
            r#"SELECT "id" FROM "item" ORDER BY CASE WHEN ("a" = 1) THEN 1 ELSE ABS("b") END"#,
            "SELECT `UNION`, `it``s DISTINCT` FROM `item` WHERE EXISTS(SELECT COUNT(*) FROM `box`)",
        ] {
            assert_eq!(obstacle(sql), None, "{sql}");
        }
    }

    #[test]
    fn what_is_no_row_of_a_table_is_named() {
        for (sql, clause) in [
            (r#"SELECT DISTINCT "id" FROM "item""#, "DISTINCT"),
            (r#"SELECT DISTINCT ON ("a") "id" FROM "item""#, "DISTINCT"),
            ("SELECT DISTINCTROW `id` FROM `item`", "DISTINCT"),
            (r#"SELECT "id" FROM "item" WHERE 1 = 1 GROUP BY "id""#, "GROUP BY"),
            (r#"SELECT "id" FROM "item" HAVING 1 = 1"#, "HAVING"),
            (r#"SELECT "id" FROM "item" UNION ALL SELECT "id" FROM "item""#, "UNION"),
            (r#"SELECT "id" FROM "item" UNION (SELECT "id" FROM "item")"#, "UNION"),
            (
                r#"SELECT "id" FROM "item" INTERSECT SELECT "id" FROM "item""#,
                "INTERSECT",
            ),
            (r#"SELECT "id" FROM "item" EXCEPT SELECT "id" FROM "item""#, "EXCEPT"),
            (r#"WITH "x" AS (SELECT 1) SELECT "id" FROM "item""#, "WITH"),
            (
                r#"SELECT RANK() OVER ( ORDER BY "id" ) FROM "item""#,
                "a window function",
            ),
            (
                r#"SELECT COALESCE(RANK() OVER "w", 0) FROM "item""#,
                "a window function",
            ),
            (r#"SELECT "id" FROM "item" WINDOW "w" AS (ORDER BY "id")"#, "WINDOW"),
            (r#"SELECT ABS("a") FROM "item" GROUP BY "a""#, "GROUP BY"),
            (
                r#"SELECT "id" FROM "item" WHERE "id" IN (SELECT "x" FROM "y") UNION SELECT "x" FROM "y""#,
                "UNION",
            ),
            (
                r#"SELECT "id" FROM "item" WHERE "id" IN (SELECT "x" FROM "y") AND SUM("a") > 1"#,
                "an aggregate",
            ),
            ("SELECT `name`, COUNT(*) FROM `item`", "an aggregate"),
            ("SELECT MAX(`id`) AS `id` FROM `item`", "an aggregate"),
            ("SELECT COALESCE(SUM(`qty`), 0), `id` FROM `item`", "an aggregate"),
            (
                "SELECT CAST(MAX(COALESCE(`a`, `b`)) AS text) FROM `item`",
                "an aggregate",
            ),
        ] {
            assert_eq!(obstacle(sql), Some(clause), "{sql}");
        }
    }

    #[test]
    fn text_ends_where_its_database_ends_it() {
        let grouped = r#"SELECT "id" FROM "item" WHERE "name" = E'it\'s' GROUP BY "id""#;
        assert_eq!(obstacle(grouped), Some("GROUP BY"));
        // Wherever it begins.
        let grouped = r#"SELECT "id" FROM "item" WHERE "name" = E'\'' GROUP BY "id""#;
        assert_eq!(obstacle(grouped), Some("GROUP BY"));
        let grouped = r#"SELECT E'\'' FROM "item" GROUP BY "id""#;
        assert_eq!(obstacle(grouped), Some("GROUP BY"));
        let grouped = r"SELECT `id` FROM `item` WHERE `name` = 'it\'s' GROUP BY `id`";
        assert_eq!(super::obstacle(grouped, Quotes::Backslash), Some("GROUP BY"));
        assert_eq!(
            obstacle(r#"SELECT "id" FROM "item" WHERE "name" = 'C:\' GROUP BY "id""#),
            Some("GROUP BY")
        );
    }

    #[test]
    fn outer_joins_are_seen() {
        let joins = |sql| {
            let OuterJoins { first, any } = outer_joins(sql, Quotes::Doubled);
            (first, any)
        };
        assert_eq!(
            joins(r#"SELECT "a" FROM "item" LEFT JOIN "box" ON LEFT("a", 1) = 1"#),
            (false, true)
        );
        assert_eq!(joins("SELECT 1 FROM a FULL OUTER JOIN b ON c"), (true, true));
        assert_eq!(joins("SELECT 1 FROM a RIGHT JOIN b ON c"), (true, true));
        assert_eq!(
            joins(r#"SELECT "a" FROM "item" INNER JOIN "box" ON LEFT("a", 1) = 1"#),
            (false, false)
        );
        assert_eq!(
            joins(r#"SELECT (SELECT 1 FROM x LEFT JOIN y ON z) FROM "item""#),
            (false, false)
        );
    }

    #[test]
    fn index_hints_are_seen() {
        assert!(has_index_hint(
            "SELECT 1 FROM `item` USE INDEX (`i`)",
            Quotes::Backslash
        ));
        assert!(!has_index_hint("SELECT `USE INDEX` FROM `item`", Quotes::Backslash));
        for sql in [
            "SELECT LAG(`a`) IGNORE NULLS FROM `item`",
            "SELECT THE INDEX FROM `item`",
            "SELECT `id` FROM `item` WHERE `id` IN (SELECT `x` FROM `y` FORCE INDEX (`i`))",
        ] {
            assert!(!has_index_hint(sql, Quotes::Backslash), "{sql}");
        }
    }
}
