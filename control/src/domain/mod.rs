//! Decisions, as pure functions over plain data. No clock, no random source, no SQL, no network: what they need comes
//! in, what they decide goes out, and so every one of them can be tried a hundred thousand times in a second.

pub mod action;
pub mod address;
pub mod allowed;
pub mod api_key;
pub mod audit;
pub mod billing;
pub mod catalog;
pub mod csv;
pub mod draw;
pub mod event;
pub mod failure;
pub mod hostname;
pub mod label;
pub mod ledger;
pub mod letter;
pub mod limits;
pub mod money;
pub mod network;
pub mod notice;
pub mod operator_scope;
pub mod password;
pub mod payment;
pub mod period;
pub mod placement;
pub mod rate;
pub mod scope;
pub mod server;
pub mod server_label;
pub mod server_settings;
pub mod slug;
pub mod ssh_key;
pub mod statement;
pub mod time;
pub mod token;
pub mod user_data;
