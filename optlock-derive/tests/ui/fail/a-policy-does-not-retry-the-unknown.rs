use optlock::{Fault, Policy};

const HOPEFUL: Policy = Policy::new().retry_on(Fault::Other);

fn main() {
    let _ = HOPEFUL;
}
