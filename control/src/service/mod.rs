//! Use cases, one a file, named by their verb. Each runs inside one write transaction: what must be true together is
//! written together or not at all. A use case asks the store, lets `domain` decide, and writes; it reads no clock and
//! draws nothing at random. No use case calls another.

pub mod add_host;
pub mod add_ssh_key;
pub mod afford;
pub mod announce_price;
pub mod apply_catalog;
pub mod attach_network;
pub mod audit_world;
pub mod bill_service;
pub mod change_package;
pub mod change_power;
pub mod change_server;
pub mod close_dispute;
pub mod correct_account;
pub mod create_account;
pub mod create_key;
pub mod create_network;
pub mod create_operator_token;
pub mod credit_account;
pub mod delete_network;
pub mod delete_ssh_key;
pub mod destroy_server;
pub mod detach_network;
pub mod direct_host;
pub mod end_lost_server;
pub mod enrol_host;
pub mod expire_orders;
pub mod explain_ledger;
pub mod export_ledger;
pub mod extend_server;
pub mod lock_server;
pub mod money_in;
pub mod note_delivery;
pub mod note_key_uses;
pub mod open_console;
pub mod open_dispute;
pub mod open_session;
pub mod open_smtp;
pub mod order_server;
pub mod publish_notice;
pub mod read_statement;
pub mod record_alive;
pub mod record_networks;
pub mod record_orphans;
pub mod record_report;
pub mod record_status;
pub mod refund_payment;
pub mod reinstall_server;
pub mod rename_network;
pub mod rename_ssh_key;
pub mod renew_service;
pub mod reset_password;
pub mod resume_scheduler;
pub mod revoke_key;
pub mod revoke_operator_token;
pub mod set_account_limits;
pub mod set_overcommit;
pub mod settle_mail;
pub mod verify_ledger;
pub mod watch_clock;

pub mod carry_network;
mod check_limit;
mod fail_order;
mod keep_promise;
pub mod known_names;
pub mod look_for_room;
mod new_mac;
mod pay_periods;
mod refresh_network;
mod remove_server;
mod reshape;
mod write_letter;

#[cfg(test)]
mod tests;
