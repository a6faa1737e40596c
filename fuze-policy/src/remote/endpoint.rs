//! Where questions go: the URL, checked once. It resolves no names and opens no connections.

use reqwest::Url;

use super::ConfigError;

/// The URL of a server's `CheckResources`.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    url: Url,
}

impl Endpoint {
    /// From the server's base URL, such as `https://pdp.example.eu`.
    pub(super) fn parse(base_url: &str) -> Result<Self, ConfigError> {
        let mut url = Url::parse(base_url).map_err(|cause| ConfigError::Url { cause: cause.to_string() })?;
        if !url.username().is_empty() || url.password().is_some() {
            // Not quoted: the error would print the password.
            return Err(ConfigError::CredentialsInUrl);
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => {
                return Err(ConfigError::PlainHttp { host: url.host_str().unwrap_or_default().to_owned() });
            }
            other => return Err(ConfigError::Scheme { found: other.to_owned() }),
        }
        if url.query().is_some() {
            return Err(ConfigError::Query);
        }
        url.set_fragment(None);
        let path = format!("{}/api/check/resources", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(Self { url })
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn is_plain(&self) -> bool {
        self.url.scheme() == "http"
    }

    /// The host without brackets or port.
    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default().trim_matches(['[', ']'])
    }
}

/// Whether the host is this machine: `127.0.0.0/8`, `::1`, or `localhost`, which the client resolves to these alone. The URL parser has
/// already turned spellings such as `0x7f.1` into their address.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(base_url: &str, url: Result<&str, &str>) {
        let found = Endpoint::parse(base_url);
        let found = found.as_ref().map(|found| found.url().as_str()).map_err(ToString::to_string);
        match (&found, url) {
            (Ok(found), Ok(url)) => assert_eq!(*found, url, "{base_url}"),
            (Err(found), Err(part)) => assert!(found.contains(part), "{base_url}: {found}"),
            _ => panic!("{base_url}: expected {url:?}, found {found:?}"),
        }
    }

    #[test]
    fn the_path_is_appended() {
        check("https://pdp.example.eu", Ok("https://pdp.example.eu/api/check/resources"));
        check("https://pdp.example.eu/a/b/#x", Ok("https://pdp.example.eu/a/b/api/check/resources"));
        check("https://pdp.example.eu?x=1", Err("query"));
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        check("http://127.0.0.1:3592", Ok("http://127.0.0.1:3592/api/check/resources"));
        check("http://127.9.9.9", Ok("http://127.9.9.9/api/check/resources"));
        check("http://[::1]:1", Ok("http://[::1]:1/api/check/resources"));
        check("http://LOCALHOST", Ok("http://localhost/api/check/resources"));
        for host in [
            "example.eu",
            "10.0.0.1",
            "0.0.0.0",
            "128.0.0.1",
            "localhost.",
            "localhost.example.eu",
            "127.0.0.1.example.eu",
            "[::]",
            "[::ffff:10.0.0.1]",
            "[::ffff:127.0.0.1]",
            "[fe80::1]",
        ] {
            check(&format!("http://{host}"), Err("must be `https`"));
            assert!(Endpoint::parse(&format!("https://{host}")).is_ok(), "{host}");
        }
    }

    #[test]
    fn what_is_no_web_address_is_refused() {
        check("", Err("not a URL"));
        check("pdp.example.eu", Err("not a URL"));
        check("ftp://127.0.0.1", Err("`ftp`"));
        check("grpc://127.0.0.1", Err("`grpc`"));
        check("unix:/run/pdp", Err("`unix`"));
    }

    #[test]
    fn credentials_in_the_url_are_refused_and_not_repeated() {
        for base_url in ["https://user:hunter2@host", "https://hunter2@host", "http://hunter2:@127.0.0.1"] {
            check(base_url, Err("credentials"));
            assert!(!Endpoint::parse(base_url).unwrap_err().to_string().contains("hunter2"));
        }
    }
}
