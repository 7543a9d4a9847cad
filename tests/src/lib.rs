//! What the tests of csp stand on.
