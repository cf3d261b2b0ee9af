// SPDX-License-Identifier: MIT
/* The names of the error codes in lib/errno.h. Constant data, no lock, any context. */
#include "lib/errno.h"
#include "lib/types.h"

static const struct {
    int code;
    const char *name;
} names[] = {
    {EPERM, "EPERM"},   {ENOENT, "ENOENT"}, {EIO, "EIO"},
    {E2BIG, "E2BIG"},   {EAGAIN, "EAGAIN"}, {ENOMEM, "ENOMEM"},
    {EFAULT, "EFAULT"}, {EBUSY, "EBUSY"},   {EEXIST, "EEXIST"},
    {ENODEV, "ENODEV"}, {EINVAL, "EINVAL"}, {ENOSPC, "ENOSPC"},
    {ERANGE, "ERANGE"}, {ENOSYS, "ENOSYS"}, {EOVERFLOW, "EOVERFLOW"},
};

const char *errno_name(int error)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (error == names[i].code || error == -names[i].code)
            return names[i].name;
    return "E?";
}
