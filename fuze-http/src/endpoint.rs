//! Where requests go: the URL, checked once. It resolves no names and opens no connections.

use std::net::IpAddr;

use reqwest::Url;

use crate::Refused;

/// A URL to which data may go: `https`, or `http` on this machine; without credentials.
#[derive(Clone, Debug)]
pub struct Endpoint {
    url: Url,
}

impl Endpoint {
    /// A path below a base URL, such as `chat/completions` below `https://api.mistral.ai/v1`. A query stays, a fragment does not.
    ///
    /// # Errors
    /// [`Refused`] with what is wrong with the base URL.
    pub fn below(base_url: &str, path: &str) -> Result<Self, Refused> {
        let mut url = Url::parse(base_url).map_err(|cause| Refused::Url { cause: cause.to_string() })?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::CredentialsInUrl);
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => {
                return Err(Refused::PlainHttp { host: url.host_str().unwrap_or_default().to_owned() });
            }
            other => return Err(Refused::Scheme { found: other.to_owned() }),
        }
        url.set_fragment(None);
        let path = format!("{}/{path}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(Self { url })
    }

    /// The URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whether it is plain HTTP, on this machine.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.url.scheme() == "http"
    }

    /// The host without brackets or port.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default().trim_matches(['[', ']'])
    }
}

/// Whether the host is this machine: `127.0.0.0/8`, `::1`, or `localhost`, which a [client](crate::client) resolves to these alone. The URL
/// parser has already turned spellings such as `0x7f.1` into their address, and `localhost.` is a name like any other.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host == "localhost"
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(base_url: &str, url: Result<&str, &str>) {
        let found = Endpoint::below(base_url, "a/b");
        let found = found.as_ref().map(|found| found.url().as_str()).map_err(ToString::to_string);
        match (&found, url) {
            (Ok(found), Ok(url)) => assert_eq!(*found, url, "{base_url}"),
            (Err(found), Err(part)) => assert!(found.contains(part), "{base_url}: {found}"),
            _ => panic!("{base_url}: expected {url:?}, found {found:?}"),
        }
    }

    #[test]
    fn the_path_is_appended_and_the_query_stays() {
        check("https://api.mistral.ai/v1", Ok("https://api.mistral.ai/v1/a/b"));
        check("https://api.mistral.ai/v1/", Ok("https://api.mistral.ai/v1/a/b"));
        check("https://host", Ok("https://host/a/b"));
        check("https://host/x/y?api-version=7#z", Ok("https://host/x/y/a/b?api-version=7"));
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        check("http://127.0.0.1:3592", Ok("http://127.0.0.1:3592/a/b"));
        check("http://127.9.9.9", Ok("http://127.9.9.9/a/b"));
        check("http://0x7f.1", Ok("http://127.0.0.1/a/b"));
        check("http://2130706433", Ok("http://127.0.0.1/a/b"));
        check("http://[::1]:1", Ok("http://[::1]:1/a/b"));
        check("http://[0:0::0:1]", Ok("http://[::1]/a/b"));
        check("http://LOCALHOST", Ok("http://localhost/a/b"));
        for host in [
            "example.eu",
            "10.0.0.1",
            "0.0.0.0",
            "0",
            "128.0.0.1",
            "localhost.",
            "localhost.example.eu",
            "127.0.0.1.example.eu",
            "[::]",
            "[::ffff:10.0.0.1]",
            "[::ffff:127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[fe80::1]",
        ] {
            check(&format!("http://{host}"), Err("must be `https`"));
        }
        for host in ["example.eu", "10.0.0.1", "localhost.", "[::ffff:127.0.0.1]"] {
            assert!(Endpoint::below(&format!("https://{host}"), "").is_ok(), "{host}");
        }
    }

    #[test]
    fn what_is_no_web_address_is_refused() {
        for not_a_url in ["", "pdp.example.eu", "https://", "https://[::1", "http://127.0.0.1:99999"] {
            check(not_a_url, Err("not a URL"));
        }
        for (url, scheme) in [
            ("ftp://127.0.0.1", "`ftp`"),
            ("grpc://127.0.0.1", "`grpc`"),
            ("unix:/run/pdp", "`unix`"),
            ("file:///v1", "`file`"),
            ("localhost:3592", "`localhost`"),
        ] {
            check(url, Err(scheme));
        }
    }

    #[test]
    fn credentials_in_the_url_are_refused_and_not_repeated() {
        for base_url in [
            "https://user:hunter2@host",
            "https://hunter2@host",
            "http://hunter2:@127.0.0.1",
            "http://127.0.0.1:3592@hunter2",
        ] {
            let error = Endpoint::below(base_url, "").map(|found| found.url().to_string());
            let error = error.expect_err(base_url).to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
