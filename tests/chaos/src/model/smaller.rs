//! A failing case without what proptest has left: it takes commands away once, before it makes them simpler, and takes none out of a transaction.

use super::command::{Command, Part, Step};

/// The smallest case that is found by leaving out one command at a time, and how it fails; `run` says that of a case, if it does.
pub(super) fn smaller(
    mut commands: Vec<Command>,
    mut failure: String,
    run: impl Fn(&[Command]) -> Result<(), String>,
) -> (Vec<Command>, String) {
    loop {
        let found = candidates(&commands).find_map(|candidate| Some((run(&candidate).err()?, candidate)));
        let Some((difference, candidate)) = found else {
            return (commands, failure);
        };
        (commands, failure) = (candidate, difference);
    }
}

/// Each has a command, or a transaction, less.
fn candidates(commands: &[Command]) -> impl Iterator<Item = Vec<Command>> {
    let less = (0..commands.len()).map(|index| replaced(commands, index, None));
    let lifted = commands.iter().enumerate().filter_map(|(index, command)| {
        let Command::Transaction(transaction) = command else {
            return None;
        };
        let [Part::Step(Step::Write(write))] = transaction.parts.as_slice() else {
            return None;
        };
        Some(replaced(commands, index, Some(Command::Write(write.clone()))))
    });
    less.chain(lifted)
}

fn replaced(commands: &[Command], index: usize, by: Option<Command>) -> Vec<Command> {
    let mut commands = commands.to_vec();
    commands.splice(index..=index, by);
    commands
}
