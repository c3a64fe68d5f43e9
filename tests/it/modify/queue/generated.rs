//! Rows with columns that the database writes.

use crate::backend::Backend;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::generated::computed;
use crate::modify::line::{PATIENT, calls, ends, go, line_up};

cases![what_a_trigger_writes_after_the_row_is_seen_by_the_next_caller];

/// Doubles the quantity after the row was returned, where a trigger may do that.
async fn create(context: &Context) -> Outcome {
    let doubled = context.backend.pick(
        "BIGINT NOT NULL",
        "BIGINT NOT NULL",
        "BIGINT GENERATED ALWAYS AS (qty * 2) STORED",
    );
    context
        .sql(&format!(
            "CREATE TABLE computed (id BIGINT NOT NULL PRIMARY KEY, qty BIGINT NOT NULL, doubled {doubled}, version BIGINT NOT NULL)"
        ))
        .await?;
    match context.backend {
        Backend::Sqlite => {
            context
                .sql(
                    "CREATE TRIGGER doubles AFTER UPDATE OF qty ON computed FOR EACH ROW \
                     BEGIN UPDATE computed SET doubled = NEW.qty * 2 WHERE id = NEW.id; END",
                )
                .await
        }
        Backend::Postgres => {
            context
                .sql(
                    "CREATE FUNCTION double_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                     UPDATE computed SET doubled = NEW.qty * 2 WHERE id = NEW.id; RETURN NULL; END $$",
                )
                .await?;
            context
                .sql("CREATE TRIGGER doubles AFTER UPDATE OF qty ON computed FOR EACH ROW EXECUTE FUNCTION double_it()")
                .await
        }
        Backend::MariaDb => Ok(()),
    }
}

async fn what_a_trigger_writes_after_the_row_is_seen_by_the_next_caller(context: Context) -> Outcome {
    create(&context).await?;
    let row = context
        .backend
        .pick("(770, 1, 2, 1)", "(771, 1, 2, 1)", "(772, 1, DEFAULT, 1)");
    context.sql(&format!("INSERT INTO computed VALUES {row}")).await?;
    let id = context.backend.pick(770, 771, 772);
    let mut lined_up = calls(4, |_| {
        let db = context.db.clone();
        async move {
            PATIENT
                .modify(computed::Entity, &db, id, |row| row.qty += row.doubled)
                .await
        }
    });
    line_up(computed::Entity, &context.db, id, &mut lined_up).await?;
    let mut quantities = Vec::new();
    for row in ends(go(lined_up)).await? {
        quantities.push(row?.qty);
    }
    assert_eq!(quantities, [3, 9, 27, 81]);
    Ok(())
}
