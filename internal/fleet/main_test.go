package fleet_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
)

// TestMain lets the test binary play the child processes that the tests need.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "play" {
		play(os.Args[2], os.Args[3:])
		os.Exit(0)
	}
	fleettest.Main(m)
}

// player is the command of a child that plays a part.
func player(part ...string) []string { return append([]string{os.Args[0], "play"}, part...) }

func play(part string, args []string) {
	fmt.Println(`{"doing":"running the model on a test picture"}`)
	switch part {
	case "hang":
		if len(args) > 0 {
			_ = os.WriteFile(args[0], []byte(strconv.Itoa(os.Getpid())), 0o600)
		}
		select {}
	case "die": // by a signal of its own, which Go's runtime catches and names
		number, _ := strconv.Atoi(args[0])
		_ = syscall.Kill(os.Getpid(), syscall.Signal(number))
		select {}
	case "die-at-once": // by a signal that nobody catches
		_ = syscall.Exec("/bin/sh", []string{"sh", "-c", "kill -" + args[0] + " $$"}, nil)
	case "say": // words on standard error, then death
		fmt.Fprintln(os.Stderr, args[0])
		os.Exit(2)
	case "chatter": // more than any pipe or buffer holds, and then a report
		for range 1 << 12 {
			fmt.Println(strings.Repeat("no message at all ", 100))
			fmt.Fprintln(os.Stderr, strings.Repeat("nor here ", 100))
		}
	case "eat": // memory, as a runtime does that knows no cap of its own
		_ = fleet.Restrict(fleet.Limits{Memory: 64e6, CPU: time.Minute})
		for hoard := [][]byte{}; ; {
			hoard = append(hoard, bytes.Repeat([]byte{1}, 1<<20))
			_ = hoard
		}
	case "spin":
		_ = fleet.Restrict(fleet.Limits{Memory: 64e6, CPU: time.Second})
		for n := 0; ; n++ {
			_ = n
		}
	case "write": // a file, which a model's check has no business to do
		_ = fleet.Restrict(fleet.Limits{Memory: 64e6, CPU: time.Minute})
		report(fleet.Report{Accepted: os.WriteFile("left-behind", []byte("x"), 0o600) == nil})
	case "look": // what a child can see of its parent
		dir, _ := os.Getwd()
		report(fleet.Report{Accepted: true, Name: dir, Warnings: os.Environ()})
	case "child": // a child that leaves another behind, which keeps its pipes open
		c := exec.Command(os.Args[0], "play", "hang", args[0])
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		_ = c.Start()
		_ = c.Wait()
	case "parent": // a Checker whose own process will be killed
		c := &fleet.Checker{Program: player("hang", args[0])}
		_, _ = c.Check(context.Background(), ".")
	}
}

func report(r fleet.Report) {
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"report": r})
}
