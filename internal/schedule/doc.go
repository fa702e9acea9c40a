// Package schedule decides who computes when. A Scheduler owns one lane a core:
// a goroutine locked to its OS thread that carries one request at a time through
// decoding and inference. A request whose predicted wait passes the bound is
// refused at once; one whose caller has gone never reaches a lane. A Budget
// bounds the bytes that all requests together may hold.
//
// The decisions are a pure core (core.go: no clock, no goroutine); scheduler.go
// is the thin loop around it.
package schedule
