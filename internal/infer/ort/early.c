//go:build cgo && (linux || darwin)

// What must happen before Go's runtime starts its first thread.

#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

// ONNX Runtime's Linux builds keep a telemetry database under ~/.cache and look
// up a host some seconds after their environment is made, unless this variable
// says otherwise. Set here, since setenv is not safe beside other threads.
static void no_telemetry(void) { setenv("ORT_DISABLE_TELEMETRY", "1", 1); }

// While a cgo call runs, Go's monitor thread wakes up every 20 µs to 10 ms to
// see whether the processor should be handed on, and each wake-up preempts an
// inference. With a slack of 2 ms the kernel merges most of them. The slack is
// inherited by every thread made later, which is why it is set before there
// are any; timers in this process may be late by as much, which is nothing
// beside an inference. GOSHAWK_TIMER_SLACK=off leaves the kernel's 50 µs.
static void timer_slack(void) {
#ifdef __linux__
  const char *setting = getenv("GOSHAWK_TIMER_SLACK");
  if (setting != NULL && strcmp(setting, "off") == 0) return;
  prctl(PR_SET_TIMERSLACK, 2000000UL, 0UL, 0UL, 0UL);
#endif
}

__attribute__((constructor)) static void early(void) {
  no_telemetry();
  timer_slack();
}
