//! Which version of the agent this is, as it tells its control plane.

/// That of the build.
#[cfg(not(feature = "failpoints"))]
#[must_use]
pub fn told() -> String {
    of_the_build()
}

/// That of the build, or the one that a test has this program stand for.
#[cfg(feature = "failpoints")]
#[must_use]
#[expect(clippy::disallowed_methods, reason = "no setting of the product: what is shipped does not have this feature")]
pub fn told() -> String {
    std::env::var(csp_shared::failpoint::VERSION_VARIABLE).unwrap_or_else(|_| of_the_build())
}

fn of_the_build() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
