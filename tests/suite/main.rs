//! The suite: drives the real program against real servers, and looks at what can be seen from outside.
//!
//! Each test owns a [`chicory_testing::Site`]: a redis-server, a folder, the program's environment. Tests
//! wait for events (a log line, a key) and never for a time. Must not know the crates' insides.

mod at_most_once;
mod author;
mod batch;
mod versions;

mod bombs;
mod cache_folder;
mod compat_delivery;
mod compat_operations;
mod compat_results;
mod compat_settings;
mod compat_written_by_hand;
mod confinement;
mod conformance_guests;
mod conformance_native;
mod conversion;
mod delayed;
mod deploy;
mod deploy_faults;
mod deploy_folder;
mod dev;
mod documents;
mod drain;
mod duplicates;
mod enqueue_validation;
mod error_texts;
mod fairness;
mod foreign_modules;
mod foreign_settings;
mod guests;
mod guests_grants;
mod guests_limits;
mod guests_types;
mod held_memory;
mod hostile;
mod interfaces;
mod kill;
mod large_messages;
mod limited_users;
mod lost_lease;
mod numbers_out_of_range;
mod oci;
mod oci_hostile;
mod oci_registry;
mod odd_messages;
mod outage;
mod policy;
mod program;
mod program_enqueue;
mod program_supervisor;
mod project;
mod project_languages;
mod project_native;
mod queue_index;
mod records;
mod strangers;
mod task_names;
mod trust;
mod type_bombs;
mod typed_client;
mod waiting;
mod web;
mod wire_format;
