//! Writes include/park.h, or checks that the committed one is what src/ffi says today.
//!
//! Run from the top of the repository: `header-generator write` or `header-generator verify [FILE]`.

use std::process::exit;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let file = arguments.get(1).map_or("include/park.h", String::as_str);

    let config = cbindgen::Config::from_file("cbindgen.toml").unwrap_or_else(|reason| {
        eprintln!("cbindgen.toml: {reason}");
        exit(1)
    });
    let bindings = cbindgen::Builder::new()
        .with_crate(".")
        .with_config(config)
        .generate()
        .unwrap_or_else(|reason| {
            eprintln!("cbindgen: {reason}");
            exit(1)
        });
    let mut header = Vec::new();
    bindings.write(&mut header);

    match arguments.first().map(String::as_str) {
        Some("write") => {
            if let Err(reason) = std::fs::write(file, header) {
                eprintln!("{file}: {reason}");
                exit(1);
            }
        }
        Some("verify") => {
            if std::fs::read(file).unwrap_or_default() != header {
                eprintln!("{file} is not what src/ffi gives: run `make header` and commit it");
                exit(2);
            }
        }
        _ => {
            eprintln!("usage: header-generator write|verify [FILE]");
            exit(1);
        }
    }
}
