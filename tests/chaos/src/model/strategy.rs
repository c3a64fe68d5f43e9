//! Commands by chance. What is simpler comes first: that is what a failing case shrinks to.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::command::{
    Cells, Change, Command, Delete, Draft, Edit, End, Form, HANDLES, Handle, InsertMany, Keeps, Lock, Mode, Part, Step,
    Then, Transaction, Update, Write,
};

/// How many commands a case has at most.
pub(super) const COMMANDS: usize = 30;

pub(super) fn commands() -> impl Strategy<Value = Vec<Command>> {
    vec(command(), 1..=COMMANDS)
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        12 => write().prop_map(Command::Write),
        3 => transaction().prop_map(Command::Transaction),
    ]
}

fn write() -> BoxedStrategy<Write> {
    prop_oneof![
        4 => (key(), handle()).prop_map(|(key, into)| Write::Load { key, into }),
        2 => (key(), cells(), seldom(version()), into())
            .prop_map(|(key, cells, version, into)| Write::Insert { key, cells, version, into }),
        1 => (vec((key(), cells()), 0..3), insert_many()).prop_map(|(rows, how)| Write::InsertMany { rows, how }),
        6 => (draft(), update(), keeps()).prop_map(|(draft, how, keeps)| Write::Update { draft, how, keeps }),
        2 => (handle(), form(), delete()).prop_map(|(handle, form, how)| Write::Delete { handle, form, how }),
        2 => (loaded(), keeps()).prop_map(|(draft, keeps)| Write::Upsert { draft, keeps }),
        2 => (key(), cells(), option::of(version()), into())
            .prop_map(|(key, cells, version, into)| Write::UpsertNew { key, cells, version, into }),
        2 => (key(), number(), option::of(qty()), any::<bool>(), into()).prop_map(
            |(key, add, at_least, returns, into)| Write::UpdateById { key, add, at_least, returns, into }
        ),
        1 => (number(), option::of(qty()), any::<bool>(), prop::bool::weighted(0.1)).prop_map(
            |(add, at_least, returns, assigns_version)| Write::UpdateMany { add, at_least, returns, assigns_version }
        ),
        1 => key().prop_map(|key| Write::DeleteById { key }),
        1 => option::weighted(0.8, qty()).prop_map(|at_least| Write::DeleteMany { at_least }),
        2 => (key(), edit(), any::<bool>(), into())
            .prop_map(|(key, edit, combines, into)| Write::Modify { key, edit, combines, into }),
        3 => (handle(), edit(), any::<bool>(), keeps())
            .prop_map(|(handle, edit, combines, keeps)| Write::ModifyModel { handle, edit, combines, keeps }),
        2 => (key(), cells(), edit(), any::<bool>(), into()).prop_map(
            |(key, new, edit, combines, into)| Write::ModifyOrInsert { key, new, edit, combines, into }
        ),
        1 => (keys(), edit()).prop_map(|(keys, edit)| Write::ModifyAll { keys, edit }),
        4 => (drafts(), mode()).prop_map(|(drafts, mode)| Write::UpdateBatch { drafts, mode }),
        2 => (drafts(), mode()).prop_map(|(drafts, mode)| Write::DeleteBatch { drafts, mode }),
    ]
    .boxed()
}

fn transaction() -> impl Strategy<Value = Transaction> {
    let end = prop_oneof![
        3 => Just(End::Returns),
        2 => Just(End::Fails),
        2 => Just(End::Commit),
        1 => Just(End::Rollback),
        1 => Just(End::Drop),
    ];
    (vec(part(), 1..5), end).prop_map(|(parts, end)| Transaction { parts, end })
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        4 => step().prop_map(Part::Step),
        1 => (vec(step(), 1..4), any::<bool>()).prop_map(|(steps, keeps)| Part::Savepoint { steps, keeps }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => write().prop_map(Step::Write),
        2 => lock().prop_map(Step::Lock),
    ]
}

