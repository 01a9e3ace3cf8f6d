//! Where each tensor of a generation lies in its file, and the header that says so.
//!
//! The format is safetensors': the length of the header in eight bytes, the header in JSON, the data without holes. The
//! header is padded with blanks, so that the data begins at a block. The tensors are ordered by the size of their
//! elements, largest first, and then as they were protected: so each is aligned to its elements without padding between,
//! and what reads the file can use it in place.
//!
//! What park adds stands in `__metadata__`, where all is text: see [`key`].

use super::disk::BLOCK;
use crate::core::status::{Error, Result};
use safetensors::tensor::{Metadata, TensorInfo};
pub(crate) use safetensors::Dtype;
use serde_json::{json, Map, Value};
use std::collections::BTreeMap;
use std::ops::Range;

/// The version of what park adds.
pub(crate) const FORMAT: &str = "1";

/// The length of the header stands before it.
pub(crate) const PREFIX: usize = 8;

/// A longer header no reader of safetensors takes.
pub(crate) const LONGEST_HEADER: u64 = 100_000_000;

/// What stands in `__metadata__`.
pub(crate) mod key {
    pub(crate) const FORMAT: &str = "park.format";
    pub(crate) const VERSION: &str = "park.version";
    pub(crate) const JOB: &str = "park.job";
    pub(crate) const GENERATION: &str = "park.generation";
    /// Seconds since 1970.
    pub(crate) const SAVED_AT: &str = "park.saved_at";
    pub(crate) const DONE: &str = "park.done";
    pub(crate) const TOTAL: &str = "park.total";
    pub(crate) const UNITS: &str = "park.units";
    /// JSON: the exposed values.
    pub(crate) const EXPOSED: &str = "park.exposed";
    /// Absent while there is no best so far.
    pub(crate) const BEST_VALUE: &str = "park.best_value";
    /// JSON: what a tensor is where its type does not say it.
    pub(crate) const KINDS: &str = "park.kinds";
    /// JSON: of each tensor, CRC-32 in eight hexadecimal digits.
    pub(crate) const SUMS: &str = "park.crc32";
    /// JSON: the user's own files: name, bytes, crc32.
    pub(crate) const FILES: &str = "park.files";
    /// CRC-32 of all before the data, with these eight digits as zeros.
    pub(crate) const HEADER_SUM: &str = "park.header_crc32";
}

/// What is known of the job when it is saved.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Description {
    pub(crate) job: String,
    pub(crate) done: f64,
    pub(crate) total: f64,
    pub(crate) units: String,
    /// JSON.
    pub(crate) exposed: String,
    pub(crate) best_value: Option<f64>,
}

/// What is to be stored, or was.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) dtype: Dtype,
    /// Slowest first.
    pub(crate) shape: Vec<u64>,
    /// What it is when the type does not say it: text of the caller's, empty for a plain array.
    pub(crate) kind: String,
}

impl Entry {
    /// How many bytes it has; `None` when that is more than can be counted.
    pub(crate) fn bytes(&self) -> Option<u64> {
        let size = self.dtype.bitsize() as u64 / 8;
        self.shape.iter().try_fold(size, |bytes, &length| bytes.checked_mul(length)).filter(|&bytes| bytes < 1 << 62)
    }
}

/// The memory of an entry, read by threads of park's while it does not change.
pub(crate) trait Source: Send + Sync {
    fn read(&self, offset: u64, into: &mut [u8]);
}

/// A file of the user's own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OwnFile {
    /// Its path below the directory, with `/`.
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) sum: u32,
}

/// A generation that is to be written.
pub(crate) struct Layout {
    generation: u64,
    saved_at: f64,
    description: Description,
    /// In the order of the file.
    entries: Vec<Entry>,
    /// Where each of them lies.
    pub(crate) ranges: Vec<Range<u64>>,
    /// Of each entry as it was given: its place in `ranges`.
    pub(crate) places: Vec<usize>,
    pub(crate) files: Vec<OwnFile>,
    pub(crate) data_begin: u64,
    pub(crate) length: u64,
}

impl Layout {
    pub(crate) fn new(
        generation: u64,
        saved_at: f64,
        description: &Description,
        entries: &[Entry],
        files: Vec<OwnFile>,
    ) -> Result<Layout> {
        let mut order: Vec<usize> = (0..entries.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(entries[index].dtype.bitsize()));
        let mut places = vec![0; entries.len()];
        order.iter().enumerate().for_each(|(place, &index)| places[index] = place);
        let mut layout = Layout {
            generation,
            saved_at,
            description: description.clone(),
            entries: order.iter().map(|&index| entries[index].clone()).collect(),
            ranges: Vec::new(),
            places,
            files,
            data_begin: 0,
            length: 0,
        };
        layout.place(0)?;
        // Every digit of a sum has its place already, so the length of the header is known.
        let header = layout.text(&vec![0; entries.len()])?.len();
        layout.place((PREFIX + header).next_multiple_of(BLOCK) as u64)?;
        Ok(layout)
    }

