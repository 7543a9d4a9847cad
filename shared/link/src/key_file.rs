//! A program's own key: Ed25519, one PKCS#8 PEM file (RFC 8410) that its owner alone can read.
//!
//! The file is the identity: there is no name, date or issuer in it, so nothing in it can expire. It appears whole or
//! not at all, and an existing key is never overwritten: a host whose key was replaced would be a stranger.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use csp_shared::key_pin::KeyPin;
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData as _};
use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
    sign::CertifiedKey,
};

/// Longest key file that is read, in bytes; a key has about 200.
const FILE_BYTES_MAX: u64 = 4096;

/// A key pair, ready for a handshake.
#[derive(Clone)]
pub struct Identity {
    pin: KeyPin,
    certified: Arc<CertifiedKey>,
}

/// Why a key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read.
    #[error("could not read the key file {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// The file cannot be written.
    #[error("could not write the key file {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
    /// Others may have read the key.
    #[error("the key file {} can be read by others (mode {mode:o}): `chmod 600` it", .path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds something else.
    #[error("the file {} holds no key of its kind: put it back from a backup", .0.display())]
    NotKey(PathBuf),
    /// The random source failed.
    #[error("could not generate a key")]
    Generate,
}

impl Identity {
    /// Reads the key in `path`.
    ///
    /// # Errors
    /// When the file is absent, can be read by others, or holds no Ed25519 key.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let text = read_private(path)?;
        Self::from_pem(&text).ok_or_else(|| KeyFileError::NotKey(path.to_owned()))
    }

    /// Reads the key in `path`, or makes one if there is none. Two callers at once end with the same key.
    ///
    /// # Errors
    /// As [`Identity::load`], and when the file cannot be written.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyFileError> {
        match Self::load(path) {
            Err(KeyFileError::Read(_, error)) if error.kind() == io::ErrorKind::NotFound => {
                let pair = KeyPair::generate_for(&PKCS_ED25519).map_err(|_| KeyFileError::Generate)?;
                publish(path, &pair.serialize_pem()).map_err(|error| KeyFileError::Write(path.to_owned(), error))?;
                Self::load(path)
            }
            other => other,
        }
    }

    /// A key of this process alone, for tests and simulation.
    ///
    /// # Errors
    /// When the random source fails.
    pub fn ephemeral() -> Result<Self, KeyFileError> {
        let pair = KeyPair::generate_for(&PKCS_ED25519).map_err(|_| KeyFileError::Generate)?;
        Self::from_pem(&pair.serialize_pem()).ok_or(KeyFileError::Generate)
    }

    /// The fingerprint by which others know this key.
    #[must_use]
    pub fn pin(&self) -> KeyPin {
        self.pin
    }

    /// For a handshake.
    pub(crate) fn certified(&self) -> Arc<CertifiedKey> {
        self.certified.clone()
    }

    /// What a thief of a public key has: the other's public half, and a private half of its own.
    #[cfg(test)]
    pub(crate) fn forged(of: &Self, by: &Self) -> Self {
        let certified = CertifiedKey::new(of.certified.cert.clone(), by.certified.key.clone());
        Self { pin: of.pin, certified: Arc::new(certified) }
    }

    fn from_pem(text: &str) -> Option<Self> {
        let pair = KeyPair::from_pem_and_sign_algo(text, &PKCS_ED25519).ok()?;
        let spki = pair.subject_public_key_info();
        let signer = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(pair.serialize_der())).ok()?;
        let pin = KeyPin::of(&spki);
        // In a raw-public-key handshake (RFC 7250) the "certificate" is the SubjectPublicKeyInfo itself.
        Some(Self { pin, certified: Arc::new(CertifiedKey::new(vec![CertificateDer::from(spki)], signer)) })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.pin)
    }
}

/// Reads a file that its owner alone may read.
fn read_private(path: &Path) -> Result<String, KeyFileError> {
    let read = |error| KeyFileError::Read(path.to_owned(), error);
    let file = File::open(path).map_err(read)?;
    let about = file.metadata().map_err(read)?;
    if about.mode() & 0o077 != 0 {
        return Err(KeyFileError::Exposed { path: path.to_owned(), mode: about.mode() & 0o777 });
    }
    io::read_to_string(io::Read::take(file, FILE_BYTES_MAX)).map_err(read)
}

