#include "modules/upstream/fault.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

fault_t fault_of(int err)
{
    switch (err) {
    case 0: return 0;
    case -ETIMEDOUT: return fault_make(FAULT_TIMEOUT, 0);
    case -ENODATA: return fault_make(FAULT_CLOSED, 0);
    case -EBADMSG:
    case -EMSGSIZE: return fault_make(FAULT_INVALID, 0);
    case -EPROTO:
    case -EKEYREJECTED: return fault_make(FAULT_TLS, 0);
    default: return fault_make(FAULT_ERRNO, (unsigned)-err);
    }
}

bool fault_is_ours(fault_t f)
{
    if (f >> 16 != FAULT_ERRNO) return false;
    switch (f & 0xffff) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EADDRNOTAVAIL: return true;
    default: return false;
    }
}

static const char *const texts[] = {
    [FAULT_NONE] = "nothing is wrong",
    [FAULT_TIMEOUT] = "it takes too long",
    [FAULT_TLS] = "the TLS handshake fails",
    [FAULT_CLOSED] = "it closes the connection",
    [FAULT_INVALID] = "it answers with no valid HTTP",
    [FAULT_HEADER] = "a header field is not as it should be",
    [FAULT_BODY] = "the body is not as it should be",
    [FAULT_NOT_SERVING] = "it says that it does not serve",
};

const char *fault_text(fault_t f, char out[FAULT_TEXT])
{
    unsigned kind = f >> 16, detail = f & 0xffff;
    const char *text = kind <= FAULT_NOT_SERVING && texts[kind] ? texts[kind] : "?";
    if (kind == FAULT_ERRNO) snprintf(out, FAULT_TEXT, "%u: %s", detail, strerror((int)detail));
    else if (kind == FAULT_STATUS) snprintf(out, FAULT_TEXT, "it answers %u", detail);
    else if (kind == FAULT_GRPC) snprintf(out, FAULT_TEXT, "its gRPC status is %u", detail);
    else snprintf(out, FAULT_TEXT, "%s", text);
    return out;
}
