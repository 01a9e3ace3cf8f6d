//! Link arguments that Cargo does not set by itself.

fn main() {
    println!("cargo:rerun-if-changed=src/build.rs");
    // A stable name for the dynamic linker, with the ABI's number.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libpark.so.0");
    // park's threads and thread-local destructors may outlive a dlclose: the code must stay mapped.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
