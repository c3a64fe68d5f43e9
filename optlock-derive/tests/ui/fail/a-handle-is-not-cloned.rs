use optlock::Txn;

fn keep(txn: &Txn) -> Txn {
    txn.clone()
}

fn main() {}
