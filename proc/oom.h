// SPDX-License-Identifier: MIT
/* Memory has run out: who holds what. */
#ifndef PROC_OOM_H
#define PROC_OOM_H

struct process;

/* One line per process and what the kernel itself holds, before `asker` is killed. */
void oom_report(struct process *asker, const char *what);

#endif
