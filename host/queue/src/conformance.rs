//! The conformance suite: what every broker promises, one function per promise.
//!
//! A promise panics if it is broken. Must not know which brokers there are: a [`Fixture`] is given a way to open one,
//! and [`for_each_promise!`](crate::for_each_promise) makes a test of each promise.

pub mod dead_letters;
pub mod duplicates;
pub mod enqueue;
pub mod fetch;
mod fixture;
pub mod inspect;
pub mod lease;
pub mod promote;
pub mod registry;
pub mod results;
pub mod settle;
mod several;
pub mod sharing;
pub mod size;
pub mod tenants;
pub mod wake;

pub use fixture::{Fixture, Open, Settings};

/// Calls the macro `$test` with every promise, as `module::name, …`; each is an `async fn(&Fixture)`.
///
/// A promise missing from this list would be dead code, which the compiler doesn't report for a public function; the
/// suite's own test compares this list with the sources.
#[macro_export]
macro_rules! for_each_promise {
    ($test:ident) => {
        $test! {
            enqueue::messages_keep_their_order,
            enqueue::a_bulk_of_ten_thousand_arrives_whole,
            enqueue::a_full_queue_refuses_all_or_takes_all,
            enqueue::an_eta_ahead_delays_and_one_behind_does_not,
            duplicates::an_id_is_there_until_its_result_is_gone,
            duplicates::an_id_is_forgotten_in_time,
            duplicates::a_batch_is_answered_one_by_one,
            duplicates::a_batch_with_an_id_that_is_there_is_refused,
            duplicates::an_id_that_is_there_is_run_again,
            duplicates::an_id_with_a_result_is_there,
            duplicates::a_purge_leaves_no_id,
            duplicates::a_replay_clears_the_old_end,
            duplicates::an_acknowledged_id_is_remembered,
            fetch::a_fetch_takes_at_most_its_limit,
            fetch::no_queue_starves,
            fetch::backlogs_take_turns,
            fetch::a_fetch_returns_empty_when_its_time_is_over,
            fetch::a_blocked_fetch_is_woken_by_enqueue,
            fetch::a_blocked_fetch_is_woken_by_another_process,
            fetch::an_interrupted_fetch_loses_nothing,
            fetch::concurrent_fetchers_share_no_message,
            fetch::unreadable_bytes_are_delivered_as_such,
            lease::a_held_lease_is_not_taken_over,
            lease::an_expired_lease_is_taken_over,
            lease::deliveries_are_counted,
            lease::reclaim_takes_at_most_its_limit,
            lease::an_extended_lease_is_kept,
            lease::a_result_after_a_reclaim_is_lost,
            lease::results_are_answered_one_by_one,
            lease::results_take_their_own_messages_along,
            size::a_fetch_takes_at_most_its_bytes,
            size::a_reclaim_takes_at_most_its_bytes,
            size::a_message_that_is_too_large_is_refused,
            size::a_large_result_is_kept_and_told,
            size::a_large_result_expires,
            size::a_lost_settlement_writes_no_large_result,
            size::large_messages_are_settled_in_every_way,
            size::large_messages_are_promoted_in_their_order,
            settle::complete_removes_the_message,
            settle::settling_twice_is_lease_lost,
            settle::a_late_settlement_hits_no_other_message,
            settle::only_the_holder_settles,
            settle::a_batch_is_answered_in_order,
            settle::a_lost_settlement_writes_no_result,
            settle::the_result_is_there_when_the_message_is_gone,
            settle::a_retry_replaces_the_message,
            settle::a_release_is_ready_at_once_without_a_charge,
            settle::a_release_wakes_a_blocked_fetch,
            settle::acknowledging_comes_before_and_only_once,
            settle::an_acknowledged_delivery_is_settled_without_a_lease,
            settle::unknown_fields_survive_retry_and_replay,
            promote::due_messages_come_in_the_order_of_their_times,
            promote::queues_are_promoted_together,
            promote::promote_moves_at_most_its_limit,
            promote::racing_promoters_move_each_message_once,
            dead_letters::a_dead_letter_has_all_its_fields,
            dead_letters::they_are_listed_in_pages,
            dead_letters::the_newest_of_a_task_is_found,
            dead_letters::the_oldest_make_room,
            dead_letters::a_replay_keeps_the_retries_unless_told,
            dead_letters::both_ids_find_it,
            dead_letters::an_unreadable_one_is_not_replayed_and_stays,
            dead_letters::they_are_deleted_and_purged,
            inspect::the_numbers_are_right,
            inspect::the_age_of_the_oldest_ready_message_is_known,
            inspect::queues_are_listed,
            inspect::a_purged_queue_that_nobody_serves_is_gone,
            inspect::a_purge_takes_many,
            inspect::delayed_messages_are_listed_by_time,
            inspect::a_purge_takes_all_but_dead_letters,
            inspect::a_scan_meets_every_message,
            inspect::a_scan_meets_what_moves_meanwhile,
            inspect::consumers_are_known_once_they_fetched,
            inspect::stale_consumers_go_unless_they_hold_something,
            inspect::consumers_are_removed_by_name_unless_they_hold_something,
            results::states_and_results_are_kept,
            results::a_wait_is_woken_by_the_writer,
            results::a_wait_is_woken_by_a_settlement,
            results::a_run_is_answered,
            results::a_wait_ends_at_its_timeout,
            results::results_expire,
            results::results_are_deleted,
            results::workers_are_listed_until_they_sign_off,
            results::stale_workers_are_forgotten,
            tenants::a_tenants_message_is_its_own,
            tenants::tenants_that_use_the_same_ids_are_told_apart,
            tenants::an_unknown_tenant_is_refused,
            sharing::shares_are_in_proportion_to_weights,
            sharing::a_newcomer_does_not_wait_for_a_flood,
            sharing::the_default_tenant_takes_part,
            tenants::a_message_stays_with_its_tenant,
            tenants::a_dead_letter_stays_with_its_tenant,
            sharing::a_suspended_tenant_is_held,
            sharing::a_tenants_queued_messages_are_limited,
            sharing::a_blocked_fetch_is_woken_by_a_tenant,
            sharing::every_message_of_every_tenant_is_delivered_once,
            tenants::an_acknowledged_message_of_a_tenant_is_gone,
            tenants::a_purge_takes_a_tenants_messages_only,
            sharing::a_purge_of_one_tenant_holds_up_no_other,
            sharing::large_messages_of_tenants_arrive,
            tenants::a_scan_meets_a_tenants_messages,
            tenants::of_two_who_change_a_tenant_one_wins,
            tenants::modules_belong_to_their_tenants,
            wake::a_delayed_enqueue_wakes_the_promoter,
            wake::a_retry_wakes_the_promoter,
            registry::a_record_is_read_as_it_was_stored,
            registry::a_module_is_found_in_any_spelling,
            registry::a_record_that_nobody_could_read_is_not_stored,
            registry::of_two_who_change_a_module_one_wins,
            registry::changes_are_listed_by_revision,
            registry::a_registry_that_was_replaced_is_read_anew,
            registry::bytes_are_kept_once,
            registry::a_workers_last_word_holds,
            registry::counts_add_up,
            registry::the_newest_line_of_the_log_comes_first,
            registry::a_policy_is_noted_when_it_changes,
            registry::those_who_watch_are_woken,
            registry::no_queue_is_made_of_it,
        }
    };
}

