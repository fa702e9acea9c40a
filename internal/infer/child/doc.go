// Package child computes in processes of their own: each model that its Backend
// loads runs in a child of this program, bounded in memory and threads, which
// dies with its parent. What kills the child costs the requests that were in it;
// it is started again, until it died too often.
package child
