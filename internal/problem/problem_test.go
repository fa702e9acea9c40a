package problem_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

func TestOfFindsAWrappedProblem(t *testing.T) {
	made := problem.TooManyPixels.New("%d pixels", 7).With("limit_pixels", 5)
	err := fmt.Errorf("decode: %w", made)
	if got := problem.Of(err); got != made {
		t.Fatalf("Of = %v, want the problem inside", got)
	}
	if !errors.Is(err, problem.TooManyPixels) || errors.Is(err, problem.NotAPicture) {
		t.Fatal("errors.Is must match the kind and no other")
	}
}

func TestOfHidesWhatNobodyNamed(t *testing.T) {
	p := problem.Of(errors.New("password is hunter2"))
	if p.Kind != problem.Internal || strings.Contains(fmt.Sprint(p.Document()), "hunter2") {
		t.Fatalf("an unknown error must become internal and not show its text: %v", p.Document())
	}
	if errors.Unwrap(p) == nil {
		t.Fatal("the cause must stay for the log")
	}
	if p := problem.Of(context.DeadlineExceeded); p.Kind != problem.DeadlineExceeded {
		t.Fatalf("a passed deadline is %q, want deadline-exceeded", p.Kind.Slug)
	}
}

func TestWithDoesNotChangeTheOriginal(t *testing.T) {
	a := problem.Limited.New("slow down").With("a", 1)
	b := a.With("b", 2)
	if _, leaked := a.Document()["b"]; leaked || b.Document()["a"] != 1 {
		t.Fatal("With must copy: problems are shared between requests")
	}
}

func TestKindsAreDistinctAndHelpful(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range problem.Kinds() {
		if seen[k.Slug] || k.Title == "" || k.Status < 400 || len(k.Help) < 30 {
			t.Errorf("kind %q: repeated or without title, status or help", k.Slug)
		}
		seen[k.Slug] = true
	}
}

// TestTheReferenceListsEveryKind: a client's maker must find what he may meet.
func TestTheReferenceListsEveryKind(t *testing.T) {
	var page strings.Builder
	if err := problem.WriteReference(&page); err != nil {
		t.Fatal(err)
	}
	for _, k := range problem.Kinds() {
		if !strings.Contains(page.String(), fmt.Sprintf("| `/errors/%s` | %d | **%s.** %s |\n", k.Slug, k.Status, k.Title, k.Help)) || strings.Contains(k.Help, "|") {
			t.Errorf("%s is not there, or breaks the table", k.Slug)
		}
	}
}
