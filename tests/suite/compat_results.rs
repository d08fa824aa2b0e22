//! Chicory for Python's result backend: where results go, under which keys, in which form, for how long.
//!
//! Must not know the brokers' insides.

use chicory_testing::{RedisServer, Site, json};
use redis::Commands;
use serde_json::Value;

/// Runs one addition to its end.
fn add(site: &Site) -> String {
    let _worker = site.worker(&[]);
    let id = site.enqueue(&["demo.add", "1", "2"]);
    assert_eq!(site.wait_for(&id)["result"], 3);
    id
}

#[test]
fn results_are_where_the_broker_is_with_an_hour_to_live() {
    let site = Site::new();
    let id = add(&site);
    let mut redis = site.connection();
    assert_eq!(
        redis
            .get::<_, String>(format!("chicory:state:{id}"))
            .unwrap(),
        "SUCCESS"
    );
    let result = json(
        &redis
            .get::<_, String>(format!("chicory:result:{id}"))
            .unwrap(),
    );
    assert_eq!(
        (&result["task_id"], &result["state"], &result["result"]),
        (&id.as_str().into(), &"SUCCESS".into(), &3.into())
    );
    assert_eq!(
        (&result["error"], &result["traceback"]),
        (&Value::Null, &Value::Null)
    );
    assert!(
        result["usage"]["wall_ms"].is_number() && result["usage"]["peak_memory_bytes"].is_number()
    );
    for kind in ["state", "result"] {
        let ttl: i64 = redis.ttl(format!("chicory:{kind}:{id}")).unwrap();
        assert!((3000..=3600).contains(&ttl), "{kind}: {ttl}");
    }
}

#[test]
fn a_failure_has_its_error() {
    let site = Site::new();
    let _worker = site.worker(&[]);
    let id = site.enqueue(&["demo.gives-up", "no such order"]);
    let result = site.wait_for(&id);
    assert_eq!(result["state"], "FAILURE");
    assert!(
        result["error"].as_str().unwrap().contains("no such order"),
        "{result}"
    );
    assert_eq!(result["result"], Value::Null);
    assert!(
        site.run(&["result", &id])
            .fails(1)
            .contains("no such order")
    );
}

#[test]
fn backend_db_shares_results_with_the_python_system() {
    let site = Site::new().set("CHICORY_BACKEND_REDIS_DB", "1");
    let id = add(&site);
    let mut redis = site.connection();
    let key = format!("chicory:result:{id}");
    assert!(!redis.exists::<_, bool>(&key).unwrap());
    redis::cmd("SELECT").arg(1).exec(&mut redis).unwrap();
    assert!(redis.exists::<_, bool>(&key).unwrap());
    assert!(!redis.exists::<_, bool>("chicory:stream:default").unwrap());
}

#[test]
fn backend_result_ttl() {
    let ttl_with = |setting| {
        let site = Site::new().set("CHICORY_BACKEND_REDIS_RESULT_TTL", setting);
        let id = add(&site);
        let ttl: i64 = site
            .connection()
            .ttl(format!("chicory:result:{id}"))
            .unwrap();
        ttl
    };
    let ttl = ttl_with("77");
    assert!((1..=77).contains(&ttl), "{ttl}");
    assert_eq!(ttl_with("0"), -1, "never expires");
}

#[test]
fn backend_key_prefix() {
    let site = Site::new().set("CHICORY_BACKEND_REDIS_KEY_PREFIX", "answers");
    let id = add(&site);
    let mut redis = site.connection();
    assert!(
        redis
            .exists::<_, bool>(format!("answers:result:{id}"))
            .unwrap()
    );
    assert!(
        !redis
            .exists::<_, bool>(format!("chicory:result:{id}"))
            .unwrap()
    );
    assert!(redis.exists::<_, bool>("chicory:stream:default").unwrap());
}

#[test]
fn backend_host_and_port_are_a_server_of_its_own() {
    let results = RedisServer::start();
    let site = Site::new()
        .set("CHICORY_BACKEND_REDIS_HOST", "127.0.0.1")
        .set("CHICORY_BACKEND_REDIS_PORT", &results.port().to_string());
    let id = add(&site);
    assert!(
        results
            .connection()
            .exists::<_, bool>(format!("chicory:result:{id}"))
            .unwrap()
    );
    assert!(
        !site
            .connection()
            .exists::<_, bool>(format!("chicory:result:{id}"))
            .unwrap()
    );
}

#[test]
fn backend_url_username_and_password() {
    let results =
        RedisServer::start_with(&["--user", "bob", "on", ">pass-word", "~*", "&*", "+@all"]);
    let url = format!("redis://bob:pass-word@127.0.0.1:{}/4", results.port());
    let site = Site::new().set("CHICORY_BACKEND_REDIS_URL", &url);
    let id = add(&site);
    let mut redis = results.connection();
    redis::cmd("SELECT").arg(4).exec(&mut redis).unwrap();
    assert!(
        redis
            .exists::<_, bool>(format!("chicory:result:{id}"))
            .unwrap()
    );
    redis::cmd("ACL")
        .arg(&["SETUSER", "default", "off"])
        .exec(&mut redis)
        .unwrap();
    let site = Site::new()
        .set("CHICORY_BACKEND_REDIS_HOST", "127.0.0.1")
        .set("CHICORY_BACKEND_REDIS_PORT", &results.port().to_string())
        .set("CHICORY_BACKEND_REDIS_USERNAME", "bob")
        .set("CHICORY_BACKEND_REDIS_PASSWORD", "pass-word");
    add(&site);
}

#[test]
fn ignored_results_leave_no_key() {
    let site = Site::new();
    let worker = site.worker(&[]);
    let id = site.enqueue(&["demo.add", "1", "2", "--ignore-result"]);
    worker.line_about("done", &id);
    let keys: Vec<String> = site.connection().keys(format!("*{id}*")).unwrap();
    assert!(keys.is_empty(), "{keys:?}");
    assert!(site.run(&["result", &id]).fails(4).contains(&id));
}

#[test]
fn result_default_timeout() {
    let site = Site::new().set("CHICORY_RESULT_DEFAULT_TIMEOUT", "0.05");
    let late = site.run(&["enqueue", "demo.noop", "--wait"]);
    assert!(late.fails(4).contains("did not end in time"), "{late:?}");
}