#[cfg(test)]
mod tests {
    /// Every public async function of the suite's files is in the list above.
    #[test]
    fn every_promise_is_listed() {
        macro_rules! names {
            ($($module:ident::$name:ident),* $(,)?) => {
                [$((stringify!($module), stringify!($name))),*]
            };
        }
        let listed = for_each_promise!(names);
        let sources = [
            ("dead_letters", include_str!("conformance/dead_letters.rs")),
            ("duplicates", include_str!("conformance/duplicates.rs")),
            ("enqueue", include_str!("conformance/enqueue.rs")),
            ("fetch", include_str!("conformance/fetch.rs")),
            ("inspect", include_str!("conformance/inspect.rs")),
            ("lease", include_str!("conformance/lease.rs")),
            ("promote", include_str!("conformance/promote.rs")),
            ("registry", include_str!("conformance/registry.rs")),
            ("results", include_str!("conformance/results.rs")),
            ("settle", include_str!("conformance/settle.rs")),
            ("size", include_str!("conformance/size.rs")),
            ("wake", include_str!("conformance/wake.rs")),
        ];
        for (module, source) in sources {
            for rest in source.split("pub async fn ").skip(1) {
                let name = rest.split('(').next().unwrap_or_default();
                assert!(
                    listed.contains(&(module, name)),
                    "{module}::{name} is not in for_each_promise!"
                );
            }
        }
    }
}
