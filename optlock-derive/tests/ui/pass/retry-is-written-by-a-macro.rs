use optlock::{Error, Policy};

macro_rules! retried {
    ($visibility:vis $name:ident($argument:ident: $ty:ty) -> $output:ty, $policy:expr, $body:block) => {
        #[optlock::retry($policy)]
        $visibility async fn $name($argument: $ty) -> $output $body
    };
    ($name:ident = $value:expr) => {
        #[optlock::retry]
        async fn $name() -> Result<i32, Error> {
            let value = $value;
            Ok(value)
        }
    };
}

retried!(pub length(sku: &str) -> Result<usize, Error>, Policy::new().attempts(2), { Ok(sku.len()) });
retried!(three = 1 + 2);

fn main() {
    let _ = (length, three);
}
