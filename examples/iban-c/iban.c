// Checks account numbers (IBAN): an example of typed tasks in C. Must not know which banks there are.

#include "iban.h"

#include <ctype.h>

// The longest that ISO 13616 allows.
#define LONGEST 34

// The number without blanks, in capital letters: its length, or 0 if there is something else in it.
static size_t normalize(const iban_string_t *iban, char *plain, iban_refusal_t *refusal) {
    size_t length = 0;
    for (size_t i = 0; i < iban->len; i++) {
        int c = iban->ptr[i];
        if (c == ' ' || c == '-') continue;
        if (c > 127 || !isalnum(c)) {
            *refusal = IBAN_REFUSAL_WRONG_CHARACTER;
            return 0;
        }
        if (length == LONGEST) {
            *refusal = IBAN_REFUSAL_WRONG_LENGTH;
            return 0;
        }
        plain[length++] = (char)toupper(c);
    }
    *refusal = IBAN_REFUSAL_WRONG_LENGTH;
    return length < 15 ? 0 : length;
}

// The remainder by 97 of the number whose first four characters go to its end, letters being 10 to 35.
static unsigned remainder97(const char *plain, size_t length) {
    unsigned remainder = 0;
    for (size_t i = 0; i < length; i++) {
        char c = plain[(i + 4) % length];
        remainder = isdigit((unsigned char)c) ? remainder * 10 + (unsigned)(c - '0')
                                              : remainder * 100 + (unsigned)(c - 'A' + 10);
        remainder %= 97;
    }
    return remainder;
}

bool exports_iban_check(iban_string_t *iban, iban_account_t *ret, iban_refusal_t *err) {
    char plain[LONGEST];
    size_t length = normalize(iban, plain, err);
    iban_string_free(iban);
    if (length == 0) return false;
    if (!isalpha((unsigned char)plain[0]) || !isalpha((unsigned char)plain[1])) {
        *err = IBAN_REFUSAL_WRONG_CHARACTER;
        return false;
    }
    if (remainder97(plain, length) != 1) {
        *err = IBAN_REFUSAL_WRONG_CHECK_DIGITS;
        return false;
    }
    iban_string_dup_n(&ret->country, plain, 2);
    iban_string_dup_n(&ret->number, plain + 4, length - 4);
    return true;
}
