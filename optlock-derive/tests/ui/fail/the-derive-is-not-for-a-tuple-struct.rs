use optlock::Versioned;

#[derive(Versioned)]
pub struct Model(i32, #[version] i64);

fn main() {}
