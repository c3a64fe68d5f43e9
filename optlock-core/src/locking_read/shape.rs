//! Whether what a query returns are rows of its tables, read off its SQL: sea-query keeps the parts of a query to itself.

/// The clauses that turn rows into something else, by the words that they begin with at the top level of a query.
const CLAUSES: [(&[&str], &str); 9] = [
    (&["WITH"], "WITH"),
    (&["SELECT", "DISTINCT"], "DISTINCT"),
    (&["GROUP", "BY"], "GROUP BY"),
    (&["HAVING"], "HAVING"),
    (&["UNION"], "UNION"),
    (&["INTERSECT"], "INTERSECT"),
    (&["EXCEPT"], "EXCEPT"),
    (&["WINDOW"], "WINDOW"),
    (&["OVER"], "a window function"),
];

/// The aggregates of the three databases. One of an extension or of the user's own is left for the server to refuse.
const AGGREGATES: [&str; 33] = [
    "ANY_VALUE",
    "ARRAY_AGG",
    "AVG",
    "BIT_AND",
    "BIT_OR",
    "BIT_XOR",
    "BOOL_AND",
    "BOOL_OR",
    "COUNT",
    "EVERY",
    "GROUP_CONCAT",
    "JSONB_AGG",
    "JSONB_OBJECT_AGG",
    "JSON_AGG",
    "JSON_ARRAYAGG",
    "JSON_GROUP_ARRAY",
    "JSON_GROUP_OBJECT",
    "JSON_OBJECTAGG",
    "JSON_OBJECT_AGG",
    "MAX",
    "MIN",
    "MODE",
    "PERCENTILE_CONT",
    "PERCENTILE_DISC",
    "STD",
    "STDDEV",
    "STDDEV_POP",
    "STDDEV_SAMP",
    "STRING_AGG",
    "SUM",
    "TOTAL",
    "VARIANCE",
    "VAR_POP",
];

/// What the query has that rules a lock on its rows out.
pub(super) fn obstacle(sql: &str) -> Option<&'static str> {
    let words = top_level_words(sql);
    let clause = CLAUSES.iter().find(|(begin, _)| {
        words
            .windows(begin.len())
            .any(|words| words.iter().map(|word| word.text).eq(begin.iter().copied()))
    });
    if let Some((_, name)) = clause {
        return Some(name);
    }
    let selected = words.iter().take_while(|word| word.text != "FROM");
    let is_aggregate = |word: &&Word<'_>| word.is_called && AGGREGATES.contains(&word.text);
    selected.into_iter().find(is_aggregate).map(|_| "an aggregate")
}

/// Whether the query has a join that can leave the rows of one side out.
pub(super) fn has_outer_join(sql: &str) -> bool {
    let words = top_level_words(sql);
    let begins = |words: &[Word<'_>]| {
        matches!(words[0].text, "LEFT" | "RIGHT" | "FULL") && matches!(words[1].text, "JOIN" | "OUTER")
    };
    words.windows(2).any(begins)
}

struct Word<'a> {
    text: &'a str,
    /// Whether an opening parenthesis follows.
    is_called: bool,
}

/// The upper-case words of a statement that are outside quotes and parentheses. sea-query writes keywords and functions
/// in upper case, and quotes every name.
fn top_level_words(sql: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut depth = 0_usize;
    let mut begin = None;
    let mut chars = sql.char_indices().peekable();
    while let Some((position, character)) = chars.next() {
        if character.is_alphanumeric() || character == '_' {
            begin.get_or_insert(position);
            if chars.peek().is_some() {
                continue;
            }
        }
        if let Some(begin) = begin.take()
            && depth == 0
        {
            let end = if character.is_alphanumeric() || character == '_' {
                sql.len()
            } else {
                position
            };
            words.push(Word {
                text: &sql[begin..end],
                is_called: character == '(',
            });
        }
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            // A quote within quotes is doubled, which looks like the end of one and the beginning of another.
            '\'' | '"' | '`' => while chars.next().is_some_and(|(_, inner)| inner != character) {},
            _ => {}
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_tables_can_be_locked() {
        for sql in [
            r#"SELECT "item"."id", "item"."group" FROM "item" WHERE "item"."id" IN (SELECT DISTINCT "x" FROM "y" GROUP BY "x")"#,
            r#"SELECT CAST("item"."kind" AS "text") FROM "item" INNER JOIN "box" ON "a" = "b" ORDER BY "id" LIMIT 3 OFFSET 1"#,
            r#"SELECT "id" FROM "item" WHERE "name" = 'it''s a UNION' AND "a" IS DISTINCT FROM "b" AND MAX("a", "b") > 1"#,
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
            (r#"SELECT "id" FROM "item" WINDOW "w" AS (ORDER BY "id")"#, "WINDOW"),
            ("SELECT `name`, COUNT(*) FROM `item`", "an aggregate"),
            ("SELECT MAX(`id`) AS `id` FROM `item`", "an aggregate"),
        ] {
            assert_eq!(obstacle(sql), Some(clause), "{sql}");
        }
    }

    #[test]
    fn outer_joins_are_seen() {
        assert!(has_outer_join(
            r#"SELECT "a" FROM "item" LEFT JOIN "box" ON LEFT("a", 1) = 1"#
        ));
        assert!(has_outer_join("SELECT 1 FROM a FULL OUTER JOIN b ON c"));
        assert!(!has_outer_join(
            r#"SELECT "a" FROM "item" INNER JOIN "box" ON LEFT("a", 1) = 1"#
        ));
        assert!(!has_outer_join(
            r#"SELECT (SELECT 1 FROM x LEFT JOIN y ON z) FROM "item""#
        ));
    }
}
