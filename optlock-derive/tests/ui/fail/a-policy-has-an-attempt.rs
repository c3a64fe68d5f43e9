use optlock::Policy;

const NEVER: Policy = Policy::new().attempts(0);

fn main() {
    let _ = NEVER;
}
