// Package schedule decides who computes when. A Scheduler hands out lanes: who
// holds one does its work on its own goroutine, and by ending it decides who is
// next. Each model has a queue of its own, with priorities, a bound on the lanes it
// may hold, and a share of their time (Policy). A request whose predicted wait
// passes the bound is refused at once; one whose caller has gone, or whose time is
// over, never gets a lane; several may share one run. A Budget bounds the bytes
// that all requests together may hold.
//
// The decisions are a pure core (core.go, line.go: no clock, no goroutine);
// scheduler.go is the thin loop around it.
package schedule
