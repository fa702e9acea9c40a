// Package registry remembers which models there are: immutable packages named by
// digest under the data directory, their versions, and the aliases that move
// between them. It is the fleet's Source. One process at a time holds it; the
// others hand their changes over through a spool.
package registry
