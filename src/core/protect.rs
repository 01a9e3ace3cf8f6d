//! What is protected: the memory and the callbacks that go into every checkpoint.

use super::status::{Error, Result, Status};
use super::store::{Dtype, Entry, Source};
use super::sync::{Arc, Mutex};

/// The user's memory behind a protected array.
pub(crate) trait Memory: Source {
    fn write(&self, offset: u64, from: &[u8]);
}

/// What is no array: the user saves it as bytes, and loads it from them.
pub(crate) trait Custom: Send + Sync {
    /// The bytes, and what the user's function returned.
    fn save(&self) -> (i32, Vec<u8>);
    fn load(&self, bytes: &[u8]) -> i32;
}

/// What stands as the kind of an entry that is not a plain array.
const COMPLEX: &str = "complex";
const CUSTOM: &str = "custom";

/// The type of an array's elements.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Element {
    pub(crate) dtype: Dtype,
    /// Two of them make a complex number.
    pub(crate) is_complex: bool,
}

impl Element {
    /// Bytes of one.
    pub(crate) fn size(self) -> usize {
        self.dtype.bitsize() / 8 * if self.is_complex { 2 } else { 1 }
    }
}

#[derive(Clone)]
pub(crate) enum What {
    /// The shape has the slowest dimension first.
    Array {
        element: Element,
        shape: Vec<u64>,
        memory: Arc<dyn Memory>,
    },
    Custom(Arc<dyn Custom>),
}

/// One thing that is protected.
#[derive(Clone)]
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) what: What,
    /// The names that it had earlier, newest first.
    pub(crate) earlier: Vec<String>,
    /// It keeps its value when the checkpoint does not have it.
    pub(crate) may_be_missing: bool,
}

impl Item {
    pub(crate) fn new(name: &str, what: What) -> Item {
        Item { name: name.to_owned(), what, earlier: Vec::new(), may_be_missing: false }
    }

    /// How it stands in a file; `bytes` is how long a custom one is.
    pub(crate) fn entry(&self, bytes: u64) -> Entry {
        let (dtype, shape, kind) = match &self.what {
            What::Custom(_) => (Dtype::U8, vec![bytes], CUSTOM),
            What::Array { element, shape, .. } if element.is_complex => {
                (element.dtype, shape.iter().copied().chain([2]).collect(), COMPLEX)
            }
            What::Array { element, shape, .. } => (element.dtype, shape.clone(), ""),
        };
        Entry { name: self.name.clone(), dtype, shape, kind: kind.to_owned() }
    }

    /// Why it cannot be what this entry holds, if it cannot.
    pub(crate) fn differs_from(&self, entry: &Entry) -> Option<String> {
        let own = self.entry(entry.shape.first().copied().unwrap_or(0));
        if (own.dtype, &own.shape, &own.kind) == (entry.dtype, &entry.shape, &entry.kind) {
            return None;
        }
        let here = if own.kind == CUSTOM { "something of its own".to_owned() } else { described(&own) };
        Some(format!("'{}': {here} is protected, {} is in the checkpoint", self.name, described(entry)))
    }
}

/// What an entry is, in words: F64 [400, 400].
fn described(entry: &Entry) -> String {
    let Entry { dtype, shape, kind, .. } = entry;
    match &kind[..] {
        CUSTOM => format!("something of its own in {} bytes", shape.iter().product::<u64>()),
        COMPLEX => {
            let bits = 2 * dtype.bitsize();
            format!("C{bits} {:?}", &shape[..shape.len().saturating_sub(1)])
        }
        _ => format!("{dtype:?} {shape:?}"),
    }
}

pub(crate) struct Protected(Mutex<Vec<Item>>);

fn unknown(name: &str) -> Error {
    Error::new(Status::Unknown, format!("name: '{name}' is not protected"))
}

impl Protected {
    pub(crate) fn new() -> Protected {
        Protected(Mutex::new(Vec::new()))
    }

    pub(crate) fn add(&self, item: Item) -> Result<()> {
        let mut all = self.0.lock();
        if all.iter().any(|other| other.name == item.name) {
            return Err(Error::new(Status::Exists, format!("name: '{}' is protected already", item.name)));
        }
        all.push(item);
        Ok(())
    }

    /// Takes one out. It is returned so that its user data is destroyed with no lock held.
    pub(crate) fn remove(&self, name: &str) -> Result<Item> {
        let mut all = self.0.lock();
        let index = all.iter().position(|item| item.name == name).ok_or_else(|| unknown(name))?;
        Ok(all.remove(index))
    }

    /// Takes all out.
    pub(crate) fn clear(&self) -> Vec<Item> {
        std::mem::take(&mut *self.0.lock())
    }

