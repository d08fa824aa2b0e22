//! Reads manifests and blobs of a registry, each with a bound on its bytes: a registry may send without end.
//!
//! Only addresses of the repository are asked, never the `urls` that a layer names, and a token's realm. Must not know
//! what a manifest says.

use std::time::Duration;

use oci_client::secrets::RegistryAuth;
use reqwest::header::{ACCEPT, WWW_AUTHENTICATE};
use reqwest::{RequestBuilder, Response, StatusCode, Url};

use super::Address;

/// The maximum size of a token, or of a page with an error.
const ANSWER_BYTES: u64 = 256 << 10;
/// The kinds of manifests that are understood, or refused by name.
const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";
/// How long one answer may take, however slowly it comes.
const PATIENCE: Duration = Duration::from_mins(30);

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("the connection failed")]
    Connection(#[from] reqwest::Error),
    /// A user and a password are needed, or others.
    #[error("unauthorized")]
    Unauthorized,
    #[error("not there")]
    Absent,
    #[error("it fails with status {code}: {text}")]
    Status { code: u16, text: String },
    #[error("{what} has more than {most} bytes")]
    TooLarge { what: &'static str, most: u64 },
    /// What it says is not what the protocol has.
    #[error("{0}")]
    Protocol(&'static str),
}

/// A repository of a registry.
pub(super) struct Repository {
    client: reqwest::Client,
    root: String,
    scope: String,
    encrypted: bool,
    auth: RegistryAuth,
    token: Option<String>,
}

impl Repository {
    pub(super) fn new(
        address: &Address,
        plain_http: bool,
        auth: RegistryAuth,
    ) -> Result<Self, FetchError> {
        let encrypted = !(plain_http || address.is_loopback());
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_mins(1))
            .timeout(PATIENCE)
            .build()?;
        let reference = address.reference();
        let (scheme, host) = (
            if encrypted { "https" } else { "http" },
            reference.resolve_registry(),
        );
        let repository = reference.repository();
        Ok(Self {
            client,
            root: format!("{scheme}://{host}/v2/{repository}"),
            scope: format!("repository:{repository}:pull"),
            encrypted,
            auth,
            token: None,
        })
    }

    /// The manifest with this tag or digest.
    pub(super) async fn manifest(&mut self, name: &str, most: u64) -> Result<Vec<u8>, FetchError> {
        let url = format!("{}/manifests/{name}", self.root);
        self.get(&url, "its manifest", most).await
    }

    /// The blob with this digest, of which the manifest says that it has `size` bytes.
    pub(super) async fn blob(&mut self, digest: &str, size: u64) -> Result<Vec<u8>, FetchError> {
        let url = format!("{}/blobs/{digest}", self.root);
        self.get(&url, "its layer", size).await
    }

    async fn get(
        &mut self,
        url: &str,
        what: &'static str,
        most: u64,
    ) -> Result<Vec<u8>, FetchError> {
        let request = || self.client.get(url).header(ACCEPT, MANIFESTS);
        let mut response = self.with_token(request()).send().await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            let challenges = response.headers().get_all(WWW_AUTHENTICATE).iter();
            let challenges: Vec<_> = challenges
                .filter_map(|value| Challenge::parse(value.to_str().ok()?))
                .collect();
            let again = self.answer(&challenges).await?;
            let request = self.client.get(url).header(ACCEPT, MANIFESTS);
            response = match again {
                Answer::Basic => self.with_password(request).send().await?,
                Answer::Token(token) => {
                    self.token = Some(token);
                    self.with_token(request).send().await?
                }
            };
        }
        match response.status() {
            status if status.is_success() => body(response, what, most).await,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(FetchError::Unauthorized),
            StatusCode::NOT_FOUND => Err(FetchError::Absent),
            status => {
                let text = body(response, "its error", ANSWER_BYTES)
                    .await
                    .unwrap_or_default();
                let text = String::from_utf8_lossy(&text).into_owned();
                let code = status.as_u16();
                Err(FetchError::Status { code, text })
            }
        }
    }

    fn with_token(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    fn with_password(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.auth {
            RegistryAuth::Basic(user, password) => request.basic_auth(user, Some(password)),
            RegistryAuth::Bearer(token) => request.bearer_auth(token),
            RegistryAuth::Anonymous => request,
        }
    }

    /// What the registry is to be told after it has asked who is there.
    async fn answer(&self, challenges: &[Challenge]) -> Result<Answer, FetchError> {
        let by = |scheme: &str| {
            challenges
                .iter()
                .find(|challenge| challenge.scheme == scheme)
        };
        if let Some(bearer) = by("bearer") {
            return self.fetch_token(bearer).await.map(Answer::Token);
        }
        match by("basic") {
            Some(_) if !matches!(self.auth, RegistryAuth::Anonymous) => Ok(Answer::Basic),
            _ => Err(FetchError::Unauthorized),
        }
    }

    /// A token from where the registry says. The password goes there, as Docker's does, but never unencrypted where the
    /// registry itself is encrypted.
    async fn fetch_token(&self, challenge: &Challenge) -> Result<String, FetchError> {
        let realm = challenge
            .get("realm")
            .and_then(|realm| Url::parse(realm).ok());
        let realm = realm.ok_or(FetchError::Protocol("it names no realm for tokens"))?;
        if self.encrypted && realm.scheme() != "https" {
            return Err(FetchError::Protocol(
                "its realm for tokens is not encrypted",
            ));
        }
        let mut query = vec![("scope", self.scope.as_str())];
        query.extend(challenge.get("service").map(|service| ("service", service)));
        let request = self.with_password(self.client.get(realm).query(&query));
        let response = request.send().await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(FetchError::Unauthorized);
            }
            status => {
                let (code, text) = (status.as_u16(), "no token".to_owned());
                return Err(FetchError::Status { code, text });
            }
        }
        let bytes = body(response, "its token", ANSWER_BYTES).await?;
        let answer: serde_json::Value = serde_json::from_slice(&bytes)
            .map_err(|_| FetchError::Protocol("its token is not JSON"))?;
        let token = ["token", "access_token"]
            .into_iter()
            .find_map(|key| answer[key].as_str());
        token
            .map(str::to_owned)
            .ok_or(FetchError::Protocol("its answer has no token"))
    }
}

