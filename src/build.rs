//! Link arguments that Cargo does not set by itself, and the cfg that loom and shuttle share.

fn main() {
    println!("cargo:rerun-if-changed=src/build.rs");
    // A stable name for the dynamic linker, with the ABI's number.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libpark.so.0");
    // park's threads and thread-local destructors may outlive a dlclose: the code must stay mapped.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    // `model` is on when the core is built for one of the two that run models of it.
    if ["CARGO_CFG_LOOM", "CARGO_CFG_SHUTTLE"].iter().any(|cfg| std::env::var_os(cfg).is_some()) {
        println!("cargo:rustc-cfg=model");
    }
}
