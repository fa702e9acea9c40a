package telemetry_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/telemetry"
)

func TestASwitchChangesLoggersThatAreInUse(t *testing.T) {
	var out bytes.Buffer
	s := telemetry.NewSwitch(slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil))
	log := slog.New(s).With("door", "main").WithGroup("g")
	said := func() string {
		out.Reset()
		log.Debug("debug", "k", 1)
		log.Info("info", "k", 1)
		log.Warn("warn", "k", 1)
		log.Error("error", "k", 1)
		var words []string
		for line := range strings.Lines(out.String()) {
			for _, word := range []string{"debug", "info", "warn", "error"} {
				if strings.Contains(line, `"msg":"`+word+`"`) && strings.Contains(line, `"door":"main","g":{"k":1}`) {
					words = append(words, word)
				}
				if strings.Contains(line, "msg="+word) && strings.Contains(line, "door=main g.k=1") {
					words = append(words, word+" plain")
				}
			}
		}
		return strings.Join(words, ", ")
	}
	if got := s.Levels(); got != (telemetry.Levels{Info: true, Warn: true, Error: true}) {
		t.Errorf("it begins as %+v, want what the handler had", got)
	}
	for _, c := range []struct {
		set  telemetry.Levels
		want string
	}{
		{s.Levels(), "info, warn, error"},
		{telemetry.Levels{Warn: true, Error: true}, "warn, error"},
		{telemetry.Levels{Error: true, Verbose: 3}, "debug, error"},
		{telemetry.Levels{}, ""},
		{telemetry.Levels{Info: true, Plain: true}, "info plain"},
		{telemetry.Levels{Info: true}, "info"},
	} {
		if s.Set(c.set); said() != c.want {
			t.Errorf("%+v: %s, want %s", c.set, said(), c.want)
		}
	}
	s.Set(telemetry.Levels{})
	if log = slog.New(s.Always()).With("a", 1).WithGroup("g"); true {
		out.Reset()
		if log.Warn("it was changed"); !strings.Contains(out.String(), "it was changed") {
			t.Error("nothing can be said any more, not even that")
		}
	}
	quiet := telemetry.NewSwitch(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelError}), nil)
	if got := quiet.Levels(); got != (telemetry.Levels{Error: true}) || quiet.TwoForms() {
		t.Errorf("one that began with errors alone is %+v", got)
	}
	quiet.Set(telemetry.Levels{Info: true, Plain: true})
	if log = slog.New(quiet).With("door", "main").WithGroup("g"); said() != "info" {
		t.Errorf("what it had not said before: %s, want info in its only form", said())
	}
}