    /// Lays the tensors one after the other.
    fn place(&mut self, begin: u64) -> Result<()> {
        let mut at = begin;
        self.ranges.clear();
        for entry in &self.entries {
            let end = entry.bytes().and_then(|bytes| at.checked_add(bytes)).filter(|&end| end < 1 << 62);
            let end = end.ok_or_else(|| Error::argument(format!("'{}': too large to be stored", entry.name)))?;
            self.ranges.push(at..end);
            at = end;
        }
        (self.data_begin, self.length) = (begin, at);
        Ok(())
    }

    /// The header as JSON.
    fn text(&self, sums: &[u32]) -> Result<Vec<u8>> {
        let Description { job, done, total, units, exposed, best_value } = &self.description;
        let of_entries = |value: &dyn Fn(usize, &Entry) -> Option<Value>| {
            let pairs = self.entries.iter().enumerate();
            let map: Map<_, _> = pairs.filter_map(|(i, entry)| Some((entry.name.clone(), value(i, entry)?))).collect();
            Value::Object(map).to_string()
        };
        let sums = of_entries(&|i, _| Some(json!(hex(sums[i]))));
        let kinds = of_entries(&|_, entry| (!entry.kind.is_empty()).then(|| json!(entry.kind)));
        let files: Vec<_> = self.files.iter().map(|file| json!([file.name, file.bytes, hex(file.sum)])).collect();
        let mut metadata: BTreeMap<&str, String> = BTreeMap::from([
            (key::FORMAT, FORMAT.to_owned()),
            (key::VERSION, env!("CARGO_PKG_VERSION").to_owned()),
            (key::JOB, job.clone()),
            (key::GENERATION, self.generation.to_string()),
            (key::SAVED_AT, self.saved_at.to_string()),
            (key::DONE, done.to_string()),
            (key::TOTAL, total.to_string()),
            (key::UNITS, units.clone()),
            (key::EXPOSED, exposed.clone()),
            (key::KINDS, kinds),
            (key::SUMS, sums),
            (key::FILES, Value::from(files).to_string()),
            (key::HEADER_SUM, hex(0)),
        ]);
        metadata.extend(best_value.map(|value| (key::BEST_VALUE, value.to_string())));
        let metadata = metadata.into_iter().map(|(key, text)| (key.to_owned(), text)).collect();
        let begin = self.data_begin;
        let tensors = self.entries.iter().zip(&self.ranges).map(|(entry, range)| {
            let shape = entry.shape.iter().map(|&length| length as usize).collect();
            let data_offsets = ((range.start - begin) as usize, (range.end - begin) as usize);
            (entry.name.clone(), TensorInfo { dtype: entry.dtype, shape, data_offsets })
        });
        let told =
            |problem: &dyn std::fmt::Display| Error::argument(format!("the checkpoint has no valid header: {problem}"));
        let header = Metadata::new(Some(metadata), tensors.collect()).map_err(|error| told(&error))?;
        let text = serde_json::to_vec(&header).map_err(|error| told(&error))?;
        match text.len() as u64 + BLOCK as u64 {
            0..LONGEST_HEADER => Ok(text),
            _ => Err(told(&"longer than 100 MB")),
        }
    }

    /// All that stands before the data.
    pub(crate) fn header(&self, sums: &[u32]) -> Result<Vec<u8>> {
        let begin = self.data_begin as usize;
        let mut bytes = Vec::with_capacity(begin);
        bytes.extend((self.data_begin - PREFIX as u64).to_le_bytes());
        bytes.append(&mut self.text(sums)?);
        bytes.resize(begin, b' ');
        let digits = digits_of_header_sum(&bytes).expect("it was just written");
        let sum = hex(crc32fast::hash(&bytes));
        bytes[digits].copy_from_slice(sum.as_bytes());
        Ok(bytes)
    }
}

pub(crate) fn hex(sum: u32) -> String {
    format!("{sum:08x}")
}

/// Where the digits of the header's own sum stand. Inside a string no quote is bare, so what is looked for is only there.
pub(crate) fn digits_of_header_sum(bytes: &[u8]) -> Option<Range<usize>> {
    let sought = format!("\"{}\":\"", key::HEADER_SUM);
    // The first byte by itself: most of a header is blanks.
    let at =
        bytes.windows(sought.len()).position(|window| window[0] == b'"' && window == sought.as_bytes())? + sought.len();
    (at + 8 < bytes.len()).then_some(at..at + 8)
}
