//! The files of deploy/, held against what the binary prints and carries: an operator who applies them gives regcred just what it
//! says that it needs. `BLESS=1 cargo test --test blackbox deploy::` writes what is made of something else.

mod policies;
mod runbook;
mod templates;
mod unit;

use std::fs;
use std::path::{Path, PathBuf};

/// A file of deploy/.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("deploy/{name}: {error}"))
}

/// Holds a file that is made against what it is made of, or writes it.
fn assert_made(name: &str, made: &str) {
    if std::env::var_os("BLESS").is_some() {
        if fs::read_to_string(path(name)).is_ok_and(|there| there == made) {
            return;
        }
        fs::write(path(name), made).unwrap();
        return;
    }
    assert!(
        read(name) == made,
        "deploy/{name} is not what it is made of; to write it anew:\nBLESS=1 cargo test --test blackbox deploy::"
    );
}

/// YAML as JSON. The files of deploy/ have no tags, so that nothing is lost by it.
fn yaml(text: &str) -> serde_json::Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}"))
}
