//! NAME=VALUE, as typed, and as the protocol has it.

use crate::failure::{Failure, Result, USAGE};
use serde_json::{Map, Value};

/// Splits NAME=VALUE.
pub(crate) fn pair(argument: &str) -> std::result::Result<(String, String), String> {
    match argument.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it takes NAME=VALUE".to_owned()),
    }
}

/// The values as an object. `kind_of` says of what type the one of a name is, when that is known.
pub(crate) fn object(pairs: &[(String, String)], kind_of: impl Fn(&str) -> Option<String>) -> Result<Value> {
    let mut values = Map::new();
    for (name, text) in pairs {
        let value = match kind_of(name) {
            Some(kind) => of_kind(text, &kind).ok_or_else(|| {
                let text = format!("'{name}' takes {}, not '{text}'", in_words(&kind));
                Failure::new(USAGE, text)
            })?,
            None => guessed(text),
        };
        if values.insert(name.clone(), value).is_some() {
            return Err(Failure::new(USAGE, format!("'{name}' is given twice")));
        }
    }
    Ok(Value::Object(values))
}

fn in_words(kind: &str) -> &'static str {
    match kind {
        "f64" => "a number",
        "i64" => "a whole number",
        "bool" => "true or false",
        "f64s" => "numbers with commas between",
        "i64s" => "whole numbers with commas between",
        _ => "a text",
    }
}

fn of_kind(text: &str, kind: &str) -> Option<Value> {
    let items = || text.split(',').map(str::trim);
    match kind {
        "f64" => real(text),
        "i64" => text.parse::<i64>().ok().map(Value::from),
        "bool" => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(Value::Bool(true)),
            "false" | "no" | "off" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        // An array takes finite numbers only: the protocol has no others in one.
        "f64s" => items().map(|item| item.parse::<f64>().ok().filter(|x| x.is_finite()).map(Value::from)).collect(),
        "i64s" => items().map(|item| item.parse::<i64>().ok().map(Value::from)).collect(),
        _ => Some(Value::from(text)),
    }
}

/// Those that are not finite are texts.
fn real(text: &str) -> Option<Value> {
    let value: f64 = text.parse().ok()?;
    Some(match value {
        _ if value.is_nan() => Value::from("NaN"),
        _ if value.is_finite() => Value::from(value),
        _ if value > 0.0 => Value::from("inf"),
        _ => Value::from("-inf"),
    })
}

/// What is meant where nobody says: JSON if it is some, numbers with commas between, else a text. A text that looks like
/// a number is put in double quotes.
fn guessed(text: &str) -> Value {
    let is_value = |value: &Value| !value.is_null() && !value.is_object();
    let as_json = |text: &str| serde_json::from_str::<Value>(text).ok().filter(is_value);
    as_json(text)
        .or_else(|| as_json(&format!("[{text}]")).filter(|_| text.contains(',')))
        .unwrap_or_else(|| Value::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_type_that_is_known_decides() {
        assert_eq!(of_kind("3", "f64"), Some(json!(3.0)));
        assert_eq!(of_kind("-inf", "f64"), Some(json!("-inf")));
        assert_eq!(of_kind("3.0", "i64"), None);
        assert_eq!(of_kind("off", "bool"), Some(json!(false)));
        assert_eq!(of_kind("12", "text"), Some(json!("12")));
        assert_eq!(of_kind("1, 2.5", "f64s"), Some(json!([1.0, 2.5])));
        assert_eq!(of_kind("1,,2", "i64s"), None);
    }

    #[test]
    fn else_it_is_guessed() {
        let cases = [("7", json!(7)), ("7.5", json!(7.5)), ("true", json!(true)), ("fast", json!("fast"))];
        for (text, value) in cases {
            assert_eq!(guessed(text), value);
        }
        assert_eq!(guessed("1,2"), json!([1, 2]));
        assert_eq!(guessed("\"7\""), json!("7"));
        assert_eq!(guessed("null"), json!("null"));
        assert_eq!(guessed("a,b"), json!("a,b"));
    }

    #[test]
    fn a_pair_needs_a_name() {
        assert!(pair("=1").is_err() && pair("alpha").is_err());
        assert_eq!(pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
    }
}
