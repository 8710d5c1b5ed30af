//! A superuser's connection, without TLS.

use tokio::net::TcpStream;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use super::server::PostgresError;

/// A connection as superuser to one database. It belongs to the runtime that it is made in.
pub struct PostgresClient {
    client: Client,
}

impl PostgresClient {
    pub(super) async fn connect(
        port: u16,
        database: &str,
        password: &str,
    ) -> Result<Self, PostgresError> {
        let stream = TcpStream::connect(("127.0.0.1", port))
            .await
            .map_err(PostgresError::Reach)?;
        let connecting = Config::new()
            .user("postgres")
            .password(password)
            .dbname(database)
            .connect_raw(stream, NoTls)
            .await;
        let (client, connection) = connecting.map_err(PostgresError::Ask)?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { client })
    }

    /// Runs statements.
    pub async fn run(&self, sql: &str) -> Result<(), PostgresError> {
        self.client
            .batch_execute(sql)
            .await
            .map_err(PostgresError::Ask)
    }

    /// Runs one statement with texts as its parameters.
    pub async fn bind(&self, sql: &str, texts: &[&str]) -> Result<u64, PostgresError> {
        use tokio_postgres::types::{ToSql, Type};
        let parameters: Vec<(&(dyn ToSql + Sync), Type)> = texts
            .iter()
            .map(|text| (text as &(dyn ToSql + Sync), Type::TEXT))
            .collect();
        self.client
            .execute_typed(sql, &parameters)
            .await
            .map_err(PostgresError::Ask)
    }

    /// The first column of the first row, as text.
    pub async fn text(&self, sql: &str) -> Result<Option<String>, PostgresError> {
        let messages = self.client.simple_query(sql).await;
        let messages = messages.map_err(PostgresError::Ask)?;
        let found = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        Ok(found)
    }
}
