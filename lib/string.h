// SPDX-License-Identifier: MIT
/*
 * The freestanding part of <string.h>: same names, same meanings. On the host these are libc's (and
 * ASan's), in the kernel lib/string.c defines them; gcc emits calls to the first four by itself.
 */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#include "lib/types.h"

#ifdef VITRINE_HOST
#include <string.h>
#else
void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *at, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strstr(const char *s, const char *what);
#endif

/* Copy with truncation; always NUL-terminates (size > 0); returns false when it had to cut. */
bool string_copy(char *to, size_t size, const char *from);

/* First byte in [p, p+n) that is not `byte`, or NULL: the poison checker of every allocator. */
const void *memory_not_equal(const void *p, u8 byte, size_t n);

#endif
