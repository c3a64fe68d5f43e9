use optlock::Error;

struct Shop;

#[optlock::retry]
impl Shop {
    async fn sell(&self) -> Result<(), Error> {
        Ok(())
    }
}

fn main() {}
