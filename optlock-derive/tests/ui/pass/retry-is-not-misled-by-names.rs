mod hostile {
    macro_rules! shadow {
        ($($name:ident)*) => {$(
            pub struct $name;
        )*};
    }
    shadow!(Result Option Some None Ok Err Future FnMut Policy Error T E F K);

    pub mod core {}
    pub mod std {}
    pub mod optlock {}
    pub type i64 = ::core::primitive::i64;

    #[::optlock::retry]
    pub async fn free(
        attempt: i64,
        output: &str,
        retry: bool,
    ) -> ::core::result::Result<(i64, usize, bool), ::optlock::Error> {
        // Items of a body are of no concern to the signature.
        mod optlock {}
        struct i64;
        let work = i64;
        let policy = output.len();
        match work {
            i64 => ::core::result::Result::Ok((attempt, policy, retry)),
        }
    }

    impl Policy {
        #[::optlock::retry]
        pub async fn retry(&self) -> ::core::result::Result<&Self, ::optlock::Error> {
            ::core::result::Result::Ok(self)
        }
    }
}

fn main() {
    let _ = (hostile::free, hostile::Policy::retry);
}
