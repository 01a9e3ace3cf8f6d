//! What the header of a generation says, checked. It comes from a file, so nothing in it is believed.

use super::disk::BLOCK;
use super::layout::{digits_of_header_sum, key, Description, Entry, OwnFile, FORMAT, LONGEST_HEADER, PREFIX};
use safetensors::tensor::Metadata;
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Component, Path};

/// A generation that was read; its data may still be broken.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) generation: u64,
    pub(crate) saved_at: f64,
    /// The version of park that wrote it.
    pub(crate) version: String,
    pub(crate) description: Description,
    /// In the order of the file.
    pub(crate) entries: Vec<Entry>,
    /// Where each of them lies in the file.
    pub(crate) ranges: Vec<Range<u64>>,
    pub(crate) sums: Vec<u32>,
    pub(crate) files: Vec<OwnFile>,
    pub(crate) data_begin: u64,
    pub(crate) length: u64,
}

/// How many bytes stand before the data of a file with this length, by its first eight bytes.
pub(crate) fn length_of_header(prefix: [u8; PREFIX], length: u64) -> Result<u64, String> {
    let header = u64::from_le_bytes(prefix);
    if header > LONGEST_HEADER {
        return Err("its header is damaged: it would be longer than 100 MB".into());
    }
    match header + PREFIX as u64 {
        all if all <= length => Ok(all),
        _ => Err(format!("it ends in its header, at byte {length}")),
    }
}

/// Takes apart all that stands before the data of a file with this length.
pub(crate) fn parse(bytes: &[u8], length: u64) -> Result<Header, String> {
    let prefix = bytes.first_chunk().ok_or("it ends in its first bytes")?;
    if length_of_header(*prefix, length)? != bytes.len() as u64 {
        return Err("its header has another length".into());
    }
    check_sum(bytes)?;
    if !bytes.len().is_multiple_of(BLOCK) {
        return Err("its data does not begin at a block: it is not one of park's".into());
    }
    let header: Metadata = serde_json::from_slice(&bytes[PREFIX..]).map_err(|error| format!("its header: {error}"))?;
    let data_begin = bytes.len() as u64;
    match data_begin.checked_add(header.data_len() as u64) {
        Some(end) if end == length => {}
        Some(end) => return Err(format!("it has {length} bytes instead of {end}")),
        None => return Err("its header is damaged: more data than can be counted".into()),
    }
    let texts = Texts(header.metadata().as_ref().into_iter().flatten().map(|(k, v)| (&k[..], &v[..])).collect());
    if texts.get(key::FORMAT)? != FORMAT {
        return Err(format!("its format is {}, and this park reads {FORMAT}", texts.get(key::FORMAT)?));
    }
    let told = |key: &'static str| move |error| format!("its header, {key}: {error}");
    let sums: HashMap<String, String> = serde_json::from_str(texts.get(key::SUMS)?).map_err(told(key::SUMS))?;
    let mut kinds: HashMap<String, String> = serde_json::from_str(texts.get(key::KINDS)?).map_err(told(key::KINDS))?;
    let files: Vec<(String, u64, String)> = serde_json::from_str(texts.get(key::FILES)?).map_err(told(key::FILES))?;
    let (mut entries, mut ranges, mut sums_in_order) = (Vec::new(), Vec::new(), Vec::new());
    for name in header.offset_keys() {
        let info = header.info(&name).ok_or("its header is damaged")?;
        let (begin, end) = info.data_offsets;
        ranges.push(data_begin + begin as u64..data_begin + end as u64);
        let sum = sums.get(&name).and_then(|text| number(text)).ok_or_else(|| format!("'{name}' has no checksum"))?;
        sums_in_order.push(sum);
        let shape = info.shape.iter().map(|&length| length as u64).collect();
        let entry = Entry { kind: kinds.remove(&name).unwrap_or_default(), dtype: info.dtype, shape, name };
        if entry.bytes() != Some((end - begin) as u64) {
            return Err(format!("'{}' is of a type {:?} that park does not store", entry.name, entry.dtype));
        }
        entries.push(entry);
    }
    Ok(Header {
        generation: texts.number(key::GENERATION)?,
        saved_at: texts.number(key::SAVED_AT)?,
        version: texts.get(key::VERSION)?.to_owned(),
        description: Description {
            job: texts.get(key::JOB)?.to_owned(),
            done: texts.number(key::DONE)?,
            total: texts.number(key::TOTAL)?,
            units: texts.get(key::UNITS)?.to_owned(),
            exposed: texts.get(key::EXPOSED)?.to_owned(),
            best_value: texts.0.contains_key(key::BEST_VALUE).then(|| texts.number(key::BEST_VALUE)).transpose()?,
        },
        entries,
        ranges,
        sums: sums_in_order,
        files: files.into_iter().map(own_file).collect::<Result<_, _>>()?,
        data_begin,
        length,
    })
}

/// Whether the header is as it was written.
fn check_sum(bytes: &[u8]) -> Result<(), String> {
    let digits =
        digits_of_header_sum(bytes).ok_or("its header has no checksum: it is damaged, or not one of park's")?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..digits.start]);
    hasher.update(b"00000000");
    hasher.update(&bytes[digits.end..]);
    let told = std::str::from_utf8(&bytes[digits]).ok().and_then(number);
    if told != Some(hasher.finalize()) {
        return Err("its header is damaged: the checksum differs".into());
    }
    Ok(())
}

/// The eight digits of a sum.
fn number(text: &str) -> Option<u32> {
    let plain = text.len() == 8 && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

/// A file of the user's own lies below the directory, whatever its name says.
fn own_file((name, bytes, sum): (String, u64, String)) -> Result<OwnFile, String> {
    let below = !name.is_empty() && Path::new(&name).components().all(|part| matches!(part, Component::Normal(_)));
    match number(&sum) {
        Some(sum) if below => Ok(OwnFile { name, bytes, sum }),
        _ => Err(format!("its header tells of a file '{name}' that cannot be")),
    }
}

/// What stands in `__metadata__`.
struct Texts<'a>(HashMap<&'a str, &'a str>);

impl<'a> Texts<'a> {
    fn get(&self, key: &str) -> Result<&'a str, String> {
        self.0.get(key).copied().ok_or_else(|| format!("its header has no {key}"))
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> Result<T, String> {
        self.get(key)?.parse().map_err(|_| format!("its header has no number as {key}"))
    }
}
