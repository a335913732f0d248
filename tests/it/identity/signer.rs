//! Somebody who signs tokens, with keys that are made for the test and by another hand than the one that
//! checks them, and a server of key sets.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use aws_lc_rs::{hmac, rsa};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use tollgate::seam::{Clock, SystemClock};

use super::rig::request;

/// What tokens have as `iss` and `aud`.
pub(crate) const ISSUER: &str = "https://login.example/";
pub(crate) const AUDIENCE: &str = "api.example";

/// A key that signs.
pub(crate) enum Signer {
    Rsa(RsaKeyPair),
    Curve(EcdsaKeyPair, &'static str),
    Edwards(Ed25519KeyPair),
    Shared(Vec<u8>),
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL_NOPAD.encode(bytes.as_ref())
}

impl Signer {
    pub(crate) fn rsa(size: KeySize) -> Self {
        let made = rsa::KeyPair::generate(size).unwrap();
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = made.as_der().unwrap();
        Self::Rsa(RsaKeyPair::from_pkcs8(der.as_ref()).unwrap())
    }

    pub(crate) fn curve(algorithm: &'static EcdsaSigningAlgorithm, name: &'static str) -> Self {
        let made = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        Self::Curve(EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref()).unwrap(), name)
    }

    pub(crate) fn p256() -> Self {
        Self::curve(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256")
    }

    pub(crate) fn p384() -> Self {
        Self::curve(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384")
    }

    pub(crate) fn edwards() -> Self {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Edwards(Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap())
    }

    /// The public half, for a key set.
    pub(crate) fn public(&self, name: Option<&str>) -> Value {
        let mut key = match self {
            Self::Rsa(pair) => {
                let public = pair.public_key();
                let (n, e) = (public.modulus(), public.exponent());
                json!({ "kty": "RSA", "n": b64(n.big_endian_without_leading_zero()),
                        "e": b64(e.big_endian_without_leading_zero()) })
            }
            Self::Curve(pair, curve) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "kty": "EC", "crv": curve, "x": b64(x), "y": b64(y) })
            }
            Self::Edwards(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key()) })
            }
            Self::Shared(secret) => json!({ "kty": "oct", "k": b64(secret) }),
        };
        if let Some(name) = name {
            key["kid"] = name.into();
        }
        key
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let how: &'static dyn RsaEncoding = match algorithm {
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(how, &random, message, &mut signature).unwrap();
                signature
            }
            Self::Curve(pair, _) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Edwards(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Shared(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&key, message).as_ref().to_vec()
            }
        }
    }

    /// A token of these very bytes of header and claims.
    pub(crate) fn bytes(&self, algorithm: &str, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", b64(header), b64(claims));
        let signature = self.sign(algorithm, message.as_bytes());
        format!("{message}.{}", b64(signature))
    }

    /// A token with this header and these claims.
    pub(crate) fn token(&self, header: &Value, claims: &Value) -> String {
        let algorithm = header["alg"].as_str().unwrap_or("RS256");
        self.bytes(algorithm, &header.to_string(), &claims.to_string())
    }
}

/// The key that most tests sign with; making one takes a while.
pub(crate) fn main_key() -> &'static Signer {
    static KEY: LazyLock<Signer> = LazyLock::new(|| Signer::rsa(KeySize::Rsa2048));
    &KEY
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemClock.now().0 / 1_000
}

/// Claims that are good for five minutes.
pub(crate) fn claims(account: &str) -> Value {
    json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": account, "iat": now(), "exp": now() + 300 })
}

/// A key set.
pub(crate) fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

/// A server of a key set, which can be changed and broken.
pub(crate) struct SetServer {
    pub(crate) addr: SocketAddr,
    answer: Arc<Mutex<(u16, String)>>,
    asked: Arc<AtomicUsize>,
}

impl SetServer {
    pub(crate) fn start(body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let answer = Arc::new(Mutex::new((200, body.to_owned())));
        let asked = Arc::<AtomicUsize>::default();
        let (current, count) = (answer.clone(), asked.clone());
        // It ends with the test's process.
        drop(tollgate::seam::thread("set-server", move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                if request(&mut stream).is_some() {
                    count.fetch_add(1, Ordering::SeqCst);
                    let (status, body) = current.lock().unwrap().clone();
                    let head =
                        format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length:");
                    drop(
                        stream.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes()),
                    );
                }
            }
        }));
        Self { addr, answer, asked }
    }

    pub(crate) fn now_answers(&self, status: u16, body: &str) {
        *self.answer.lock().unwrap() = (status, body.to_owned());
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}
