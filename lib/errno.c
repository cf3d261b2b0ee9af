// SPDX-License-Identifier: MIT
/* The names of the error codes in lib/errno.h. Constant data, no lock, any context. */
#include "lib/errno.h"
#include "lib/types.h"

#define NAME(code) {code, #code}

static const struct {
    int code;
    const char *name;
} names[] = {
    NAME(EPERM),  NAME(ENOENT), NAME(EIO),    NAME(E2BIG),  NAME(EAGAIN),
    NAME(ENOMEM), NAME(EFAULT), NAME(EBUSY),  NAME(EEXIST), NAME(ENODEV),
    NAME(EINVAL), NAME(ENOSPC), NAME(ERANGE), NAME(ENOSYS), NAME(EOVERFLOW),
};

const char *errno_name(int error)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (error == names[i].code || error == -names[i].code)
            return names[i].name;
    return "E?";
}
