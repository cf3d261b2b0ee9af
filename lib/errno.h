// SPDX-License-Identifier: MIT
/*
 * Error codes. A function that can fail in more than one way returns 0 or one of these negated
 * (-ENOMEM); the numbers are Linux's, so that a student can look them up. errno_name() spells them.
 */
#ifndef LIB_ERRNO_H
#define LIB_ERRNO_H

#ifdef VITRINE_HOST
#include <errno.h>
#else
#define EPERM 1
#define ENOENT 2
#define EIO 5
#define E2BIG 7
#define EAGAIN 11
#define ENOMEM 12
#define EFAULT 14
#define EBUSY 16
#define EEXIST 17
#define ENODEV 19
#define EINVAL 22
#define ENOSPC 28
#define ERANGE 34
#define ENOSYS 38
#define EOVERFLOW 75
#endif

/* "ENOMEM" for -ENOMEM or ENOMEM; "E?" for a number that is not in the table. Any context. */
const char *errno_name(int error);

#endif
