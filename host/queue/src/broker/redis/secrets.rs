//! Tests that nothing said about a server shows its password, whatever its URL.
//!
//! Must not know how a URL is read.

use chicory_signature::with_causes;
use proptest::prelude::*;

use super::server::Server;
use crate::{RedisServer, Secret, mask_url};

proptest! {
    /// Case Q4, for any URL, even one that can't be used.
    #[test]
    fn nothing_that_is_said_of_a_url_has_its_password(
        scheme in "rediss?|valkey|rediss?-(sentinel|cluster)|redis\\+unix|unix|http|x y",
        user in "[a-z%]{0,3}",
        before in "[a-zA-Z0-9:/?#@%&=,\\[\\]\t -]{0,6}",
        after in "[a-zA-Z0-9:/?#@%&=,\\[\\]\t -]{0,6}",
        place in "h|h:1|a:1,b:2|\\[::1\\]:6379|",
        path in "|/0|/m/3|/m/x|\\?a=b|#c",
    ) {
        let url = format!("{scheme}://{user}:{before}hunter2{after}@{place}{path}");
        let settings = RedisServer {
            url: Some(Secret(url.clone())),
            ..RedisServer::default()
        };
        let mut said = vec![format!("{settings:?}"), mask_url(&url).unwrap_or_default()];
        match Server::new(&settings, &[]) {
            Ok(server) => said.push(format!("{server:?}")),
            Err(error) => said.extend([with_causes(&error), format!("{error:?}")]),
        }
        prop_assert!(!said.iter().any(|text| text.contains("hunter2")), "{url}: {said:?}");
    }
}
