//go:build cgo && (linux || darwin)

// What must happen before Go's runtime starts its first thread.

#define _GNU_SOURCE // SCHED_BATCH

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__ // which <stdlib.h> tells
#include <limits.h>
#include <malloc.h>
#include <unistd.h>
#endif
#ifdef __linux__
#include <sched.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

// ONNX Runtime's Linux builds keep a telemetry database under ~/.cache and look
// up a host some seconds after their environment is made, unless this variable
// says otherwise. Set here, since setenv is not safe beside other threads.
static void no_telemetry(void) { setenv("ORT_DISABLE_TELEMETRY", "1", 1); }

#ifdef __linux__
// is_off leaves the kernel's and the C library's defaults.
static bool is_off(void) {
  const char *setting = getenv("GOSHAWKTEST_SCHEDULING");
  return setting != NULL && strcmp(setting, "off") == 0;
}
#endif

// The threads that serve requests, and Go's monitor thread, wake up hundreds of
// times a second, and by default the kernel lets each of them push an inference
// off its core. Three settings make them wait for a pause instead:
//
// - a timer slack of 20 ms: the monitor wakes up every 20 µs to 10 ms while cgo
//   calls run, and the kernel merges most of that. Timers in this process may be
//   late by as much, which is little beside the queue's and the callers' bounds;
// - SCHED_BATCH: a thread that wakes up does not preempt one that runs. A policy
//   that somebody gave the process stays;
// - slices of 20 ms instead of some 1.4: a run is seldom cut in two because others
//   of this process wait. Other programs lose nothing by it: the kernel lets a
//   thread with shorter slices go first. Linux knows them since 6.12, and takes
//   no notice before.
//
// All are inherited by every thread made later, which is why they are set
// before there are any.
static void let_inference_run(void) {
#ifdef __linux__
  if (is_off()) return;
  prctl(PR_SET_TIMERSLACK, 20000000UL, 0UL, 0UL, 0UL);
  if (sched_getscheduler(0) != SCHED_OTHER) return;
  const struct { // of the system call, in its first version, which every kernel takes
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period; // runtime is the slice, in ns
  } batch = {.size = 48, .policy = SCHED_BATCH, .nice = getpriority(PRIO_PROCESS, 0), .runtime = 20000000};
  if (syscall(SYS_sched_setattr, 0, &batch, 0U) != 0) {
    const struct sched_param none = {0};
    sched_setscheduler(0, SCHED_BATCH, &none);
  }
#endif
}

// Blocks of a megabyte and more are mapped alone and unmapped when they are freed.
// The C library otherwise raises that bound up to 32 MB with each large block that
// is freed, and then weights lie scattered over its heaps, of which a thousand loads
// kept tens of megabytes (docs/adr/0013-memory-of-models.md).
static void keep_large_blocks_apart(void) {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
}

// A picture's inference walks over some ten megabytes, for which the processor's
// tables of pages of 4 KB are too short, the more so in a virtual machine. The C
// library asks for pages of 2 MB where it was told to before it began, and where the
// kernel leaves it to programs to ask; hence a program that computes for long
// replaces itself by itself, once. Who set the variable otherwise is obeyed. A
// program that was given more rights than its caller has (capabilities of its file)
// is left alone: there the C library takes the variable away again.
static void take_large_pages(int argc, char **argv) {
#if defined(__GLIBC__) && defined(__linux__)
  bool computes = false;
  for (int i = 1; i < argc; i++) computes = computes || strcmp(argv[i], "serve") == 0 || strcmp(argv[i], "worker") == 0;
  if (!computes || is_off() || getenv("GLIBC_TUNABLES") != NULL || getauxval(AT_SECURE) != 0) return;
  char self[PATH_MAX]; // not the link itself, after whose name the process would be called
  const ssize_t n = readlink("/proc/self/exe", self, sizeof self);
  if (n <= 0 || n == sizeof self) return;
  self[n] = 0;
  setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1", 0);
  execv(self, argv); // which comes back where it may not be done: then it goes on as it is
#else
  (void)argc, (void)argv;
#endif
}

__attribute__((constructor)) static void early(int argc, char **argv) {
  take_large_pages(argc, argv);
  keep_large_blocks_apart();
  no_telemetry();
  let_inference_run();
}