    /// Notes a name that it had earlier, or, with none, that it may be missing.
    pub(crate) fn was(&self, name: &str, earlier: Option<&str>) -> Result<()> {
        let mut all = self.0.lock();
        let item = all.iter_mut().find(|item| item.name == name).ok_or_else(|| unknown(name))?;
        match earlier {
            Some(earlier) => item.earlier.push(earlier.to_owned()),
            None => item.may_be_missing = true,
        }
        Ok(())
    }

    /// As they are now, in the order in which they were protected.
    pub(crate) fn all(&self) -> Vec<Item> {
        self.0.lock().clone()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// How many bytes the arrays have.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.lock().iter().filter_map(|item| item.entry(0).bytes()).sum()
    }
}

/// Which entry belongs to each item, and which entries belong to none; or everything that does not fit.
pub(crate) struct Fit {
    /// `None`: it is not there, and need not be.
    pub(crate) entries: Vec<Option<usize>>,
    pub(crate) unused: Vec<usize>,
}

impl Fit {
    pub(crate) fn new(items: &[Item], entries: &[Entry]) -> std::result::Result<Fit, Vec<String>> {
        let find = |name: &String| entries.iter().position(|entry| entry.name == *name);
        let mut complaints = Vec::new();
        let mut found = Vec::new();
        for item in items {
            let place = find(&item.name).or_else(|| item.earlier.iter().find_map(find));
            match place {
                Some(place) => complaints.extend(item.differs_from(&entries[place])),
                None if item.may_be_missing => {}
                None => complaints.push(format!("'{}': is protected, and not in the checkpoint", item.name)),
            }
            found.push(place);
        }
        if !complaints.is_empty() {
            return Err(complaints);
        }
        let unused = (0..entries.len()).filter(|place| !found.contains(&Some(*place))).collect();
        Ok(Fit { entries: found, unused })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;
    impl Source for Nothing {
        fn read(&self, _offset: u64, _into: &mut [u8]) {}
    }
    impl Memory for Nothing {
        fn write(&self, _offset: u64, _from: &[u8]) {}
    }

    fn array(name: &str, dtype: Dtype, is_complex: bool, shape: &[u64]) -> Item {
        let element = Element { dtype, is_complex };
        Item::new(name, What::Array { element, shape: shape.to_vec(), memory: Arc::new(Nothing) })
    }

    fn complaints(items: &[Item], entries: &[Entry]) -> String {
        Fit::new(items, entries).err().unwrap_or_default().join("; ")
    }

    #[test]
    fn everything_that_does_not_fit_is_told() {
        let items = [array("u", Dtype::F64, false, &[3, 4]), array("z", Dtype::F32, true, &[5])];
        let entries: Vec<_> = items.iter().map(|item| item.entry(0)).collect();
        assert_eq!(complaints(&items, &entries), "");
        let other = [array("u", Dtype::F64, false, &[4, 3]), array("z", Dtype::F32, false, &[5, 2])];
        assert_eq!(
            complaints(&other, &entries),
            "'u': F64 [4, 3] is protected, F64 [3, 4] is in the checkpoint; \
             'z': F32 [5, 2] is protected, C64 [5] is in the checkpoint"
        );
        assert_eq!(complaints(&items, &entries[..1]), "'z': is protected, and not in the checkpoint");
    }

    #[test]
    fn what_was_renamed_or_added_is_found_or_left() {
        let entries = [array("old", Dtype::I64, false, &[1]).entry(0), array("gone", Dtype::U8, false, &[2]).entry(0)];
        let protected = Protected::new();
        protected.add(array("new", Dtype::I64, false, &[1])).unwrap();
        protected.add(array("more", Dtype::F64, false, &[9])).unwrap();
        assert!(Fit::new(&protected.all(), &entries).is_err());
        protected.was("new", Some("older")).unwrap();
        protected.was("new", Some("old")).unwrap();
        protected.was("more", None).unwrap();
        let fit = Fit::new(&protected.all(), &entries).ok().unwrap();
        assert_eq!((fit.entries, fit.unused), (vec![Some(0), None], vec![1]));
        assert_eq!(protected.was("nobody", None).unwrap_err().status, Status::Unknown);
    }

    #[test]
    fn a_name_is_protected_once() {
        let protected = Protected::new();
        protected.add(array("u", Dtype::F64, false, &[2])).unwrap();
        assert_eq!(protected.add(array("u", Dtype::F64, false, &[2])).unwrap_err().status, Status::Exists);
        assert_eq!(protected.bytes(), 16);
        protected.remove("u").unwrap();
        assert_eq!(protected.remove("u").err().unwrap().status, Status::Unknown);
    }
}
