//! Reading the bytes of a file that holds a secret, so that they are wiped whatever happens.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::thread;

use regcred_core::secret::Secret;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::error::{Place, SourceError};
use super::flaw::Flaw;

/// What is read at most. A credential of any registry is far below it: the largest known, a service account's key of
/// Google, has about 2,400 bytes. Docker's config.json of a person with many registries fits as well.
pub(super) const LIMIT: usize = 256 * 1024;

/// Reads a whole file as text.
///
/// The reading is done on a thread of its own, which is left behind when nobody waits for it any more. A pipe without
/// a writer or a dead network file system would hold up the runtime's own threads, and with them the end of the
/// process.
pub(super) async fn read_text(path: &Path) -> Result<Secret, SourceError> {
    let (sender, receiver) = oneshot::channel();
    let owned = path.to_owned();
    thread::spawn(move || {
        // When the time limit has passed there is no receiver, and what was read is wiped here.
        drop(sender.send(read_bytes(&owned).map_err(|error| Flaw::from(error.kind())).and_then(as_text)));
    });
    let text = receiver.await.unwrap_or(Err(Flaw::Unreadable(io::ErrorKind::Other)));
    text.map_err(|flaw| SourceError { place: Place::File(path.to_owned()), flaw })
}

/// All bytes, or one more than [`LIMIT`]. The buffer is one byte larger than the file says it is, so that its end is seen
/// without growing. A pipe says nothing, and a file may have grown since: what then does not fit moves once, to a buffer
/// as large as it gets. The one that it leaves is wiped; a vector that grew by itself would leave pieces of the secret
/// behind. One of 256 KiB from the start would be cleared and wiped for each of a hundred small files.
fn read_bytes(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut file = File::open(path)?;
    let told = usize::try_from(file.metadata()?.len()).unwrap_or(LIMIT).min(LIMIT);
    let mut bytes = Zeroizing::new(vec![0; told + 1]);
    let mut filled = 0;
    while filled <= LIMIT {
        if filled == bytes.len() {
            let mut larger = Zeroizing::new(vec![0; LIMIT + 1]);
            larger[..filled].copy_from_slice(&bytes);
            bytes = larger;
        }
        match file.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Takes the bytes of a whole file or output over as text.
pub(super) fn as_text(mut bytes: Zeroizing<Vec<u8>>) -> Result<Secret, Flaw> {
    if bytes.len() > LIMIT {
        return Err(Flaw::TooLarge { limit: LIMIT });
    }
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return Err(Flaw::ByteOrderMark);
    }
    into_secret(std::mem::take(&mut *bytes))
}

/// Takes bytes over as text, without a copy; what is no text is wiped.
pub(super) fn into_secret(bytes: Vec<u8>) -> Result<Secret, Flaw> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Secret::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            Err(Flaw::NotUtf8)
        }
    }
}
