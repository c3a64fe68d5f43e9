use optlock::Versioned;

#[derive(Versioned)]
pub struct Model {
    pub id: i32,
    #[version]
    pub version: i64,
}

fn main() {}
