// SPDX-License-Identifier: MIT
/*
 * POSIX threads as musl makes them: clone, set_tid_address, futex, a TLS block each. threads [N [ROUNDS]]. Every thread
 * counts under a mutex, keeps a sum in a thread-local variable, and hands a token on under a condition variable. Runs on
 * Linux too.
 */
#include "user/lab.h"

#include <pthread.h>

#define MOST 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static unsigned long count, rounds, workers, turn;
static __thread unsigned long mine; /* one for each thread, at another address */

static void *worker(void *argument)
{
    unsigned long me = (unsigned long)argument;

    for (unsigned long i = 0; i < rounds; i++) {
        pthread_mutex_lock(&lock);
        count++;
        pthread_mutex_unlock(&lock);
        mine += me;
    }
    for (unsigned long i = 0; i < 10; i++) { /* the token goes round ten times */
        pthread_mutex_lock(&lock);
        while (turn % workers != me)
            pthread_cond_wait(&turned, &lock);
        turn++;
        pthread_cond_broadcast(&turned);
        pthread_mutex_unlock(&lock);
    }
    return (void *)mine;
}

int main(int argc, char **argv)
{
    pthread_t threads[MOST];
    unsigned long wrong = 0;

    workers = argument(argc, argv, 1, 8);
    rounds = argument(argc, argv, 2, 10000);
    if (workers == 0 || workers > MOST)
        return fprintf(stderr, "threads: 1 to %d\n", MOST), 2;
    for (unsigned long i = 0; i < workers; i++) {
        int error = pthread_create(&threads[i], NULL, worker, (void *)i);
        if (error)
            return printf("pthread_create: %s\n", strerror(error)), 1;
    }
    for (unsigned long i = 0; i < workers; i++) {
        void *sum;
        if (pthread_join(threads[i], &sum) || (unsigned long)sum != i * rounds)
            wrong++;
    }
    printf(
        "%lu threads, %lu counted under the mutex of %lu, token passed %lu times of %lu, %lu wrong sums\n",
        workers, count, workers * rounds, turn, workers * 10, wrong);
    return wrong || count != workers * rounds || turn != workers * 10 || mine != 0;
}
