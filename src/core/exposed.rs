//! The exposed values of a checkpoint, read from JSON.

use super::message::Message;
use super::value::Value;
use serde_json::Value as Json;

fn number_of(json: &Json) -> Option<f64> {
    json.as_f64().or_else(|| json.as_str()?.parse().ok())
}

/// The value that JSON stands for, where it is to be one like `like`.
fn value_of(json: &Json, like: &Value) -> Option<Value> {
    match like {
        Value::Key => None,
        Value::F64(_) => number_of(json).map(Value::F64),
        Value::I64(_) => json.as_i64().map(Value::I64),
        Value::Bool(_) => json.as_bool().map(Value::Bool),
        Value::Text(_) => json.as_str().map(|text| Value::Text(text.to_owned())),
        Value::F64s(_) => json.as_array()?.iter().map(number_of).collect::<Option<_>>().map(Value::F64s),
        Value::I64s(_) => json.as_array()?.iter().map(Json::as_i64).collect::<Option<_>>().map(Value::I64s),
    }
}

/// What an object of values has for each of these variables, whose values say what type they are of; and the names
/// of those in it that are not among them, or of another type.
pub(crate) fn from_json(text: &str, variables: &Message) -> (Message, Vec<String>) {
    let Ok(Json::Object(saved)) = serde_json::from_str(text) else { return Default::default() };
    let mut found = Message::default();
    let mut strange = Vec::new();
    for (name, json) in &saved {
        match variables.get(name).ok().and_then(|like| value_of(json, like)) {
            Some(value) => found.put(name, value),
            None => strange.push(name.clone()),
        }
    }
    (found, strange)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::json::object_of;

    #[test]
    fn values_come_back_to_the_last_bit() {
        let mut values = Message::default();
        let awkward =
            [0.1 + 0.2, f64::MIN_POSITIVE / 8.0, f64::MAX, -0.0, f64::INFINITY, f64::NEG_INFINITY, 1e-7 / 3.0];
        values.put("alpha", Value::F64(awkward[0]));
        values.put("all", Value::F64s(awkward.to_vec()));
        values.put("whole", Value::F64(3.0));
        values.put("i", Value::I64(i64::MIN));
        values.put("is", Value::I64s(vec![1, -2, i64::MAX]));
        values.put("b", Value::Bool(true));
        values.put("t", Value::Text("\"ü\"\n".into()));
        let (back, strange) = from_json(&object_of(&values), &values);
        assert!(strange.is_empty());
        for (name, value) in &values.values {
            assert_eq!(back.get(name).unwrap(), value);
        }
        let Value::F64s(all) = back.get("all").unwrap() else { panic!() };
        assert!(all.iter().zip(awkward).all(|(one, other)| one.to_bits() == other.to_bits()));
    }

    #[test]
    fn what_is_not_known_any_more_is_named() {
        let mut saved = Message::default();
        saved.put("gone", Value::F64(1.0));
        saved.put("other", Value::Text("x".into()));
        saved.put("here", Value::F64(2.0));
        let mut now = Message::default();
        now.put("here", Value::F64(0.0));
        now.put("other", Value::I64(0));
        let (found, strange) = from_json(&object_of(&saved), &now);
        assert_eq!(found.values, [("here".to_owned(), Value::F64(2.0))]);
        assert_eq!(strange, ["gone", "other"]);
        assert!(from_json("nonsense", &now).0.values.is_empty());
    }
}
