//go:build cgo && (linux || darwin)

// Loads, first runs and unloads, and reading for them, on threads that take only the time that nobody else
// wants, so that who is being answered does not notice them.

#define _GNU_SOURCE // SCHED_IDLE, pthread_condattr_setclock

#include "shim.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#ifdef __linux__

// task is work for a thread of its own. Its starter waits for it, so that it and
// what it points to, Go's pinned memory included, outlive the thread.
typedef struct {
  void (*work)(void *);
  void *job;
  int look; // whether there is time to be had is looked at first
  pthread_mutex_t lock;
  pthread_cond_t changed;
  pid_t tid; // 0 until it yields
  int yielded, done;
} task;

// Whether a thread that yields can be made one like the others again: that asks
// for CAP_SYS_NICE, or RLIMIT_NICE.
static int returns;

static void *try_return(void *p) {
  const struct sched_param none = {0};
  returns = sched_setscheduler(0, SCHED_IDLE, &none) == 0 && sched_setscheduler(0, SCHED_BATCH, &none) == 0;
  return p;
}

static void find_out(void) {
  pthread_t thread; // which ends, whatever became of it
  if (pthread_create(&thread, NULL, try_return, NULL) == 0) pthread_join(thread, NULL);
}

static pthread_once_t found_out = PTHREAD_ONCE_INIT;

// crowded tells whether more threads want to run than there are cores, in most
// looks of the next 10 ms. Where nothing is left over, a thread that takes what
// is left over would never end, if it cannot be helped out.
static int crowded(void) {
  enum { LOOKS = 5 };
  int full = 0;
  const long cores = sysconf(_SC_NPROCESSORS_ONLN);
  prctl(PR_SET_TIMERSLACK, 50000UL, 0UL, 0UL, 0UL); // of this thread alone
  for (int i = 0; i < LOOKS; i++) {
    long running = 0;
    FILE *f = fopen("/proc/loadavg", "re");
    if (f == NULL) return 0;
    if (fscanf(f, "%*f %*f %*f %ld/", &running) == 1 && running - 1 >= cores) full++; // - 1: this thread
    fclose(f);
    const struct timespec pause = {0, 2000000};
    nanosleep(&pause, NULL);
  }
  return full >= LOOKS - 1;
}

static void *begin(void *p) {
  task *t = p;
  sigset_t all; // what is sent to the process is for Go's threads; faults are our own
  sigfillset(&all);
  const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigdelset(&all, faults[i]);
  pthread_sigmask(SIG_SETMASK, &all, NULL);
  const struct sched_param none = {0};
  if ((returns || !t->look || !crowded()) && sched_setscheduler(0, SCHED_IDLE, &none) == 0) {
    pthread_mutex_lock(&t->lock);
    t->tid = (pid_t)syscall(SYS_gettid);
    t->yielded = 1;
    pthread_mutex_unlock(&t->lock);
  }
  t->work(t->job);
  pthread_mutex_lock(&t->lock);
  t->done = 1;
  pthread_cond_signal(&t->changed);
  pthread_mutex_unlock(&t->lock);
  return NULL;
}

static double seconds(clockid_t clock) {
  struct timespec now = {0};
  clock_gettime(clock, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// watch waits for the task. One that gets less than a tenth of a core for half a
// second is made a thread like the others, where the system allows that.
static void watch(task *t, pthread_t thread) {
  clockid_t clock;
  const int timed = pthread_getcpuclockid(thread, &clock) == 0;
  double wall = seconds(CLOCK_MONOTONIC), cpu = timed ? seconds(clock) : 0;
  pthread_mutex_lock(&t->lock);
  while (!t->done) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 500000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&t->changed, &t->lock, &until);
    const double now = seconds(CLOCK_MONOTONIC);
    if (t->done || !timed || t->tid == 0 || now - wall < .4) continue;
    const double used = seconds(clock);
    if (used - cpu < (now - wall) / 10) {
      const struct sched_param none = {0};
      sched_setscheduler(t->tid, SCHED_BATCH, &none);
      t->tid = 0;
    }
    wall = now, cpu = used;
  }
  pthread_mutex_unlock(&t->lock);
}

// aside does work on a thread that yields, and waits for it. It tells whether the
// thread did.
static int aside(void (*work)(void *), void *job, int look) {
  pthread_once(&found_out, find_out);
  task t = {.work = work, .job = job, .look = look};
  pthread_t thread;
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&t.changed, &monotonic);
  pthread_condattr_destroy(&monotonic);
  pthread_mutex_init(&t.lock, NULL);
  if (pthread_create(&thread, NULL, begin, &t) != 0) {
    work(job);
  } else {
    watch(&t, thread);
    pthread_join(thread, NULL);
  }
  pthread_cond_destroy(&t.changed);
  pthread_mutex_destroy(&t.lock);
  return t.yielded;
}

#else

static int aside(void (*work)(void *), void *job, int look) {
  (void)look;
  work(job);
  return 0;
}

#endif

typedef struct {
  gh_runtime *r;
  const void *model;
  size_t bytes;
  void *options;
  void **session;
  ort_status *status;
} load_job;

static void load(void *p) {
  load_job *j = p;
  j->status = gh_load(j->r, j->model, j->bytes, j->options, j->session);
}

ort_status *gh_load_aside(gh_runtime *r, const void *model, size_t bytes, void *options, void **session) {
  load_job j = {r, model, bytes, options, session, NULL};
  aside(load, &j, 1);
  return j.status;
}

typedef struct {
  gh_runtime *r;
  void *session;
  gh_call *call;
  ort_status *status;
} run_job;

static void run(void *p) {
  run_job *j = p;
  j->status = gh_run(j->r, j->session, j->call);
}

ort_status *gh_run_aside(gh_runtime *r, void *session, gh_call *c) {
  run_job j = {r, session, c, NULL};
  aside(run, &j, 0);
  return j.status;
}

typedef struct {
  gh_runtime *r;
  void *session;
} unload_job;

static void unload(void *p) {
  unload_job *j = p;
  gh_unload(j->r, j->session);
}

void gh_unload_aside(gh_runtime *r, void *session) {
  unload_job j = {r, session};
  aside(unload, &j, 1);
}

// read_all fills memory of its own from a file. Where it cannot, err is not 0, or
// fewer bytes have come.
static void read_all(void *p) {
  gh_reading *j = p;
  void *to = mmap(NULL, j->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (to == MAP_FAILED) {
    j->err = errno;
    return;
  }
#ifdef MADV_HUGEPAGE
  madvise(to, j->bytes, MADV_HUGEPAGE); // five hundred times fewer faults, where the system has them
#endif
  while (j->come < j->bytes && !__atomic_load_n(&j->stop, __ATOMIC_RELAXED)) {
    const size_t left = j->bytes - j->come, part = 4 << 20;
    const ssize_t n = pread(j->file, (char *)to + j->come, left < part ? left : part, (off_t)j->come);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) j->err = errno;
    if (n <= 0) break;
    j->come += (size_t)n;
  }
  j->data = to;
}

static void free_read(void *p) {
  gh_reading *j = p;
  munmap(j->data, j->bytes);
}

void gh_read_aside(gh_reading *j) { j->yields = aside(read_all, j, 1); }

// gh_free_read does as the reading did: to look again whether there is time would
// take longer than what it is for.
void gh_free_read(gh_reading *j) {
  if (j->yields) {
    aside(free_read, j, 0);
  } else {
    free_read(j);
  }
}
