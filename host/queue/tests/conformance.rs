//! Runs the conformance suite on both brokers: one test per promise and broker.
//!
//! Must not know what the promises are.

macro_rules! on_sqlite {
    ($($module:ident::$promise:ident),* $(,)?) => {
        mod sqlite {$(
            #[tokio::test]
            async fn $promise() {
                let file = chicory_testing::SqliteFile::new();
                let fixture = chicory_queue::conformance::Fixture::new(file.store()).await;
                chicory_queue::conformance::$module::$promise(&fixture).await;
            }
        )*}
    };
}

macro_rules! on_redis {
    ($($module:ident::$promise:ident),* $(,)?) => {
        mod redis {$(
            #[tokio::test]
            async fn $promise() {
                let server = chicory_testing::RedisServer::start();
                let fixture = chicory_queue::conformance::Fixture::new(server.store("chicory")).await;
                chicory_queue::conformance::$module::$promise(&fixture).await;
            }
        )*}
    };
}

chicory_queue::for_each_promise!(on_sqlite);
chicory_queue::for_each_promise!(on_redis);
