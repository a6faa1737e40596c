//! Where requests go: the URL, checked once. It resolves no names and opens no connections.

use reqwest::Url;

use crate::config::ConfigError;

/// The URL of an endpoint's chat completions.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    url: Url,
}

impl Endpoint {
    /// From the base URL, such as `https://api.mistral.ai/v1`. A query stays (Azure's `?api-version=…`).
    pub(crate) fn parse(base_url: &str) -> Result<Self, ConfigError> {
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
        url.set_fragment(None);
        let path = format!("{}/chat/completions", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(Self { url })
    }

    pub(crate) fn url(&self) -> &str {
        self.url.as_str()
    }

    pub(crate) fn is_plain(&self) -> bool {
        self.url.scheme() == "http"
    }

    /// The host without brackets or port.
    pub(crate) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default().trim_matches(['[', ']'])
    }
}

/// Whether the host is this machine: `localhost`, `127.0.0.0/8` or `::1`. The URL parser has already turned spellings such
/// as `0x7f.1` into their address, and `localhost.` or `localhost.example` is a name like any other.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    if host == "localhost" {
        return true;
    }
    host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(base_url: &str, url: Result<&str, &str>) {
        let found = Endpoint::parse(base_url);
        let found = found.as_ref().map(Endpoint::url).map_err(ToString::to_string);
        match (&found, url) {
            (Ok(found), Ok(url)) => assert_eq!(*found, url, "{base_url}"),
            (Err(found), Err(part)) => assert!(found.contains(part), "{base_url}: {found}"),
            _ => panic!("{base_url}: expected {url:?}, found {found:?}"),
        }
    }

    #[test]
    fn the_path_is_appended_and_the_query_stays() {
        check("https://api.mistral.ai/v1", Ok("https://api.mistral.ai/v1/chat/completions"));
        check("https://api.mistral.ai/v1/", Ok("https://api.mistral.ai/v1/chat/completions"));
        check("https://host", Ok("https://host/chat/completions"));
        check("https://host/a/b?api-version=7#x", Ok("https://host/a/b/chat/completions?api-version=7"));
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        check("http://127.0.0.1:8080/v1", Ok("http://127.0.0.1:8080/v1/chat/completions"));
        check("http://127.9.9.9/v1", Ok("http://127.9.9.9/v1/chat/completions"));
        check("http://[::1]:8080/v1", Ok("http://[::1]:8080/v1/chat/completions"));
        check("http://LOCALHOST/v1", Ok("http://localhost/v1/chat/completions"));
        for host in [
            "example.eu",
            "10.0.0.1",
            "0.0.0.0",
            "128.0.0.1",
            "localhost.example.eu",
            "127.0.0.1.example.eu",
            "[::ffff:10.0.0.1]",
            "[fe80::1]",
        ] {
            check(&format!("http://{host}/v1"), Err("must be `https`"));
        }
    }

    #[test]
    fn what_is_no_web_address_is_refused() {
        check("", Err("not a URL"));
        check("api.mistral.ai/v1", Err("not a URL"));
        check("ftp://host/v1", Err("`ftp`"));
        check("file:///v1", Err("`file`"));
        check("https://", Err("not a URL"));
    }

    #[test]
    fn credentials_in_the_url_are_refused_and_not_repeated() {
        for base_url in
            ["https://user:hunter2@host/v1", "https://hunter2@host/v1", "http://hunter2:@127.0.0.1/v1"]
        {
            check(base_url, Err("credentials"));
            assert!(!Endpoint::parse(base_url).unwrap_err().to_string().contains("hunter2"));
        }
    }
}
