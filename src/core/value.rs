//! A value that travels in a message: what can be set, read and handed to a method.

/// The type of a value. The numbers are the ABI's; 0 is a bare key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub(crate) enum Kind {
    Key = 0,
    F64 = 1,
    I64 = 2,
    Bool = 3,
    Text = 4,
    F64s = 5,
    I64s = 6,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Key => "a bare key",
            Kind::F64 => "a real number",
            Kind::I64 => "an integer",
            Kind::Bool => "a truth value",
            Kind::Text => "a text",
            Kind::F64s => "an array of real numbers",
            Kind::I64s => "an array of integers",
        }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Value {
    Key,
    F64(f64),
    I64(i64),
    Bool(bool),
    Text(String),
    F64s(Vec<f64>),
    I64s(Vec<i64>),
}

impl Value {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Value::Key => Kind::Key,
            Value::F64(_) => Kind::F64,
            Value::I64(_) => Kind::I64,
            Value::Bool(_) => Kind::Bool,
            Value::Text(_) => Kind::Text,
            Value::F64s(_) => Kind::F64s,
            Value::I64s(_) => Kind::I64s,
        }
    }

    /// The same value as another type, when nothing is lost: 3 as a real number, 3.0 as an integer.
    pub(crate) fn to_kind(&self, kind: Kind) -> Option<Value> {
        match (self, kind) {
            (value, kind) if value.kind() == kind => Some(value.clone()),
            (Value::I64(i), Kind::F64) => exact_f64(*i).map(Value::F64),
            (Value::F64(x), Kind::I64) => exact_i64(*x).map(Value::I64),
            (Value::I64(i @ (0 | 1)), Kind::Bool) => Some(Value::Bool(*i == 1)),
            (Value::I64s(v), Kind::F64s) => v.iter().map(|&i| exact_f64(i)).collect::<Option<_>>().map(Value::F64s),
            (Value::F64s(v), Kind::I64s) => v.iter().map(|&x| exact_i64(x)).collect::<Option<_>>().map(Value::I64s),
            _ => None,
        }
    }
}

fn exact_f64(i: i64) -> Option<f64> {
    // i64::MAX as f64 rounds up to 2^63, which would come back as i64::MAX: exclude it by magnitude.
    let x = i as f64;
    (x < i64::MAX as f64 && x as i64 == i).then_some(x)
}

fn exact_i64(x: f64) -> Option<i64> {
    let i = x as i64;
    (i != i64::MAX && i as f64 == x).then_some(i)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_number_changes_its_type_only_when_nothing_is_lost() {
        assert_eq!(Value::I64(3).to_kind(Kind::F64), Some(Value::F64(3.0)));
        assert_eq!(Value::F64(3.0).to_kind(Kind::I64), Some(Value::I64(3)));
        assert_eq!(Value::F64(3.5).to_kind(Kind::I64), None);
        assert_eq!(Value::F64(f64::NAN).to_kind(Kind::I64), None);
        assert_eq!(Value::F64(1e30).to_kind(Kind::I64), None);
        assert_eq!(Value::I64(i64::MAX).to_kind(Kind::F64), None);
        assert_eq!(Value::I64(i64::MIN).to_kind(Kind::F64), Some(Value::F64(i64::MIN as f64)));
        assert_eq!(Value::I64(2).to_kind(Kind::Bool), None);
        assert_eq!(Value::Text("3".into()).to_kind(Kind::I64), None);
    }
}
