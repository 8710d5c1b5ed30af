//! Files on a host, over SSH, against OpenSSH's own server.

mod commands;
mod contract;
mod example;
mod host;
mod killed;
mod refusing;
mod syncing;
