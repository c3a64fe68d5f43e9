use optlock::Versioned;

#[derive(Versioned)]
pub struct Product {
    pub id: i32,
    #[version]
    pub version: i64,
}

fn main() {}
