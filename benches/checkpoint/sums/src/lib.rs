//! CRC-32 by the crate that park uses, for C.

/// # Safety
///
/// `bytes` points to `length` readable bytes.
#[no_mangle]
pub unsafe extern "C" fn crc32(bytes: *const u8, length: usize) -> u32 {
    // SAFETY: the caller says so.
    crc32fast::hash(unsafe { std::slice::from_raw_parts(bytes, length) })
}