/// How a request is made again.
enum Answer {
    Basic,
    Token(String),
}

/// A body, as far as it is not too large. What it says of its size is only believed if it is too much.
async fn body(
    mut response: Response,
    what: &'static str,
    most: u64,
) -> Result<Vec<u8>, FetchError> {
    let too_large = FetchError::TooLarge { what, most };
    if response
        .content_length()
        .is_some_and(|length| length > most)
    {
        return Err(too_large);
    }
    let mut bytes = Vec::new();
    while let Some(more) = response.chunk().await? {
        if (bytes.len() + more.len()) as u64 > most {
            return Err(too_large);
        }
        bytes.extend_from_slice(&more);
    }
    Ok(bytes)
}

/// A line of `WWW-Authenticate`: `Bearer realm="https://…",service="…"`.
#[derive(Debug, PartialEq)]
struct Challenge {
    /// In lower case.
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, mut rest) = text.trim().split_once(' ')?;
        let mut parameters = Vec::new();
        while let Some((name, after)) = rest.split_once('=') {
            let (value, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => after.split_at(after.find(',').unwrap_or(after.len())),
            };
            let name = name.trim_matches([',', ' ']).to_ascii_lowercase();
            parameters.push((name, value.to_owned()));
            rest = after;
        }
        let scheme = scheme.to_ascii_lowercase();
        Some(Self { scheme, parameters })
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let text =
            "Bearer realm=\"https://auth.example/token\",service=\"a, b\", scope=x,error=\"no\"";
        let challenge = Challenge::parse(text).unwrap();
        assert_eq!(challenge.scheme, "bearer");
        for (name, value) in [
            ("realm", "https://auth.example/token"),
            ("service", "a, b"),
            ("scope", "x"),
            ("error", "no"),
        ] {
            assert_eq!(challenge.get(name), Some(value));
        }
        assert_eq!(
            Challenge::parse("Basic realm=\"test\"").unwrap().scheme,
            "basic"
        );
        for broken in ["", "Bearer", "Bearer realm=\"open"] {
            assert_eq!(Challenge::parse(broken), None, "{broken}");
        }
    }
}
