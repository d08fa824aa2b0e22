// What the guest of each language must do alike, in C with wit-bindgen's bindings. Exported functions own
// their arguments: giving one back needs no copy, anything else has to free it.

#include "conformance.h"

#include <stdio.h>
#include <stdlib.h>

// Functions whose value fits into a register.
#define ECHO_SCALAR(name, type) \
    type exports_conformance_echo_##name(type value) { return value; }

// Functions whose value is in memory.
#define ECHO(name, type) \
    void exports_conformance_echo_##name(type *value, type *ret) { *ret = *value; }

ECHO_SCALAR(bool, bool)
ECHO_SCALAR(u8, uint8_t)
ECHO_SCALAR(u16, uint16_t)
ECHO_SCALAR(u32, uint32_t)
ECHO_SCALAR(u64, uint64_t)
ECHO_SCALAR(s8, int8_t)
ECHO_SCALAR(s16, int16_t)
ECHO_SCALAR(s32, int32_t)
ECHO_SCALAR(s64, int64_t)
ECHO_SCALAR(f32, float)
ECHO_SCALAR(f64, double)
ECHO_SCALAR(char, uint32_t)
ECHO_SCALAR(enum, conformance_color_t)
ECHO_SCALAR(flags, conformance_rights_t)

ECHO(string, conformance_string_t)
ECHO(bytes, conformance_list_u8_t)
ECHO(list, conformance_list_u32_t)
ECHO(lists, conformance_list_list_string_t)
ECHO(tuple, conformance_tuple3_u8_string_bool_t)
ECHO(results, conformance_list_result_u32_string_t)
ECHO(record, conformance_point_t)
ECHO(variant, conformance_shape_t)
ECHO(nested, conformance_nested_t)

bool exports_conformance_echo_option(uint32_t *maybe_value, uint32_t *ret) {
    if (maybe_value) *ret = *maybe_value;
    return maybe_value != NULL;
}

void exports_conformance_echo_several(uint32_t first, conformance_string_t *maybe_second_one,
                                      conformance_color_t third,
                                      conformance_tuple3_u32_option_string_color_t *ret) {
    ret->f0 = first;
    ret->f1.is_some = maybe_second_one != NULL;
    if (maybe_second_one) ret->f1.val = *maybe_second_one;
    ret->f2 = third;
}

void exports_conformance_nothing(void) {}

bool exports_conformance_fail_string(conformance_string_t *message, uint32_t *ret, conformance_string_t *err) {
    (void)ret;
    *err = *message;
    return false;
}

bool exports_conformance_fail_enum(conformance_failure_t error, uint32_t *ret, conformance_failure_t *err) {
    (void)ret;
    *err = error;
    return false;
}

bool exports_conformance_fail_variant(conformance_refusal_t *error, uint32_t *ret, conformance_refusal_t *err) {
    (void)ret;
    *err = *error;
    return false;
}

bool exports_conformance_fail_retry(conformance_string_t *message, uint32_t *ret, conformance_task_error_t *err) {
    (void)ret;
    err->tag = CHICORY_TASK_TYPES_TASK_ERROR_RETRY;
    err->val.retry = *message;
    return false;
}

bool exports_conformance_fail_retry_after(conformance_string_t *message, uint64_t delay_ms, uint32_t *ret,
                                          conformance_task_error_t *err) {
    (void)ret;
    err->tag = CHICORY_TASK_TYPES_TASK_ERROR_RETRY_AFTER;
    err->val.retry_after.message = *message;
    err->val.retry_after.delay_ms = delay_ms;
    return false;
}

bool exports_conformance_fail_fatal(conformance_string_t *message, uint32_t *ret, conformance_task_error_t *err) {
    (void)ret;
    err->tag = CHICORY_TASK_TYPES_TASK_ERROR_FATAL;
    err->val.fatal = *message;
    return false;
}

// C has no exceptions: a last word in the log, which the host tells as the reason of the trap.
uint32_t exports_conformance_fail_uncaught(conformance_string_t *message) {
    chicory_task_log_write(CHICORY_TASK_LOG_LEVEL_ERROR, message);
    abort();
}

bool exports_conformance_show_context(uint32_t after_retries, conformance_context_fields_t *ret,
                                      conformance_string_t *err) {
    uint32_t retries = chicory_task_context_retries();
    if (retries < after_retries) {
        char text[64];
        snprintf(text, sizeof text, "retry %u of %u", (unsigned)retries + 1, (unsigned)after_retries);
        conformance_string_dup(err, text);
        return false;
    }
    chicory_task_context_id(&ret->id);
    chicory_task_context_name(&ret->name);
    ret->retries = retries;
    ret->max_retries = chicory_task_context_max_retries();
    ret->remaining_retries = chicory_task_context_remaining_retries();
    ret->is_last_retry = chicory_task_context_is_last_retry();
    ret->deadline = chicory_task_context_deadline();
    ret->last_error.is_some = chicory_task_context_last_error(&ret->last_error.val);
    ret->tenant.is_some = chicory_task_context_tenant(&ret->tenant.val);
    return true;
}

void exports_conformance_log_levels(conformance_string_t *message) {
    for (int level = CHICORY_TASK_LOG_LEVEL_TRACE; level <= CHICORY_TASK_LOG_LEVEL_ERROR; level++)
        chicory_task_log_write((chicory_task_log_level_t)level, message);
    conformance_string_free(message);
}

uint32_t exports_conformance_report_progress(uint32_t steps) {
    for (uint32_t step = 1; step <= steps; step++) {
        char text[32];
        snprintf(text, sizeof text, "step %u", (unsigned)step);
        conformance_string_t message;
        conformance_string_set(&message, text);
        chicory_task_progress_report(100.0 * step / steps, &message);
    }
    return steps;
}