/// Reads a key of 32 bytes, kept as 64 hexadecimal digits.
///
/// # Errors
/// When the file is absent, can be read by others, or holds something else.
pub fn load_bytes(path: &Path) -> Result<[u8; 32], KeyFileError> {
    let text = read_private(path)?;
    let digits = text.trim_end();
    let byte = |at: usize| digits.get(2 * at..2 * at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = (0..32).map(byte).collect();
    let key = bytes.filter(|_| digits.len() == 64).and_then(|bytes| bytes.try_into().ok());
    key.ok_or_else(|| KeyFileError::NotKey(path.to_owned()))
}

/// The same; keeps `fresh` there if there is none. Answers whether it did.
///
/// # Errors
/// As [`load_bytes`], and when the file cannot be written.
pub fn load_or_create_bytes(path: &Path, fresh: [u8; 32]) -> Result<([u8; 32], bool), KeyFileError> {
    match load_bytes(path) {
        Err(KeyFileError::Read(_, error)) if error.kind() == io::ErrorKind::NotFound => {
            let digits: String = fresh.iter().map(|byte| format!("{byte:02x}")).collect();
            publish(path, &format!("{digits}\n")).map_err(|error| KeyFileError::Write(path.to_owned(), error))?;
            load_bytes(path).map(|key| (key, true))
        }
        other => other.map(|key| (key, false)),
    }
}

/// Puts `text` into a file that was not there, durable and whole. Leaves an existing file as it is.
fn publish(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut temporary_name = name.to_owned();
    temporary_name.push(format!(".{}.new", std::process::id()));
    let temporary = folder.join(temporary_name);
    let _ = fs::remove_file(&temporary); // left by a crashed process that had our number
    let outcome = write_private(&temporary, text).and_then(|()| {
        // link(2), not rename(2): it fails when the name exists, so whoever came first keeps its key.
        match fs::hard_link(&temporary, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    });
    let _ = fs::remove_file(&temporary);
    outcome.and_then(|()| File::open(folder)?.sync_all())
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_once_made_stays_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.key");
        let made = Identity::load_or_create(&path).unwrap();
        assert_eq!(Identity::load_or_create(&path).unwrap().pin(), made.pin());
        assert_eq!(Identity::load(&path).unwrap().pin(), made.pin());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn an_existing_key_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.key");
        let made = Identity::load_or_create(&path).unwrap();
        publish(&path, "another").unwrap();
        assert_eq!(Identity::load(&path).unwrap().pin(), made.pin());
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.key");
        Identity::load_or_create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Identity::load_or_create(&path), Err(KeyFileError::Exposed { mode: 0o644, .. })));
    }

    #[test]
    fn a_key_of_bytes_once_made_stays_the_same_and_is_nobody_elses_to_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.key");
        assert!(load_bytes(&path).is_err());
        let mut key = [7; 32];
        key[0] = 0xf1;
        assert_eq!(load_or_create_bytes(&path, key).unwrap(), (key, true));
        assert_eq!(load_or_create_bytes(&path, [8; 32]).unwrap(), (key, false));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(load_bytes(&path), Err(KeyFileError::Exposed { mode: 0o640, .. })));
        for wrong in ["", "f1", &"0".repeat(65), &"g".repeat(64), &"é".repeat(32)] {
            fs::remove_file(&path).unwrap();
            write_private(&path, wrong).unwrap();
            assert!(matches!(load_bytes(&path), Err(KeyFileError::NotKey(_))), "{wrong}");
        }
    }

    #[test]
    fn a_file_that_is_no_key_is_named_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.key");
        write_private(&path, "hello").unwrap();
        let refused = Identity::load_or_create(&path).unwrap_err();
        assert!(matches!(&refused, KeyFileError::NotKey(_)), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "hello");
    }
}
