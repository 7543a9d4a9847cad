//! Whether an answer says all that the text's answer says. It may say more: additions never change the rest.

use serde_json::Value;

/// `...` in the text: any text that is not empty.
const ANY: &str = "...";

/// The first place where `actual` does not say what `wanted` says.
pub fn missing(wanted: &Value, actual: &Value, place: &str) -> Option<String> {
    match (wanted, actual) {
        (Value::Object(wanted), Value::Object(actual)) => wanted.iter().find_map(|(name, wanted)| {
            let place = format!("{place}.{name}");
            match actual.get(name) {
                Some(actual) => missing(wanted, actual, &place),
                None => Some(format!("{place} is not there")),
            }
        }),
        // A list in the text shows elements of it, first ones first.
        (Value::Array(wanted), Value::Array(actual)) => wanted.iter().enumerate().find_map(|(at, wanted)| {
            let place = format!("{place}[{at}]");
            match actual.get(at) {
                Some(actual) => missing(wanted, actual, &place),
                None => Some(format!("{place} is not there")),
            }
        }),
        (Value::String(wanted), Value::String(actual)) if wanted == ANY => {
            actual.is_empty().then(|| format!("{place} is empty"))
        }
        // The rest of a text is left open: it must begin so and go on.
        (Value::String(wanted), Value::String(actual)) if wanted.ends_with(ANY) => {
            let begins = wanted.strip_suffix(ANY).unwrap_or_default();
            let goes_on = actual.strip_prefix(begins).is_some_and(|rest| !rest.is_empty());
            (!goes_on).then(|| format!("{place} is {actual}, not {wanted}"))
        }
        // 25 and 25.00 are one amount.
        (Value::Number(wanted), Value::Number(actual)) if wanted.as_f64() == actual.as_f64() => None,
        (wanted, actual) if wanted == actual => None,
        (wanted, actual) => Some(format!("{place} is {actual}, not {wanted}")),
    }
}

#[test]
fn an_answer_may_say_more_and_never_less() {
    let wanted = serde_json::json!({"ok": true, "data": [{"uuid": "...", "amount": 25}]});
    let more = serde_json::json!({"ok": true, "data": [{"uuid": "u", "amount": 25.00, "x": 1}, {}], "total": 2});
    assert_eq!(missing(&wanted, &more, "$"), None);
    let (open, begun) = (serde_json::json!("https://a/..."), serde_json::json!("https://a/b"));
    assert_eq!(missing(&open, &begun, "$"), None);
    assert!(missing(&open, &serde_json::json!("https://a/"), "$").is_some());
    assert!(missing(&open, &serde_json::json!("http://a/b"), "$").is_some());
    for less in [
        serde_json::json!({"ok": true}),
        serde_json::json!({"ok": true, "data": []}),
        serde_json::json!({"ok": true, "data": [{"uuid": "", "amount": 25}]}),
        serde_json::json!({"ok": true, "data": [{"uuid": "u", "amount": 25.01}]}),
        serde_json::json!({"ok": true, "data": [{"uuid": "u", "amount": "25"}]}),
    ] {
        assert!(missing(&wanted, &less, "$").is_some(), "{less}");
    }
}
