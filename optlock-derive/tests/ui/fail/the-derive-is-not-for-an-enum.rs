use optlock::Versioned;

#[derive(Versioned)]
pub enum Model {
    One,
    Two,
}

fn main() {}
