//! The one binary of all integration tests, so that they link once and share their servers.

mod architecture;
mod aws;
mod cli;
mod clients;
mod cluster;
mod examples;
mod files;
mod one_store;
mod postgres;
