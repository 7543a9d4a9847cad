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
