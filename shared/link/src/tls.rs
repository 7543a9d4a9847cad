//! Mutual TLS 1.3 in which a public key is the whole of an identity (RFC 7250).
//!
//! There is no authority, no name and no date: a host dials out and accepts only the control plane whose key it was
//! told when it joined; the control plane lets any Ed25519 key prove itself and then looks up whose it is. Nothing is
//! resumed, so both keys are proved at every connection and a removed host is a stranger at once.

use std::{fmt, io, sync::Arc};

use csp_shared::key_pin::KeyPin;
use rustls::{
    CertificateError, CipherSuite, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, OtherError,
    ServerConfig, SignatureScheme,
    client::{
        AlwaysResolvesClientRawPublicKeys, Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    server::{
        AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    version::TLS13,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::{key_file::Identity, read_ahead::ReadAhead};

/// How an Ed25519 SubjectPublicKeyInfo begins in DER (RFC 8410, 4); 32 bytes of key follow.
const ED25519_SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const ED25519_SPKI_BYTES: usize = ED25519_SPKI_PREFIX.len() + 32;

/// Goes into the handshake because TLS wants a name; the key alone decides.
const SERVER_NAME: &str = "control.csp.internal";

/// A byte stream of any kind, boxed: it keeps the futures above it small, and tests can put anything under a link.
pub type Io = Box<dyn ByteStream>;

/// What a link runs on.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// The peer proved a key, but not one that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the peer has the key {0}, which is not one of the expected ones")]
pub struct WrongKey(pub KeyPin);

/// Why there is no secure connection.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Someone else answers there, or the control plane's key was changed.
    #[error(transparent)]
    WrongKey(WrongKey),
    /// The handshake failed or the peer speaks something else.
    #[error("the TLS handshake failed")]
    Handshake(#[source] io::Error),
    /// This build cannot do it: no fault of the peer.
    #[error("TLS cannot be set up")]
    Setup(#[source] Error),
}

/// The control plane's end.
#[derive(Clone)]
pub struct Acceptor(TlsAcceptor);

/// A host's end.
#[derive(Clone)]
pub struct Connector(TlsConnector);

impl Acceptor {
    /// Accepts every key that proves itself; the caller decides about it.
    ///
    /// # Errors
    /// When this build's TLS lacks what is needed.
    pub fn new(own: &Identity) -> Result<Self, TlsError> {
        let provider = Arc::new(cryptography());
        let mut config = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])
            .map_err(TlsError::Setup)?
            .with_client_cert_verifier(Arc::new(AnyKey { provider }))
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(own.certified())));
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    /// Shakes hands; the answer is the key that the peer proved. The caller bounds the time.
    ///
    /// # Errors
    /// When the peer does not speak TLS 1.3 with a raw public key.
    pub async fn accept(&self, io: impl ByteStream + 'static) -> Result<(Io, KeyPin), TlsError> {
        let stream = Box::pin(self.0.accept(ReadAhead::new(io))).await.map_err(TlsError::Handshake)?;
        let key = stream.get_ref().1.peer_certificates().and_then(|keys| keys.first()).map(|key| KeyPin::of(key));
        let pin = key.ok_or_else(|| TlsError::Setup(Error::NoCertificatesPresented))?;
        Ok((Box::new(stream), pin))
    }
}

impl Connector {
    /// Speaks only with a peer that proves one of `pins`.
    ///
    /// # Errors
    /// When this build's TLS lacks what is needed.
    pub fn new(own: &Identity, pins: &[KeyPin]) -> Result<Self, TlsError> {
        let provider = Arc::new(cryptography());
        let mut config = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])
            .map_err(TlsError::Setup)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(PinnedKey { provider, pins: pins.to_vec() }))
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(own.certified())));
        config.resumption = Resumption::disabled();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Shakes hands. The caller bounds the time.
    ///
    /// # Errors
    /// When the peer proves another key, or none.
    pub async fn connect(&self, io: impl ByteStream + 'static) -> Result<Io, TlsError> {
        let name = ServerName::try_from(SERVER_NAME)
            .map_err(|_| TlsError::Setup(Error::General("the server's name is not one".to_owned())))?;
        match Box::pin(self.0.connect(name, ReadAhead::new(io))).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(wrong_key(&error).map_or_else(|| TlsError::Handshake(error), TlsError::WrongKey)),
        }
    }
}

