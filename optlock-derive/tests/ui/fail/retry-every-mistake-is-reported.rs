struct Shop;

impl Shop {
    #[optlock::retry(attempts = 5, wait = 3)]
    fn sell(self, mut sku: String, sold: &mut usize) {
        sku.clear();
        *sold += 1;
    }
}

fn main() {}