fn lock() -> impl Strategy<Value = Lock> {
    prop_oneof![
        2 => (key(), then()).prop_map(|(key, then)| Lock::Row { key, then }),
        2 => (handle(), then()).prop_map(|(handle, then)| Lock::Model { handle, then }),
        1 => (keys(), edit()).prop_map(|(keys, edit)| Lock::All { keys, edit }),
    ]
}

fn then() -> impl Strategy<Value = Then> {
    prop_oneof![
        1 => Just(Then::Nothing),
        3 => edit().prop_map(Then::Update),
        1 => Just(Then::Touch),
        1 => Just(Then::Delete),
    ]
}

fn draft() -> impl Strategy<Value = Draft> {
    (handle(), form(), change()).prop_map(|(handle, form, change)| Draft { handle, form, change })
}

/// One with all columns, so that it can be inserted.
fn loaded() -> impl Strategy<Value = Draft> {
    let form = prop_oneof![4 => Just(Form::Loaded), 1 => Just(Form::Unversioned)];
    (handle(), form, change()).prop_map(|(handle, form, change)| Draft { handle, form, change })
}

fn drafts() -> impl Strategy<Value = Vec<Draft>> {
    let versioned = prop_oneof![6 => Just(Form::Loaded), 3 => Just(Form::Named), 1 => form()];
    let draft = (handle(), versioned, change()).prop_map(|(handle, form, change)| Draft { handle, form, change });
    vec(draft, 0..4)
}

fn form() -> impl Strategy<Value = Form> {
    prop_oneof![
        10 => Just(Form::Loaded),
        5 => Just(Form::Named),
        1 => Just(Form::Unversioned),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    (option::of(qty()), option::weighted(0.3, note())).prop_map(|(qty, note)| Change { qty, note })
}

fn insert_many() -> impl Strategy<Value = InsertMany> {
    prop_oneof![
        Just(InsertMany::WithoutReturning),
        Just(InsertMany::Returning),
        Just(InsertMany::InParts),
    ]
}

fn update() -> impl Strategy<Value = Update> {
    prop_oneof![
        3 => Just(Update::Method),
        1 => Just(Update::Save),
        1 => Just(Update::WithoutReturning),
        1 => Just(Update::Touch),
        1 => qty().prop_map(|at_least| Update::Where { at_least }),
        1 => number().prop_map(|add| Update::Expression { add }),
    ]
}

fn delete() -> impl Strategy<Value = Delete> {
    prop_oneof![
        2 => Just(Delete::Method),
        1 => qty().prop_map(|at_least| Delete::Where { at_least }),
        1 => Just(Delete::Returning),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        6 => number().prop_map(Edit::Add),
        3 => note().prop_map(Edit::Note),
        2 => Just(Edit::Nothing),
        2 => Just(Edit::Refuse),
        1 => Just(Edit::Key),
        1 => Just(Edit::Version),
    ]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::AllOrNone), Just(Mode::Each), Just(Mode::WithoutReturning)]
}

fn keeps() -> impl Strategy<Value = Keeps> {
    prop_oneof![Just(Keeps::Old), Just(Keeps::New)]
}

fn into() -> impl Strategy<Value = Option<Handle>> {
    option::of(handle())
}

fn cells() -> impl Strategy<Value = Cells> {
    (qty(), note()).prop_map(|(qty, note)| Cells { qty, note })
}

fn keys() -> impl Strategy<Value = Vec<i64>> {
    vec(key(), 0..4)
}

fn key() -> impl Strategy<Value = i64> {
    1..=3_i64
}

fn handle() -> impl Strategy<Value = Handle> {
    0..HANDLES
}

fn version() -> impl Strategy<Value = i64> {
    // The last one cannot advance.
    prop_oneof![9 => 1..=4_i64, 1 => Just(i64::MAX)]
}

fn seldom<T: Clone + std::fmt::Debug>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    option::weighted(0.2, value)
}

fn qty() -> impl Strategy<Value = i64> {
    0..=20_i64
}

/// Also none, which changes nothing.
fn number() -> impl Strategy<Value = i64> {
    -5..=5_i64
}

fn note() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![Just(None), Just(Some("a")), Just(Some("ü'%"))]
}