/// What TLS is made of. AES-128 comes first: it is as far out of reach as AES-256, and screens come in floods.
fn cryptography() -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    provider
}

/// Finds the verifier's own finding below what rustls and tokio wrapped around it.
fn wrong_key(error: &io::Error) -> Option<WrongKey> {
    match error.get_ref()?.downcast_ref::<Error>()? {
        Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => inner.downcast_ref().copied(),
        _ => None,
    }
}

/// The fingerprint of a peer's key. One key has one encoding here, so one key has one fingerprint.
fn pin_of(key: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Result<KeyPin, Error> {
    if key.len() == ED25519_SPKI_BYTES && key.starts_with(&ED25519_SPKI_PREFIX) && others.is_empty() {
        Ok(KeyPin::of(key))
    } else {
        Err(Error::InvalidCertificate(CertificateError::BadEncoding))
    }
}

fn proved(
    provider: &CryptoProvider,
    message: &[u8],
    key: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let key = SubjectPublicKeyInfoDer::from(key.as_ref());
    verify_tls13_signature_with_raw_key(message, &key, signed, &provider.signature_verification_algorithms)
}

fn only_tls13() -> Error {
    Error::General("only TLS 1.3 is spoken here".to_owned())
}

struct AnyKey {
    provider: Arc<CryptoProvider>,
}

struct PinnedKey {
    provider: Arc<CryptoProvider>,
    pins: Vec<KeyPin>,
}

impl fmt::Debug for AnyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyKey")
    }
}

impl fmt::Debug for PinnedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PinnedKey({:?})", self.pins)
    }
}

impl ClientCertVerifier for AnyKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        pin_of(end_entity, intermediates).map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(only_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        proved(&self.provider, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ServerCertVerifier for PinnedKey {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let pin = pin_of(end_entity, intermediates)?;
        if self.pins.contains(&pin) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(WrongKey(pin))))))
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(only_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        proved(&self.provider, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    /// Both ends of a handshake: what the control plane learned and what the host learned, each after a byte came
    /// through, since in TLS 1.3 a client is done before its key was looked at.
    async fn shake(control: &Identity, host: &Identity, pins: &[KeyPin]) -> (Option<KeyPin>, Result<(), TlsError>) {
        let (near, far) = duplex(64 * 1024);
        let acceptor = Acceptor::new(control).unwrap();
        let connector = Connector::new(host, pins).unwrap();
        let control_end = async {
            let (mut io, pin) = acceptor.accept(far).await.ok()?;
            io.write_all(b"!").await.ok()?;
            io.flush().await.ok()?;
            Some(pin)
        };
        let host_end = async {
            let mut io = connector.connect(near).await?;
            io.read_exact(&mut [0]).await.map(drop).map_err(TlsError::Handshake)
        };
        tokio::join!(control_end, host_end)
    }

    fn key() -> Identity {
        Identity::ephemeral().unwrap()
    }

    #[tokio::test]
    async fn each_end_learns_the_others_key() {
        let (control, host) = (key(), key());
        let (learned, connected) = shake(&control, &host, &[key().pin(), control.pin()]).await;
        assert_eq!(learned, Some(host.pin()));
        assert!(connected.is_ok());
    }

    #[tokio::test]
    async fn a_control_plane_with_another_key_is_refused_and_named() {
        let (control, host) = (key(), key());
        let (learned, connected) = shake(&control, &host, &[key().pin()]).await;
        assert_eq!(learned, None);
        assert!(matches!(connected, Err(TlsError::WrongKey(WrongKey(found))) if found == control.pin()));
    }

    #[tokio::test]
    async fn knowing_a_hosts_public_key_is_not_being_that_host() {
        let (control, host) = (key(), key());
        let thief = Identity::forged(&host, &key());
        let (learned, connected) = shake(&control, &thief, &[control.pin()]).await;
        assert_eq!(learned, None);
        assert!(connected.is_err());
    }

    #[tokio::test]
    async fn knowing_the_control_planes_public_key_is_not_being_the_control_plane() {
        let (control, host) = (key(), key());
        let impostor = Identity::forged(&control, &key());
        let (learned, connected) = shake(&impostor, &host, &[control.pin()]).await;
        assert_eq!(learned, None);
        assert!(matches!(connected, Err(TlsError::Handshake(_))));
    }
}
